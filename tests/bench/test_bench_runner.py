"""Runs: what was answered before is not asked again, what failed is told, and what is scored is what was answered."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keepsight.bench import runner
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.methods import Method, make_method
from keepsight.bench.records import DataSet, Question, TimeUnit, Video
from keepsight.bench.results import Results
from keepsight.bench.runner import Failure, RunSettings, run
from keepsight.bench.scoring import Score, make_scorer
from keepsight.errors import JudgeError, SettingError
from keepsight.method.protocol import AnswerRequest
from keepsight.settings import Settings
from tests.bench.bench_videos import PictureSource, TellingModel, question, video, watch

SETTINGS = Settings(frames_per_clip=4, sample_fps=1.0)
NAMES = ("kitchen", "bath", "hall")
DATA = DataSet("rooms", tuple(video(PictureSource(9), [3.0, 8.5], video_id=name) for name in NAMES), "exact")
METHODS: dict[str, Method[Any]] = {name: make_method(name, SETTINGS) for name in ("captions", "last-frames")}


class PowerCut(Exception):  # noqa: N818 - no error, an accident
    """Stands for whatever stops a run in the middle."""


@dataclass
class StoppingModel(TellingModel):
    """A stand-in that stops at its n-th answer."""

    stops_at: float = math.inf

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        if len(self.calls) >= self.stops_at:
            raise PowerCut
        return super().answer(request)


class Bench:
    """Runs methods with a stand-in model and tells what that was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.model: TellingModel = TellingModel()
        self.settings = RunSettings(cache_folder=folder)
        self.seen: list[tuple[int, int]] = []
        self.failures: list[Failure] = []
        monkeypatch.setattr(runner, "_load", lambda *_: self.model)

    def run(self, data: DataSet = DATA, methods: dict[str, Method[Any]] | None = None, **options: Any) -> Results:
        self.model.calls.clear()
        self.seen.clear()
        scorer = options.pop("scorer", make_scorer("exact"))
        noted = lambda done, of: self.seen.append((done, of))  # noqa: E731 - as a caller writes it
        results, self.failures = run(data, methods or METHODS, scorer, self.settings, noted, **options)
        return results

    @property
    def asked(self) -> list[str]:
        """Questions put to the model in the last run, in order."""
        return [call.question for call in self.model.calls]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path / "cache")


def told(results: Results) -> list[tuple[str, str, str, float | None]]:
    """What is to be the same, however the answers were come by: times differ."""
    return [(p.method, p.question_id, p.answer, p.score) for p in results.predictions]


def wordings(*names: str) -> list[str]:
    return [one.question for each in DATA.videos if each.video_id in names for one in each.questions]


def test_results_are_what_the_methods_answered(bench: Bench) -> None:
    results = bench.run()
    expected = []
    for name, method in METHODS.items():
        for each in DATA.videos:
            predictions, _ = watch(TellingModel(), each, {name: method})
            expected += [(name, p.question_id, p.answer, 0.0) for p in predictions]
    assert told(results) == expected
    assert [clip.video_id for clip in results.captions] == [name for name in NAMES for _ in range(3)]
    assert results.methods == {name: repr(method) for name, method in METHODS.items()}
    assert list(results.methods) == list(METHODS)
    assert (results.data_set, results.scoring) == ("rooms", "ExactScorer()")
    assert results.environment["model"] == "fake"
    assert bench.failures == []
    assert bench.seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_second_run_asks_nothing(bench: Bench) -> None:
    first = bench.run()
    second = bench.run()
    assert bench.asked == []
    assert bench.seen == [(3, 3)]
    assert replace(first, environment={}) == replace(second, environment={})


@pytest.mark.parametrize("stops_at", [0, 1, 4, 5, 11])
def test_an_interrupted_run_goes_on(bench: Bench, tmp_path: Path, stops_at: int) -> None:
    """Each video has two questions and two methods; with the last frames all four prompts differ."""
    bench.model = StoppingModel(stops_at=stops_at)
    with pytest.raises(PowerCut):
        bench.run()
    bench.model = TellingModel()
    results = bench.run()
    num_whole = stops_at // 4
    assert sorted(set(bench.asked)) == sorted(wordings(*NAMES[num_whole:]))
    assert len(bench.asked) == 12 - 4 * num_whole
    assert bench.seen[0] == (num_whole, 3)
    bench.settings = replace(bench.settings, cache_folder=tmp_path / "other")
    assert told(bench.run()) == told(results)


