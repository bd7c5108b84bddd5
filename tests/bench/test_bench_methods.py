"""Methods against the product, against brute force, and against the limits that they are to keep."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from keepsight import Watcher
from keepsight.bench.baselines.kv_retrieval import Retrieved
from keepsight.bench.baselines.kv_stream import KeyValueStream
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.methods import METHODS, Asked, Method, make_method
from keepsight.bench.methods.base import Reply
from keepsight.bench.methods.kv_retrieval import KeyValueRetrieval
from keepsight.bench.methods.last_frames import LastFrames
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.uniform_frames import EvenlySeen, UniformFrames
from keepsight.bench.records import Video
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import SettingError
from keepsight.journal import Journal
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VideoModel, VisualInput
from keepsight.settings import Settings
from keepsight.video import Frame, open_video
from tests.bench.bench_videos import PictureSource, TellingModel, answers, picture, question, video, watch
from tests.fake_model import FakeModel
from tests.small_videos import MakeVideo

SETTINGS = Settings(frames_per_clip=4, sample_fps=1.0, memory_clips=3, retention=0.25)
LOOP = ("captions", "captions-and-live", "captions-and-tokens", "selected-tokens", "visual-similarity")

VARIANTS = {
    "as it is": SETTINGS,
    "short budget": replace(SETTINGS, retrieval_budget_tokens=60),
    "newest": replace(SETTINGS, retrieval_budget_tokens=60, retriever="recency", max_answer_tokens=9),
    "at random": replace(SETTINGS, retrieval_budget_tokens=60, retriever="random", selector="random", seed=7),
    "without memory": replace(SETTINGS, memory_clips=0, selector="mean-pool"),
    "fast": replace(SETTINGS, frames_per_clip=3, sample_fps=2.0, selector="k-means", memory_tokens=7),
    "only full clips": replace(SETTINGS, caption_partial_clip=False, frames_per_clip=7),
    "other words": replace(SETTINGS, describe_prompt="What is it?", max_caption_tokens=20),
}


def tokens_of(shown: torch.Tensor | None) -> torch.Tensor:
    assert shown is not None
    return shown


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_the_full_loop_is_the_product(settings: Settings, make_video: MakeVideo, tmp_path: Path) -> None:
    """The same file gives the same captions and, at every time, the same prompt."""
    path = make_video(seconds=40)
    step, clip_seconds = 1 / settings.sample_fps, settings.frames_per_clip / settings.sample_fps
    # After a clip's last frame and before its end the journal does not give its caption yet; a stream that is being
    # watched does: see the next test.
    times = [at for at in np.arange(0.25, 40, 0.75) if at % clip_seconds <= clip_seconds - step and at >= clip_seconds]
    product = FakeModel()
    with Watcher(product, tmp_path / "a.db", settings) as watcher:
        moments = list(watcher.watch(path))
        for at in times:
            watcher.ask(question(at).question, at_seconds=at)
        watcher.ask(question(math.inf).question)
    ours = FakeModel()
    watched = Video("v", FileSource(path), tuple(question(at) for at in (*times, math.inf)))
    _, captions = watch(ours, watched, {"captions": make_method("captions", settings)})
    assert [(clip.clip_index, clip.start_seconds, clip.end_seconds, clip.caption) for clip in captions] == [
        (moment.clip_index, moment.span.start_seconds, moment.span.end_seconds, moment.caption) for moment in moments
    ]
    assert [clip.kept_indices for clip in captions] == [tuple(moment.kept_indices) for moment in moments]
    assert ours.calls == product.calls
    assert ours.memory_lengths == product.memory_lengths
    assert len(moments) >= 5
    assert len({call.context for call in ours.calls}) >= 5


@pytest.mark.parametrize("name", ["captions", "captions-and-live"])
@pytest.mark.parametrize("at", [0.5, 3.0, 3.5, 4.0, 10.2, 22.9, 39.0, 40.0])
def test_a_stream_that_is_asked_while_it_is_watched_is_the_product(
    name: str, at: float, make_video: MakeVideo, journal: Journal
) -> None:
    path = make_video(seconds=40)
    product = FakeModel(window=200)
    watcher = Watcher(product, journal, replace(SETTINGS, live=name == "captions-and-live"))
    session = watcher.begin("a camera")
    with open_video(path) as opened:
        for frame in opened.sampled_frames(1.0):
            if frame.pts_seconds < at:
                session.push(frame)
    ours = FakeModel(window=200)
    watched = Video("v", FileSource(path), (question(at),))
    watch(ours, watched, {name: make_method(name, SETTINGS)})
    watcher.ask(question(at).question)
    assert ours.calls == product.calls
    is_shown = at <= 3 if name == "captions" else math.ceil(at) % 4 > 0
    assert (ours.calls[0].num_visual_tokens > 0) == is_shown


def observed(settings: Settings, model: VideoModel, seconds: int = 40) -> LoopObserver:
    observer = make_method("captions", settings).begin(model, settings.sample_fps)
    for frame in PictureSource(seconds).frames(settings.sample_fps):
        observer.see(frame)
    return observer


windows = st.integers(80, 700)


@given(
    window=windows,
    name=st.sampled_from([*LOOP, "uniform-frames", "last-frames", "blind"]),
    budget=st.integers(1, 400),
    retention=st.floats(0.05, 1),
    words=st.integers(1, 12),
    choices=st.integers(0, 3),
    newline=st.integers(1, 3),
)
@examples(max_examples=60)
def test_no_prompt_is_longer_than_the_window(
    window: int, name: str, budget: int, retention: float, words: int, choices: int, newline: int
) -> None:
    """`FakeModel.answer` raises if one is. The window has room for a clip and for the question alone."""
    settings = replace(SETTINGS, retrieval_budget_tokens=budget, retention=retention, max_caption_tokens=10)
    model = TellingModel(window=window, tokens_per_newline=newline)
    listed = tuple(f"place {number}" for number in range(choices))
    asked = tuple(
        replace(question(at), question="where " * words, choices=listed, answer_index=0 if listed else None)
        for at in (3.0, 17.0, 38.5, math.inf)
    )
    predictions, _ = watch(model, Video("v", PictureSource(40), asked), {"m": make_method(name, settings)})
    assert len(predictions) == 4
    for place, call in enumerate(model.calls):
        is_early = place == 0 and name in LOOP  # before the first caption: the frames so far
        assert call.num_prompt_tokens + call.max_new_tokens <= window
        assert call.max_new_tokens == max(1, min(256, window // 4))
        lines = [line for line in call.context.splitlines() if line.startswith("[")]
        assert sum(FakeModel().count_tokens(f"{line}\n") for line in lines) <= budget
        if is_early:
            assert (call.context, call.num_visual_tokens > window // 2) == ("", False)
        elif name in ("captions", "visual-similarity", "blind"):
            assert call.num_visual_tokens == 0
        elif name == "selected-tokens":
            assert call.num_visual_tokens <= budget
        if name in ("selected-tokens", "uniform-frames", "last-frames", "blind"):
            assert call.context == ""
        if name in ("captions-and-live", "uniform-frames", "last-frames"):
            assert call.num_visual_tokens <= window // 2
    lengths = {(call.question, call.context, call.num_visual_tokens): call.num_prompt_tokens for call in model.calls}
    assert {prediction.num_prompt_tokens for prediction in predictions} == set(lengths.values())


def test_captions_and_tokens_share_a_small_window() -> None:
    model = TellingModel(window=300)
    settings = replace(SETTINGS, retention=1.0)
    observer = observed(settings, model)
    method = make_method("captions-and-tokens", settings)
    method.answer(model, observer, Asked("Where is it?", "Where is it?", 40))
    (call,) = model.calls
    lines = [clip.line for clip in observer.clips]
    given_lines = [line for line in call.context.splitlines() if line.startswith("[")]
    assert 0 < len(given_lines) < len(lines)
    assert [line for line in lines if line in given_lines] == given_lines
    given_tokens = [clip.tokens for clip in observer.clips if clip.line in given_lines]
    assert call.num_visual_tokens % 16 == 0
    newest = given_tokens[-(call.num_visual_tokens // 16) :]
    assert torch.equal(tokens_of(model.shown[0]), torch.cat(newest))
    room = 300 - 75 - model.count_prompt_tokens(call.context, call.question, call.num_visual_tokens)
    assert 0 <= room < 16 or len(newest) == len(given_tokens)


def test_selected_tokens_are_those_of_the_nearest_clips() -> None:
    """Similarity to the question of the mean selected token, by brute force."""
    settings = replace(SETTINGS, retriever="similarity", retrieval_budget_tokens=13)
    model = TellingModel()
    observer = observed(settings, model)
    asked = Asked("Where is the dog?", "Where is the dog?\nA. here", 40)
    make_method("selected-tokens", settings).answer(model, observer, asked)
    nearest = sorted(nearest_clips(observer, model.embed(asked.question))[:3])
    assert {len(clip.tokens) for clip in observer.clips} == {4}
    assert torch.equal(tokens_of(model.shown[0]), torch.cat([observer.clips[index].tokens for index in nearest]))
    assert model.calls[0].question == asked.wording


@pytest.mark.parametrize("name", ["selected-tokens", "captions-and-tokens"])
@pytest.mark.parametrize("window", [4096, 160])
def test_selected_tokens_lie_as_far_back_as_in_the_stream(name: str, window: int) -> None:
    """Counted from the kept indices of the captions; in a small window the oldest take the farthest free places."""
    settings = replace(SETTINGS, memory_positions="original", retriever="recency", max_answer_tokens=20)
    model = TellingModel(window=window)
    observer = observed(settings, model)
    make_method(name, settings).answer(model, observer, Asked("Where is it?", "Where is it?", 40))
    (visual,) = model.visuals
    assert visual is not None
    assert visual.memory_offsets is not None
    captioned = observer.captions()
    starts = np.cumsum([0, *(caption.num_visual_tokens for caption in captioned)])
    places = [start + kept for start, caption in zip(starts, captioned, strict=False) for kept in caption.kept_indices]
    distances = [int(starts[-1]) - int(place) for place in places][-len(visual.memory) :]
    room = window - 20 - (model.calls[0].num_prompt_tokens - len(visual.memory))
    expected = [min(distance, room - number) for number, distance in enumerate(distances)]
    assert visual.memory_offsets.tolist() == expected
    assert (expected == distances) == (window == 4096)
    assert len(visual.tokens) == 0
    assert visual.token_grid == model.grid
    assert visual.frame_seconds == (0.0, 1.0, 2.0, 3.0)
    make_method(name, SETTINGS).answer(model, observer, Asked("Where is it?", "Where is it?", 40))
    assert model.visuals[1] is not None
    assert model.visuals[1].memory_offsets is None


def test_visual_similarity_ranks_captions_by_tokens() -> None:
    model = TellingModel()
    observer = observed(SETTINGS, model)
    cost = max(clip.num_line_tokens for clip in observer.clips)
    settings = replace(SETTINGS, retriever="similarity", retrieval_budget_tokens=3 * cost)
    orders = []
    for asked in (Asked("Where is the dog?", "Where is the dog?", 40), Asked("Who is it?", "Who is it?", 40)):
        model.calls.clear()
        make_method("visual-similarity", settings).answer(model, observer, asked)
        order, left, chosen = nearest_clips(observer, model.embed(asked.question)), 3 * cost, []
        for index in order:
            if observer.clips[index].num_line_tokens <= left:
                left -= observer.clips[index].num_line_tokens
                chosen.append(index)
        given_lines = [line for line in model.calls[0].context.splitlines() if line.startswith("[")]
        assert given_lines == [observer.clips[index].line for index in sorted(chosen)]
        orders.append(order)
    assert orders[0] != orders[1]


def nearest_clips(observer: LoopObserver, wanted: torch.Tensor) -> list[int]:
    """Clips by the cosine between the question and their mean selected token, the nearest first."""
    likeness = [
        torch.nn.functional.cosine_similarity(clip.tokens.mean(0), wanted, dim=0).item() for clip in observer.clips
    ]
    return sorted(range(len(likeness)), key=lambda index: -likeness[index])


@pytest.mark.parametrize("wanted", [1, 2, 3, 5, 8, 32])
def test_uniform_frames_are_the_nearest_to_even_ones_in_constant_memory(wanted: int) -> None:
    seen = EvenlySeen(wanted)
    image = np.zeros((1, 1, 3), np.uint8)
    held = 0
    for number in range(1200):
        seen.see(Frame(image, number / 2))
        for asked in {wanted, (wanted + 1) // 2}:
            frames = [int(frame.pts_seconds * 2) for frame in seen.evenly(asked)]
            assert len(frames) == min(asked, number + 1)
            assert frames == sorted(set(frames))
            if number < asked or asked == 1:
                assert frames[0] == 0
                continue
            spacing = number / (asked - 1)
            error = max(abs(frame - place * spacing) for place, frame in enumerate(frames))
            assert error <= (0.5 if number < 4 * wanted else spacing / 4)
            assert (frames[0], frames[-1]) == (0, number)
        held = max(held, count_frames(seen))
    assert held <= 4 * wanted + 2


def count_frames(seen: object) -> int:
    """Frames that an object holds in whatever attributes it has."""
    values = vars(seen).values()
    return sum(len(value) if isinstance(value, list) else isinstance(value, Frame) for value in values)


def test_before_the_first_frame_there_are_no_even_frames() -> None:
    assert list(EvenlySeen(3).evenly(3)) == []


def encoded(numbers: Sequence[int]) -> torch.Tensor:
    return FakeModel().encode([picture(number) for number in numbers])


def test_last_frames_shows_the_last_frames() -> None:
    model = TellingModel()
    watch(model, video(PictureSource(40), [2.0, 17.3, math.inf]), {"last": make_method("last-frames", SETTINGS)})
    assert [shown.tolist() for shown in model.shown if shown is not None] == [
        encoded(numbers).tolist() for numbers in ([0, 1], [14, 15, 16, 17], [36, 37, 38, 39])
    ]


def test_uniform_frames_shows_frames_from_first_to_last() -> None:
    model = TellingModel()
    method = make_method("uniform-frames:num_frames=4", SETTINGS)
    watch(model, video(PictureSource(40), [2.0, 10.0, math.inf]), {"even": method})
    assert [shown.tolist() for shown in model.shown if shown is not None] == [
        encoded(numbers).tolist() for numbers in ([0, 1], [0, 3, 6, 9], [0, 12, 24, 39])
    ]


def test_blind_sees_nothing() -> None:
    model = TellingModel()
    watch(model, video(PictureSource(40), [0.0, 17.3, math.inf]), {"blind": make_method("blind", SETTINGS)})
    assert [(call.context, call.num_visual_tokens) for call in model.calls] == [("", 0)] * 3
    assert model.num_encoded == 0


@pytest.mark.parametrize("name", [name for name in LOOP if name != "captions-and-live"])
def test_before_the_first_caption_the_frames_so_far_are_shown_unless_the_paper_is_followed(name: str) -> None:
    for settings in (SETTINGS, replace(SETTINGS, live_at_start=False)):
        model = TellingModel()
        watch(model, video(PictureSource(40), [3.0, 6.0]), {name: make_method(name, settings)})
        early, late = model.shown
        assert torch.equal(tokens_of(early), encoded([0, 1, 2])) if settings.live_at_start else early is None
        assert (late is None) == (name in ("captions", "visual-similarity"))


def test_live_frames_are_those_without_a_caption() -> None:
    model = TellingModel()
    watch(model, video(PictureSource(40), [4.0, 18.5]), {"live": make_method("captions-and-live", SETTINGS)})
    assert model.shown[0] is None
    assert torch.equal(tokens_of(model.shown[1]), encoded([16, 17, 18]))
    assert [call.context.count("\n[") for call in model.calls] == [1, 4]


@dataclass(frozen=True)
class Counting:
    """A method around another one that counts how often watching begins."""

    inner: Any
    begun: list[str]

    @property
    def sample_fps(self) -> float:
        return float(self.inner.sample_fps)

    @property
    def watching(self) -> object:
        return self.inner.watching

    def begin(self, model: VideoModel, sample_fps: float) -> Any:
        self.begun.append(repr(self.inner))
        return self.inner.begin(model, sample_fps)

    def answer(self, model: VideoModel, seen: Any, asked: Asked) -> Reply:
        reply: Reply = self.inner.answer(model, seen, asked)
        return reply


def times_begun(texts: Sequence[str]) -> int:
    begun: list[str] = []
    methods: dict[str, Method[Any]] = {text: Counting(make_method(text, SETTINGS), begun) for text in texts}
    watch(TellingModel(), video(PictureSource(6), [5.0]), methods)
    return len(begun)


ANSWERING = ("retriever=random", "mmr_lambda=0.1", "retrieval_budget_tokens=50", "max_answer_tokens=5", "live=true")
WATCHING = (
    "retention=0.5",
    "selector=uniform",
    "memory_clips=1",
    "memory_tokens=3",
    "score_layers=[1]",
    "score_heads=max",
    "seed=3",
    "memory_policy=merge",
    "memory_positions=original",
    "describe_prompt=What is it?",
    "max_caption_tokens=20",
    "frames_per_clip=3",
    "caption_partial_clip=false",
)


def test_ways_of_answering_share_one_loop() -> None:
    assert times_begun([*LOOP, *(f"captions:{setting}" for setting in ANSWERING)]) == 1


def test_ways_of_watching_do_not() -> None:
    assert times_begun(["captions", *(f"captions:{setting}" for setting in WATCHING)]) == 1 + len(WATCHING)
    assert times_begun(["last-frames:num_frames=2", "last-frames", "uniform-frames", "uniform-frames", "blind"]) == 4
    watched = {make_method(text).watching for text in ("kv-retrieval", "kv-retrieval:window_frames=3")}
    assert len(watched) == 2


def test_answers_do_not_depend_on_who_else_watches() -> None:
    methods = {name: make_method(name, SETTINGS) for name in METHODS if name != "kv-retrieval"}
    watched = video(PictureSource(30), [7.7, 13.0, 29.9, math.inf])
    together = answers(TellingModel(), watched, methods)
    backwards = answers(TellingModel(), watched, dict(reversed(methods.items())))
    assert together == backwards
    for name, method in methods.items():
        assert answers(TellingModel(), watched, {name: method}).items() <= together.items()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("captions", make_method("captions", Settings())),
        ("captions:", make_method("captions")),
        ("captions:retention=0.12", make_method("captions", Settings(retention=0.12))),
        (
            "captions: selector = uniform , retention=1",
            make_method("captions", Settings(selector="uniform", retention=1)),
        ),
        ("captions:score_layers=[2,3],seed=4", make_method("captions", Settings(score_layers=(2, 3), seed=4))),
        ('captions:score_layers="all"', make_method("captions", Settings(score_layers="all"))),
        ("captions:score_layers=all,memory_tokens=null", make_method("captions", Settings(score_layers="all"))),
        ("captions:describe_prompt=Say it: x=1", make_method("captions", Settings(describe_prompt="Say it: x=1"))),
        ("last-frames:num_frames=8", LastFrames(8)),
        ("uniform-frames:num_frames=8,sample_fps=2", UniformFrames(8, Settings(sample_fps=2))),
        ("kv-retrieval:window_frames=0,retrieved_frames=5,seed=1", KeyValueRetrieval(0, 5, Settings(seed=1))),
    ],
)
def test_a_method_from_a_text(text: str, made: object) -> None:
    method = make_method(text)
    assert method == made
    assert type(method) is type(made)
    assert repr(method) == repr(made)


def test_settings_that_a_text_leaves_open() -> None:
    assert make_method("captions:seed=2", SETTINGS) == make_method("captions", replace(SETTINGS, seed=2))
    assert make_method("blind", SETTINGS).sample_fps == 1.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "method must be one of captions, "),
        ("magic", "got 'magic'"),
        ("Captions", "got 'Captions'"),
        ("captions:retention", "name:setting=value"),
        ("captions:,retention=0.1,nonsense", "name:setting=value"),
        (
            "captions:settings=1",
            "the setting 'settings' of captions is unknown; known settings: caption_partial_clip, ",
        ),
        (
            "captions:num_frames=3",
            "the setting 'num_frames' of captions is unknown; known settings: caption_partial_clip, ",
        ),
        ("blind:=3", "the setting '' of blind is unknown; known settings: caption_partial_clip, "),
        ("captions:retention=0", "retention"),
        ("captions:retention=NaN", "retention"),
        ("captions:retention=lots", "retention must be"),
        ("captions:score_layers=[2,", "score_layers"),
        ("captions:memory_clips=1.5", "memory_clips must be a whole number"),
        ('captions:selector={"a":1}', "selector"),
        ("last-frames:num_frames=0", "num_frames must be a whole number of at least 1, got 0"),
        ("last-frames:num_frames=few", "num_frames must be a whole number of at least 1, got 'few'"),
        ("uniform-frames:num_frames=2.5", "num_frames"),
        ("uniform-frames:num_frames=true", "num_frames"),
        ("uniform-frames:num_frames=null", "num_frames"),
        ("kv-retrieval:window_frames=-1", "window_frames"),
        ("kv-retrieval:retrieved_frames=0", "retrieved_frames"),
        ("kv-retrieval:retrieved_frames=[1]", "retrieved_frames"),
    ],
)
def test_what_is_no_method(text: str, says: str) -> None:
    with pytest.raises(SettingError) as raised:
        make_method(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.sampled_from([*METHODS, ""]), st.text("captions:=,[]{}\"'0.1-enull \n", max_size=30))
def test_any_text_is_a_method_or_one_clear_error(name: str, rest: str) -> None:
    with suppress(SettingError):
        assert repr(make_method(name + rest))


@pytest.mark.parametrize("name", METHODS)
def test_the_record_of_a_method_tells_all_its_settings(name: str) -> None:
    texts = [name, f"{name}:seed=1", f"{name}:retention=0.5", f"{name}:max_answer_tokens=9"]
    assert len({repr(make_method(text)) for text in texts}) == 4
    assert len({make_method(text) for text in (texts[0], texts[0])}) == 1


def test_keys_and_values_need_a_model_that_shows_them() -> None:
    with pytest.raises(SettingError, match="kv-retrieval needs a model that exposes keys and values; fake does not"):
        watch(FakeModel(), video(PictureSource(4), [2.0]), {"kv": make_method("kv-retrieval", SETTINGS)})


def test_keys_and_values_of_all_frames_are_the_plain_prompt(random_model: VideoModel) -> None:
    """While all frames fit, an answer is that of the model with all frames before it; more are not shown."""
    method = make_method("kv-retrieval:max_answer_tokens=8", SETTINGS)
    watched = video(PictureSource(12), [5.0, 9.5])
    predictions, captions = watch(random_model, watched, {"kv": method})
    for prediction, num_frames in zip(predictions, (5, 10), strict=True):
        tokens = random_model.encode([picture(number) for number in range(num_frames)])
        asked = watched.questions[num_frames // 10].question
        request = AnswerRequest("", asked, VisualInput(tokens[:0], tokens), max_new_tokens=8)
        assert prediction.answer == "".join(random_model.answer(request)).strip()
        assert prediction.num_prompt_tokens == random_model.count_prompt_tokens("", asked, len(tokens))
    assert captions == []


def test_keys_and_values_are_retrieved_by_the_question_without_its_choices(
    random_model: VideoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, retrieve = [], KeyValueStream.retrieve

    def recorded(stream: KeyValueStream, query: str) -> Retrieved:
        queries.append(query)
        return retrieve(stream, query)

    monkeypatch.setattr(KeyValueStream, "retrieve", recorded)
    asked = replace(question(3.0), choices=("a dog", "a cat"), answer_index=0)
    method = make_method("kv-retrieval:max_answer_tokens=2", SETTINGS)
    watch(random_model, Video("kitchen", PictureSource(4), (asked,)), {"kv": method})
    assert queries == [asked.question]


class TestSharedModel:
    def test_it_gives_what_the_model_alone_gives(self) -> None:
        alone, shared = TellingModel(), SharedModel(TellingModel(), capacity_frames=3)
        pictures = [picture(number) for number in range(8)]
        assert shared.info == alone.info
        for places in ([0, 1, 2], [2, 1], [5], [0, 5, 0, 7], list(range(8)), [7, 7]):
            chosen = [pictures[place] for place in places]
            assert torch.equal(shared.encode(chosen), alone.encode(chosen))
        tokens = alone.encode(pictures[:2])
        request = DescribeRequest("What?", max_new_tokens=20)
        ours = shared.describe(VisualInput(tokens[:3], tokens), request)
        theirs = alone.describe(VisualInput(tokens[:3], tokens), request)
        assert (ours.caption, ours.scores.tolist()) == (theirs.caption, theirs.scores.tolist())
        for visual in (None, VisualInput(tokens[:0], tokens)):
            for _ in range(2):
                where = AnswerRequest("[1]", "Where?", visual, max_new_tokens=9)
                texts = ["".join(model.answer(where)) for model in (shared, alone)]
                assert texts[0] == texts[1]
        assert torch.equal(shared.embed("a dog"), alone.embed("a dog"))
        assert shared.count_tokens("a dog") == alone.count_tokens("a dog")
        assert shared.count_prompt_tokens("[1]", "Where?", 3) == alone.count_prompt_tokens("[1]", "Where?", 3)
        assert shared.max_memory_tokens(5, request) == alone.max_memory_tokens(5, request)

    def test_each_frame_is_encoded_once_for_all_methods(self) -> None:
        model = TellingModel()
        methods = {name: make_method(name, SETTINGS) for name in METHODS if name != "kv-retrieval"}
        watch(model, video(PictureSource(40), [3.5, 17.5, 33.0, math.inf]), methods)
        assert model.num_encoded == 40

    def test_only_the_newest_frames_are_remembered(self) -> None:
        model = TellingModel()
        shared = SharedModel(model, capacity_frames=2)
        pictures = [picture(number) for number in range(3)]
        for place in (0, 1, 0, 2, 0):  # 1 is the one that was not wanted for longest
            shared.encode([pictures[place]])
        assert model.num_encoded == 3
        shared.encode([pictures[1]])
        assert model.num_encoded == 4

    def test_a_picture_at_the_place_of_another_one_in_memory_is_a_new_one(self) -> None:
        shared = SharedModel(TellingModel(), capacity_frames=4)
        for number in range(200):  # arrays are freed at once and their places in memory taken again
            assert torch.equal(shared.encode([picture(number)]), encoded([number]))

    def test_a_prompt_is_put_once_but_not_where_anything_differs(self) -> None:
        model = TellingModel()
        shared = SharedModel(model)
        tokens = encoded([0])
        for _ in range(2):
            for context, asked, length in (("[1]", "a?", 9), ("[2]", "a?", 9), ("[1]", "b?", 9), ("[1]", "a?", 8)):
                request = AnswerRequest(context, asked, max_new_tokens=length)
                assert "".join(shared.answer(request)).startswith(f"{context}|{asked}")
        assert len(model.calls) == 4
        for _ in range(2):
            list(shared.answer(AnswerRequest("[1]", "a?", VisualInput(tokens[:0], tokens), max_new_tokens=9)))
        assert len(model.calls) == 6

    def test_what_was_saved_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A clock that goes on by 8 s for each picture encoded and by 2 s for each answer."""
        now = [0.0]
        monkeypatch.setattr("keepsight.bench.shared_model.time.perf_counter", lambda: now[0])
        monkeypatch.setattr("keepsight.bench.causal.time.perf_counter", lambda: now[0])

        class Slow(TellingModel):
            def encode(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
                now[0] += 8 * len(frames)
                return super().encode(frames)

            def answer(self, request: AnswerRequest) -> Any:
                now[0] += 2
                return super().answer(request)

        methods = {name: make_method("last-frames", SETTINGS) for name in ("first", "second")}
        methods |= {name: make_method("blind", SETTINGS) for name in ("third", "fourth")}
        predictions, _ = watch(Slow(), video(PictureSource(10), [5.0, 6.0]), methods)
        times = [prediction.answer_seconds for prediction in predictions]
        assert times == [4 * 8 + 2] * 4 + [2] * 4
