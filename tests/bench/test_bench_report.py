"""The folder that a run leaves behind, from answers that were drawn at random: every number is checked again."""

import csv
import random
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.datasets.toyworld import ToySource, ToyWorldSettings, make_toyworld
from keepsight.bench.environment import describe_environment
from keepsight.bench.experiments import Experiment, make_experiments
from keepsight.bench.records import DataSet, Video
from keepsight.bench.reporting import Chapter, write_report
from keepsight.bench.results import CaptionedClip, Prediction, Results
from keepsight.method.protocol import ModelInfo
from keepsight.toyworld.captions import true_captions

TINY = ModelInfo("tiny", "A", 12_345, "cpu", "float32", 1, 8, 1024, (96, 96), (3, 3), (1, 2))
EXPERIMENTS = make_experiments((), TINY)
FEW = make_experiments(("memory",), TINY)
METHODS = tuple(dict.fromkeys(text for experiment in EXPERIMENTS for text in experiment.rows.values()))
DATA = make_toyworld(ToyWorldSettings(num_videos=3, minutes=7))


@pytest.fixture(scope="module")
def environment() -> dict[str, object]:
    from tests.fake_model import FakeModel

    return describe_environment(FakeModel(), processes=2, seed=0)


def answered(rng: random.Random, method: str, video: Video) -> list[Prediction]:
    return [
        Prediction(
            method,
            video.video_id,
            question.question_id,
            question.task,
            question.question,
            question.answer,
            "something",
            score=float(rng.random() < 0.6),
            f1=rng.random(),
            age_seconds=question.age_seconds,
            answer_seconds=rng.random(),
            num_prompt_tokens=100,
            ask_seconds=question.ask_seconds,
        )
        for question in video.questions
    ]


def captioned(rng: random.Random, method: str, video: Video) -> list[CaptionedClip]:
    """True captions for a memory that differs from method to method; others see no clip."""
    source = video.source
    if not isinstance(source, ToySource) or not method.startswith(("captions", "selected", "visual")):
        return []
    spans = [caption.span for caption in source.captions]
    texts = [caption.text for caption in true_captions(source.story, spans, rng.choice([0, 2, 16]))]
    return [
        CaptionedClip(method, video.video_id, index, span.start_seconds, span.end_seconds, text, 16, 144, (0, 50), 0.1)
        for index, (span, text) in enumerate(zip(spans, texts, strict=True))
    ]


def made_up(data: DataSet, environment: dict[str, object], methods: tuple[str, ...] = METHODS) -> Results:
    rng = random.Random(0)
    predictions = [one for method in methods for video in data.videos for one in answered(rng, method, video)]
    captions = [one for method in methods for video in data.videos for one in captioned(rng, method, video)]
    names = dict.fromkeys(methods, "settings")
    return Results(data.name, data.settings, "ExactScorer()", names, environment, tuple(predictions), tuple(captions))