def test_one_more_method_is_asked_alone(bench: Bench) -> None:
    bench.run()
    results = bench.run(methods={**METHODS, "blind": make_method("blind", SETTINGS)})
    assert [(call.context, call.num_visual_tokens) for call in bench.model.calls] == [("", 0)] * 6
    assert {prediction.method for prediction in results.predictions} == {*METHODS, "blind"}


@pytest.mark.parametrize("text", ["captions:retention=0.5", "captions:seed=1", "captions:max_answer_tokens=3"])
def test_another_setting_is_asked_again(bench: Bench, text: str) -> None:
    bench.run()
    bench.run(methods={**METHODS, "captions": make_method(text, SETTINGS)})
    assert sorted(bench.asked) == sorted(wordings(*NAMES))


def test_names_and_order_are_not_what_a_method_is(bench: Bench) -> None:
    before = bench.run()
    turned = dict(reversed([(name.upper(), method) for name, method in METHODS.items()]))
    after = bench.run(methods=turned)
    assert bench.asked == []
    assert list(after.methods) == ["LAST-FRAMES", "CAPTIONS"]
    for old, new in (("captions", "CAPTIONS"), ("last-frames", "LAST-FRAMES")):
        assert [replace(one, method=new) for one in before.of(old)] == after.of(new)
        assert [replace(one, method=new) for one in before.captions_of(old)] == after.captions_of(new)


def test_one_method_under_two_names(bench: Bench) -> None:
    method = make_method("captions:live_at_start=false", SETTINGS)  # prompts with frames are not shared
    results = bench.run(methods={"one": method, "other": method})
    assert [p.answer for p in results.of("one")] == [p.answer for p in results.of("other")]
    assert len(results.of("other")) == 6
    assert sorted(bench.asked) == sorted(wordings(*NAMES))


def test_a_question_more_or_less_is_another_video(bench: Bench) -> None:
    bench.run()
    kitchen, bath, hall = DATA.videos
    more = replace(bath, questions=(*bath.questions, question(5.0, "bath-new")))
    results = bench.run(replace(DATA, videos=(hall, more, kitchen)))
    assert set(bench.asked) == {*wordings("bath"), more.questions[1].question}
    assert [p.question_id for p in results.of("captions")] == [
        *("hall-0", "hall-1", "bath-0", "bath-new", "bath-1", "kitchen-0", "kitchen-1")
    ]


def test_a_damaged_answer_is_made_again(bench: Bench) -> None:
    before = bench.run()
    for path in bench.settings.cache_folder.iterdir():
        if "bath" in path.read_text(encoding="utf-8"):
            path.write_text("{", encoding="utf-8")
    assert told(bench.run()) == told(before)
    assert set(bench.asked) == {*wordings("bath")}


def test_other_weights_and_versions_are_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    bench.model = TellingModel(dim=9)
    bench.run()
    assert len(bench.asked) == 12
    monkeypatch.setattr(runner, "version", lambda _: "99")
    bench.run()
    assert len(bench.asked) == 12
    bench.run()
    assert bench.asked == []


def test_a_video_that_fails_is_told_and_the_others_are_kept(bench: Bench, tmp_path: Path) -> None:
    """Cut off in the middle, not there, and an array that is none."""
    (tmp_path / "shots.npy").write_bytes(b"nothing")
    broken = (
        video(PictureSource(9, breaks_at=5), [3.0], video_id="cut"),
        video(FileSource(tmp_path / "none.mp4"), [3.0], video_id="missing"),
        video(ArraySource(tmp_path / "shots.npy"), [3.0], TimeUnit.SHOTS, video_id="shots"),
    )
    data = replace(DATA, videos=(broken[0], DATA.videos[0], *broken[1:], DATA.videos[1]))
    results = bench.run(data)
    assert [failure.video_id for failure in bench.failures] == ["cut", "missing", "shots"]
    assert "cut off" in bench.failures[0].reason
    assert "none.mp4" in bench.failures[1].reason
    assert "shots.npy" in bench.failures[2].reason
    assert {p.video_id for p in results.predictions} == {"kitchen", "bath"}
    assert bench.seen[-1] == (5, 5)
    bench.run(data)
    assert len(bench.failures) == 3
    assert set(bench.asked) == {broken[0].questions[0].question}


