"""Each model is asked to judge a caption in the form that it was taught."""

from pathlib import Path

import pytest

from keepsight.hub.standing.judging import Judge
from keepsight.journal import Journal
from keepsight.models.judging import judging_prompt
from keepsight.models.loading import load_model
from keepsight.models.registry import BUNDLED, judging_style_of
from tests.models.random_model import ModelFolder

REQUEST = "Tell me when\n a dog comes in"


@pytest.mark.parametrize("name", [model.name for model in BUNDLED])
def test_a_bundled_model_is_asked_the_questions_it_was_trained_on(journal: Journal, name: str) -> None:
    assert Judge(load_model(name), journal).prompt_of(REQUEST) == "Answer yes or no: is there a dog?"


def test_a_bundled_model_is_known_by_its_folder(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(BUNDLED[0].folder)
    assert judging_style_of(link) == "toy-world"
    assert judging_style_of(tmp_path) == "plain"


def test_any_other_model_is_asked_in_the_users_own_words(journal: Journal, model_folder: ModelFolder) -> None:
    prompt = Judge(load_model(model_folder()), journal).prompt_of(REQUEST)
    assert prompt == judging_prompt("plain", REQUEST)
    assert prompt.startswith("Answer only yes or no.")
    assert prompt.endswith(": Tell me when a dog comes in")
