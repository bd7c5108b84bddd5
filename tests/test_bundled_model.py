"""The model that is shipped: it loads without a network, is small, and has learned something of its world."""

import pytest

from keepsight.engine.watcher import Watcher
from keepsight.models.loading import load_model
from keepsight.models.registry import BUNDLED
from keepsight.toyworld.files import ToyVideoSettings, make_truth, make_video
from keepsight.toyworld.scoring import AnswerScores, CaptionScores
from training.evaluate import EvaluationSettings, answer_from_truth, evaluate

LARGEST_BYTES = 40_000_000
NAMES = ("tiny", "tiny-qwen")
CARD_ROWS = ("nouns F1", "places", "colours F1", "events F1", "past-dependent", "questions")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_complete(name: str) -> None:
    folder = next(bundled for bundled in BUNDLED if bundled.name == name).folder
    assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST_BYTES
    info = load_model(name).info
    assert 4_000_000 < info.num_parameters < 15_000_000
    assert info.context_window_tokens == 1024
    card = (folder / "README.md").read_text()
    assert card.startswith(f"# Model card: {name}\n")
    assert all(f"| {row} |" in card for row in CARD_ROWS)


@pytest.fixture(scope="module", params=NAMES)
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[CaptionScores, str, str]:
    """Scores of the captions of a held-out video, and answers to a question before and after a cut."""
    folder = tmp_path_factory.mktemp("bundled")
    truth = make_video(folder / "video.mp4", ToyVideoSettings(seed=50_001, minutes=4.0, fps=2))
    scores = CaptionScores()
    with Watcher(load_model(request.param), folder / "journal.db") as watcher:
        for moment, true in zip(watcher.watch(folder / "video.mp4"), truth.captions, strict=True):
            scores.add(moment.caption, true)
        answers = [watcher.ask("What is there now?", seconds).text for seconds in (40.0, None)]
    return scores, answers[0], answers[1]


def test_it_knows_where_it_is_and_sees_some_things(watched: tuple[CaptionScores, str, str]) -> None:
    scores, _, _ = watched
    assert scores.places.cases == 8
    assert scores.places.value == 1.0  # chance is one in eight
    assert scores.nouns.f1 > 0.85  # chance is about one in twenty; over many videos 0.97 and 0.96
    assert scores.colours.f1 > 0.8  # over many videos 0.96 and 0.94
    assert scores.events.f1 > 0.6  # over many videos 0.86 and 0.83


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_only_memory_tells_what_depends_on_the_past(name: str) -> None:
    share = {}
    for memory_clips in (16, 0):
        settings = EvaluationSettings(model=name, memory_clips=memory_clips, with_questions=False)
        captions = evaluate(settings, num_videos=12, processes=2)["captions"]
        assert isinstance(captions, dict)
        share[memory_clips] = captions["past-dependent"]
    assert share[16] > 0.6  # over many videos 0.78 and 0.81
    assert share[0] < 0.2


def test_questions_are_answered_from_captions() -> None:
    settings, model = EvaluationSettings(), load_model("tiny")
    scores = AnswerScores()
    for number in range(3):
        truth = make_truth(ToyVideoSettings(settings.first_seed + number, settings.minutes, settings.difficulty, fps=2))
        answers = answer_from_truth(model, settings, number)
        for given, question in zip(answers, truth.questions, strict=True):
            scores.add(given, question)
    assert scores.overall.cases > 40
    assert scores.overall.value > 0.8  # over 200 videos 0.94


def test_it_answers_in_words_of_its_world(watched: tuple[CaptionScores, str, str]) -> None:
    _, early, late = watched
    for answer in (early, late):
        assert answer
        assert answer.startswith(("a ", "an ", "nothing"))
