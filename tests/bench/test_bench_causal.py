"""The bench's promise: an answer to a question asked at t rests on the frames before t and on nothing else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from keepsight.bench.methods import METHODS, Asked, Captioned, Method, Reply, make_method
from keepsight.bench.records import Question, TimeUnit, Video
from keepsight.errors import TruncatedVideoError
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.bench.bench_videos import PictureSource, TellingModel, answers, video, watch

SETTINGS = Settings(frames_per_clip=4, sample_fps=1.0, memory_clips=3, retention=0.25)
ALL_BUT_KEYS = tuple(name for name in METHODS if name != "kv-retrieval")

SECONDS = 30
instants = st.one_of(
    st.integers(0, SECONDS + 4).map(float),
    st.floats(0, SECONDS + 4, allow_nan=False).map(lambda seconds: round(seconds, 3)),
    st.just(math.inf),
)
askings = st.lists(instants, min_size=1, max_size=4)


def methods_at(fps: float, names: tuple[str, ...] = ALL_BUT_KEYS) -> dict[str, Method[Any]]:
    return {name: make_method(name, replace(SETTINGS, sample_fps=fps)) for name in names}


def check_that_the_future_does_not_matter(
    model: VideoModel, methods: Mapping[str, Method[Any]], times: list[float], unit: TimeUnit, seconds: float = SECONDS
) -> None:
    whole = answers(model, video(PictureSource(seconds), times, unit), methods)
    assert len(whole) == len(times) * len(methods)
    for place, at in enumerate(times):
        other = video(PictureSource(seconds, other_from=at), times, unit)
        cut = video(PictureSource(min(at, seconds)), times, unit)
        for changed in (answers(model, other, methods), answers(model, cut, methods)):
            for name in methods:
                key = (name, f"kitchen-{place}")
                assert changed[key] == whole[key]


@given(times=askings, fps=st.sampled_from([0.5, 1.0, 2.0]), unit=st.sampled_from(TimeUnit))
@examples(max_examples=15)
def test_no_method_sees_what_comes_later(times: list[float], fps: float, unit: TimeUnit) -> None:
    check_that_the_future_does_not_matter(TellingModel(), methods_at(fps), times, unit)


@pytest.mark.parametrize("unit", TimeUnit)
@pytest.mark.parametrize("times", [[0.0, 4.0, 4.0], [7.5, 10.0, math.inf]])
def test_keys_and_values_do_not_come_from_later_frames(
    random_model: VideoModel, times: list[float], unit: TimeUnit
) -> None:
    methods = {
        "kv-retrieval": make_method("kv-retrieval:max_answer_tokens=6", SETTINGS),
        "few": make_method("kv-retrieval:window_frames=3,retrieved_frames=2,max_answer_tokens=6", SETTINGS),
    }
    check_that_the_future_does_not_matter(random_model, methods, times, unit, seconds=10)


def test_what_came_earlier_does_matter(random_model: VideoModel) -> None:
    """Without this the tests above could not fail."""
    once, otherwise = video(PictureSource(SECONDS), [21.0]), video(PictureSource(SECONDS, other_from=0), [21.0])
    keys = {"kv-retrieval": make_method("kv-retrieval:max_answer_tokens=6", SETTINGS)}
    methods = methods_at(1.0)
    assert answers(random_model, once, keys) != answers(random_model, otherwise, keys)
    before, after = answers(TellingModel(), once, methods), answers(TellingModel(), otherwise, methods)
    assert {name for (name, _), text in before.items() if after[name, "kitchen-0"] == text} == {"blind"}


@dataclass
class Notebook:
    """Notes every frame that it is shown; the answer is the list of their times."""

    times: list[float] = field(default_factory=list)
    finished: bool = False

    def see(self, frame: Frame) -> None:
        self.times.append(frame.pts_seconds)

    def finish(self) -> None:
        assert not self.finished
        self.finished = True

    def captions(self) -> list[Captioned]:
        return []


@dataclass(frozen=True)
class Spy:
    sample_fps: float = 1.0
    name: str = "spy"
    begun: list[float] = field(default_factory=list)

    @property
    def watching(self) -> str:
        return self.name

    def begin(self, model: VideoModel, sample_fps: float) -> Notebook:
        self.begun.append(sample_fps)
        return Notebook()

    def answer(self, model: VideoModel, seen: Notebook, asked: Asked) -> Reply:
        return Reply(f"{asked.ask_seconds} {seen.finished} {seen.times}", 0)


@given(times=askings, fps=st.sampled_from([0.5, 1.0, 2.0, 0.3]), unit=st.sampled_from(TimeUnit), seconds=instants)
def test_frames_are_handed_over_once_in_order_and_before_the_question(
    times: list[float], fps: float, unit: TimeUnit, seconds: float
) -> None:
    seconds = min(seconds, 50.0)
    spy = Spy(fps)
    given_fps = 1.0 if unit is TimeUnit.SHOTS else fps
    predictions, captions = watch(TellingModel(), video(PictureSource(seconds), times, unit), {"spy": spy})
    instants = [number / given_fps for number in range(math.ceil(seconds * given_fps))]
    end = instants[-1] + 1 / given_fps if instants else 0.0
    asked = sorted((at, f"kitchen-{place}") for place, at in enumerate(times))
    assert [(prediction.question_id, prediction.answer) for prediction in predictions] == [
        (name, f"{at} {at > end} {[instant for instant in instants if instant < at]}") for at, name in asked
    ]
    assert spy.begun == [given_fps]
    assert captions == []


def test_a_question_at_a_frames_time_comes_before_the_frame() -> None:
    for seen, at in [([], 0.0), ([0.0], 0.001), ([0.0, 1.0, 2.0], 3.0), ([0.0, 1.0, 2.0, 3.0], math.nextafter(3.0, 9))]:
        (prediction,), _ = watch(TellingModel(), video(PictureSource(SECONDS), [at]), {"spy": Spy()})
        assert prediction.answer == f"{at} False {seen}"


def test_methods_that_watch_alike_share_an_observer_and_others_do_not() -> None:
    first, second, third = Spy(), Spy(), Spy(name="another")
    watch(TellingModel(), video(PictureSource(4), [2.0]), {"a": first, "b": second, "c": third})
    assert (first.begun, second.begun, third.begun) == ([1.0], [], [1.0])


def test_asking_leaves_no_trace() -> None:
    """An answer is the same whether or not other questions were asked before, and twice at once."""
    times = [3.0, 9.0, 9.0, 17.5, 26.0, math.inf]
    methods = methods_at(1.0)
    together = answers(TellingModel(), video(PictureSource(SECONDS), times), methods)
    for place, at in enumerate(times):
        name = f"kitchen-{place}"
        watched = video(PictureSource(SECONDS), times)
        alone = replace(watched, questions=tuple(one for one in watched.questions if one.question_id == name))
        assert alone.questions[0].ask_seconds == at
        for key, text in answers(TellingModel(), alone, methods).items():
            assert together[key] == text


def test_asking_leaves_no_trace_in_keys_and_values(random_model: VideoModel) -> None:
    methods = {"kv": make_method("kv-retrieval:window_frames=3,retrieved_frames=2,max_answer_tokens=6", SETTINGS)}
    often = answers(random_model, video(PictureSource(SECONDS), [26.0, 5.0, 9.0, 9.5]), methods)
    once = answers(random_model, video(PictureSource(SECONDS), [26.0]), methods)
    assert often["kv", "kitchen-0"] == once["kv", "kitchen-0"]


def test_the_right_answer_is_never_told() -> None:
    asked = Question("q", "Where is it?", "in the sink", 12.0, "where", ("in the sink", "gone"), 0)
    swapped = replace(asked, answer="gone", answer_index=1, task="secret")
    given = [
        answers(TellingModel(), Video("v", PictureSource(SECONDS), (one,)), methods_at(1.0)) for one in (asked, swapped)
    ]
    assert given[0] == given[1]
    assert all("in the sink" in text and "gone" in text for text in given[0].values())  # both choices are offered


@pytest.mark.parametrize("partial", [True, False])
def test_the_last_frames_have_a_caption_after_the_end_if_the_settings_say_so(partial: bool) -> None:
    """30 frames in clips of 4: the last clip has two frames."""
    method = make_method("captions", replace(SETTINGS, caption_partial_clip=partial))
    model = TellingModel()
    times = [30.0, 30.001, 31.0, math.inf]
    predictions, captions = watch(model, video(PictureSource(SECONDS), times), {"captions": method})
    assert [prediction.answer.count("\n[") for prediction in predictions] == [7, *[8 if partial else 7] * 3]
    spans = [(clip.start_seconds, clip.end_seconds) for clip in captions]
    assert spans == [(4.0 * index, min(4.0 * index + 4, 30)) for index in range(8 if partial else 7)]
    assert [clip.clip_index for clip in captions] == list(range(len(spans)))


def test_shots_are_watched_one_by_one_whatever_the_frame_rate() -> None:
    method = make_method("captions", replace(SETTINGS, sample_fps=0.5))
    predictions, captions = watch(
        TellingModel(), video(PictureSource(9), [4.0, 8.0, 9.0, math.inf], TimeUnit.SHOTS), {"captions": method}
    )
    assert [(clip.start_seconds, clip.end_seconds) for clip in captions] == [(0, 4), (4, 8), (8, 9)]
    assert [prediction.answer.count("\n[") for prediction in predictions] == [1, 2, 2, 3]


def test_before_anything_was_seen_every_method_answers_blind(random_model: VideoModel) -> None:
    model = TellingModel()
    texts = answers(model, video(PictureSource(SECONDS), [0.0]), methods_at(1.0))
    assert len(set(texts.values())) == 1
    assert model.shown == [None]  # once: the same prompt is not put twice
    keys = {name: make_method(f"{name}:max_answer_tokens=6") for name in ("kv-retrieval", "blind")}
    assert len(set(answers(random_model, video(PictureSource(4), [0.0]), keys).values())) == 1


def test_a_video_without_frames_is_answered_about_blind() -> None:
    texts = answers(TellingModel(), video(PictureSource(0), [0.0, 5.0, math.inf]), methods_at(1.0))
    assert len(texts) == 3 * len(ALL_BUT_KEYS)
    assert len(set(texts.values())) == 3


def test_predictions_come_in_the_order_of_methods_and_questions() -> None:
    methods = methods_at(1.0, ("last-frames", "blind", "captions"))
    predictions, _ = watch(TellingModel(), video(PictureSource(SECONDS), [20.0, math.inf, 3.0]), methods)
    ids = ["kitchen-2", "kitchen-0", "kitchen-1"]
    assert [(p.method, p.question_id) for p in predictions] == [(name, one) for name in methods for one in ids]
    assert [p.ask_seconds for p in predictions] == [3.0, 20.0, None] * 3


def test_a_damaged_video_is_no_shorter_video() -> None:
    with pytest.raises(TruncatedVideoError):
        watch(TellingModel(), video(PictureSource(SECONDS, breaks_at=20), [9.0]), methods_at(1.0))
