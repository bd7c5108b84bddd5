"""The model that is shipped: it loads without a network, is small, and has learned something of its world."""

import pytest

from keepsight.models.loading import load_model
from keepsight.models.registry import BUNDLED
from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.toyworld.scoring import CaptionScores
from keepsight.watcher import Watcher

LARGEST_BYTES = 40_000_000
TINY = next(bundled for bundled in BUNDLED if bundled.name == "tiny")


def test_it_is_small_and_complete() -> None:
    folder = TINY.folder
    assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST_BYTES
    info = load_model("tiny").info
    assert 4_000_000 < info.num_parameters < 15_000_000
    assert info.context_window_tokens == 1024
    assert (folder / "README.md").read_text().startswith("# Model card: tiny")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptionScores, str, str]:
    """Scores of the captions of a held-out video, and answers to a question before and after a cut."""
    folder = tmp_path_factory.mktemp("bundled")
    truth = make_video(folder / "video.mp4", ToyVideoSettings(seed=50_001, minutes=4.0, fps=2))
    scores = CaptionScores()
    with Watcher(load_model("tiny"), folder / "journal.db") as watcher:
        for moment, true in zip(watcher.watch(folder / "video.mp4"), truth.captions, strict=True):
            scores.add(moment.caption, true)
        answers = [watcher.ask("What is there now?", seconds).text for seconds in (40.0, None)]
    return scores, answers[0], answers[1]


def test_it_knows_where_it_is_and_sees_some_things(watched: tuple[CaptionScores, str, str]) -> None:
    scores, _, _ = watched
    assert scores.places.cases == 8
    assert scores.places.value == 1.0  # chance is one in eight
    assert scores.nouns.f1 > 0.8  # chance is about one in twenty; over 200 videos it is 0.95
    assert scores.colours.f1 > 0.7  # over 200 videos 0.93


def test_it_answers_in_words_of_its_world(watched: tuple[CaptionScores, str, str]) -> None:
    _, early, late = watched
    for answer in (early, late):
        assert answer
        assert answer.startswith(("a ", "an ", "nothing"))


def test_the_card_states_what_was_measured() -> None:
    card = (TINY.folder / "README.md").read_text()
    for row in ("nouns F1", "places", "colours F1", "events F1", "past-dependent", "questions"):
        assert f"| {row} |" in card