def test_no_video_at_all_can_be_watched(bench: Bench) -> None:
    results = bench.run(replace(DATA, videos=(video(PictureSource(9, breaks_at=0), [3.0]),)))
    assert (results.predictions, results.captions, len(bench.failures)) == ((), (), 1)


def test_methods_of_several_frame_rates_watch_apart(bench: Bench) -> None:
    methods = {f"last at {fps}": make_method(f"last-frames:sample_fps={fps}", SETTINGS) for fps in (1, 0.5, 2)}
    results = bench.run(methods=methods)
    assert list(results.methods) == list(methods)
    for name, method in methods.items():
        for each in DATA.videos:
            expected, _ = watch(TellingModel(), each, {name: method})
            assert [p.answer for p in results.of(name) if p.video_id == each.video_id] == [p.answer for p in expected]
    assert len({results.of(name)[1].answer for name in methods}) == 3


def test_each_frame_rate_is_watched_once(bench: Bench) -> None:
    texts = ("last-frames", "last-frames:sample_fps=0.5", "last-frames:num_frames=9")
    bench.run(methods={text: make_method(text, SETTINGS) for text in texts})
    # Of each video 9 frames at 1 a second and 5 at 0.5 are shown sooner or later; each of two fingerprints takes one.
    assert bench.model.num_encoded == 3 * (9 + 5) + 2


def test_shots_at_several_frame_rates_are_the_same_shots(bench: Bench, tmp_path: Path) -> None:
    np.save(tmp_path / "film.npy", np.random.default_rng(0).integers(0, 255, (9, 8, 8, 3), dtype=np.uint8))
    film = video(ArraySource(tmp_path / "film.npy"), [3.0, 8.5, math.inf], TimeUnit.SHOTS)
    methods = {f"at {fps}": make_method(f"captions:sample_fps={fps}", SETTINGS) for fps in (1, 0.5)}
    results = bench.run(replace(DATA, videos=(film,)), methods)
    assert [p.answer for p in results.of("at 1")] == [p.answer for p in results.of("at 0.5")]
    assert [clip.end_seconds for clip in results.captions_of("at 0.5")] == [4, 8, 9]


@dataclass(frozen=True)
class LengthScorer:
    """Scores what the model said by its length, so that a mix-up shows."""

    def score(self, asked: Question, answer: str) -> Score:
        return Score((len(asked.question) + len(answer)) % 97 / 97, f1=0.5, rating=3)


@dataclass(frozen=True)
class DeadJudge:
    def score(self, asked: Question, answer: str) -> Score:
        raise JudgeError("the judge gave out")


@pytest.mark.parametrize("threads", [1, 4])
def test_each_answer_gets_its_own_score(bench: Bench, threads: int) -> None:
    results = bench.run(scorer=LengthScorer(), scoring_threads=threads)
    ids = [one.question_id for each in DATA.videos for one in each.questions]
    assert [(one.method, one.question_id) for one in results.predictions] == [
        (name, i) for name in METHODS for i in ids
    ]
    for one in results.predictions:
        assert one.score == (len(one.question) + len(one.answer)) % 97 / 97
        assert (one.f1, one.rating) == (0.5, 3)


def test_another_rule_of_scoring_watches_nothing_again(bench: Bench) -> None:
    with pytest.raises(JudgeError):
        bench.run(scorer=DeadJudge())
    results = bench.run(scorer=LengthScorer())
    assert bench.asked == []
    assert len(results.predictions) == 12
    assert results.scoring == "LengthScorer()"


def test_at_least_one_process() -> None:
    with pytest.raises(SettingError, match="processes must be at least 1, got 0"):
        RunSettings(processes=0)


def test_a_worker_takes_one_thread_and_leaves_ctrl_c_to_its_parent() -> None:
    import signal

    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    try:
        runner._start_worker()
        assert torch.get_num_threads() == 1
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        torch.set_num_threads(threads)
        signal.signal(signal.SIGINT, handler)


def test_a_video_goes_to_another_process_as_it_is(tmp_path: Path) -> None:
    """What is sent to a worker comes out the same, cache key included."""
    import pickle

    for each in (*DATA.videos, video(FileSource(tmp_path / "a.mp4", 3.0), [1.0]), DATA.videos[0]):
        sent: Video = pickle.loads(pickle.dumps(each))
        assert sent == each
        assert repr(sent) == repr(each)
    for method in METHODS.values():
        assert repr(pickle.loads(pickle.dumps(method))) == repr(method)