@pytest.fixture(scope="module")
def results(environment: dict[str, object]) -> Results:
    return made_up(DATA, environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report") / "deep" / "out"


@pytest.fixture(scope="module")
def chapters(folder: Path, results: Results) -> list[Chapter]:
    return write_report(folder, results, DATA, EXPERIMENTS)


def test_the_page_has_every_chapter_and_every_plot(chapters: list[Chapter], folder: Path) -> None:
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert [chapter.experiment for chapter in chapters] == list(EXPERIMENTS)
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [experiment.title for experiment in EXPERIMENTS]
    shown = re.findall(r"^!\[.*\]\((.*)\)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in folder.glob("*.png"))
    assert len(shown) == len(set(shown)) >= 6
    for name in shown:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert page.startswith("# toyworld-default\n")
    for part in ("fake", "float32", "torch ", DATA.settings, "ExactScorer()"):
        assert part in page


def test_every_share_of_every_table_is_right(chapters: list[Chapter], folder: Path, results: Results) -> None:
    for chapter in chapters:
        experiment = chapter.experiment
        with (folder / f"{experiment.name}.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        tables = {line["table"] for line in lines}
        assert experiment.title in tables
        assert f"{experiment.title}: by kind of question" in tables
        for line in lines:
            method = experiment.rows[line["method"]]
            if line["table"] == experiment.title and line["column"] == "all":
                assert float(line["value"]) == pytest.approx(mean_score(results, method))
                assert int(line["num_questions"]) == DATA.num_questions
                if line["method"] == experiment.reference:
                    assert line["difference"] == ""
                else:
                    difference = mean_score(results, method) - mean_score(
                        results, experiment.rows[experiment.reference]
                    )
                    assert float(line["difference"]) == pytest.approx(difference)
            if line["table"].endswith("by kind of question") and line["column"] != "all":
                assert float(line["value"]) == pytest.approx(mean_score(results, method, line["column"]))


def mean_score(results: Results, method: str, task: str | None = None) -> float:
    return statistics.mean(
        one.score
        for one in results.predictions
        if one.method == method and task in (None, one.task) and one.score is not None
    )


def test_every_row_is_in_the_table_of_answers(chapters: list[Chapter]) -> None:
    for chapter in chapters:
        assert [row.method for row in chapter.tables.answers.rows] == list(chapter.experiment.rows)
        assert chapter.tables.answers.reference == chapter.experiment.reference


def test_true_captions_are_all_right_in_the_table_of_memory(chapters: list[Chapter], results: Results) -> None:
    """A caption made with 16 clips of memory has everything; one without memory has nothing that needs it."""
    texts = {method: tuple(clip.caption for clip in results.captions_of(method)) for method in METHODS}
    whole = tuple(caption.text for video in DATA.videos for caption in video.source.captions)  # type: ignore[attr-defined]
    seen = set()
    for chapter in chapters:
        assert chapter.tables.past is not None
        for row in chapter.tables.past.rows:
            share = row.cells["all"].value
            if texts[chapter.experiment.rows[row.method]] == whole:
                assert share == 1
            seen.add(round(share, 2))
    assert {0.0, 1.0} <= seen


def test_a_second_report_replaces_the_first(tmp_path: Path, results: Results) -> None:
    write_report(tmp_path, results, DATA, FEW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_report(tmp_path, results, DATA, FEW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_films_have_no_table_of_captions(tmp_path: Path, environment: dict[str, object]) -> None:
    films = tuple(replace(video, source=FileSource(Path("film.mp4"))) for video in DATA.videos)
    data = replace(DATA, videos=films)
    write_report(tmp_path, made_up(data, environment), data, FEW)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "only memory can tell" not in page
    assert "what captions say" not in page


@pytest.mark.parametrize("experiments", [EXPERIMENTS, (Experiment("methods", "Methods", {"a": "blind"}, "a"),)])
def test_a_run_in_which_every_video_failed(
    tmp_path: Path, environment: dict[str, object], experiments: tuple[Experiment, ...]
) -> None:
    nothing = Results("toys", "", "ExactScorer()", {}, environment, ())
    write_report(tmp_path, nothing, DATA, experiments)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"## {experiments[0].title}" in page
    assert list(tmp_path.glob("*.png")) == []


def test_one_video_alone(tmp_path: Path, environment: dict[str, object]) -> None:
    data = replace(DATA, videos=DATA.videos[:1])
    (chapter,) = write_report(tmp_path, made_up(data, environment), data, FEW)
    assert {row.num_questions for row in chapter.tables.answers.rows} == {data.num_questions}


def test_answers_that_are_not_judged_yet(tmp_path: Path, environment: dict[str, object]) -> None:
    results = made_up(DATA, environment, ("captions", "blind"))
    unjudged = tuple(replace(one, score=None, f1=None) for one in results.predictions)
    experiment = Experiment("methods", "Methods", {"captions": "captions", "blind": "blind"}, "captions")
    (chapter,) = write_report(tmp_path, replace(results, predictions=unjudged), DATA, (experiment,))
    assert chapter.tables.answers.rows == ()
