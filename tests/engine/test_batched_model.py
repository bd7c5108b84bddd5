"""Many streams over one model: the same captions as alone, nobody passed over, questions first, errors kept apart."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.turns import BatchSettings, Turns, WaitingClip
from keepsight.engine.watcher import Watcher
from keepsight.errors import ModelError, PromptTooLongError, SettingError
from keepsight.journal import Journal
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, VideoModel, VisualInput
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.fake_model import FakeModel
from tests.models.random_model import RandomShape, write_random_model
from tests.patience import DEADLINE_SECONDS, wait_for

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=12)


def clip(name: int, num_tokens: int = 4) -> VisualInput:
    return VisualInput(torch.zeros(0, 12), torch.full((num_tokens, 12), float(name)))


@dataclass
class PassingModel(FakeModel):
    """Needs a number of passes for a batch and writes down what it does in each; a gate may hold it before a pass.

    Attributes:
        passes: of a batch.
        events: `("clips", names)` for each pass of a batch, `("question", text)` for each piece of an answer.
        gate: passes are made while it is set.
    """

    passes: int = 6
    events: list[tuple[str, object]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        names = tuple(int(one.tokens[0, 0]) for one in clips)
        if any(name < 0 for name in names):
            raise PromptTooLongError("too long for a test")
        for _ in range(self.passes):
            self.gate.wait(DEADLINE_SECONDS)
            self.events.append(("clips", names))
            yield
        return [Description(str(name), torch.ones(4), 1) for name in names]

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        raise NotImplementedError

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        for number in range(8):
            self.gate.wait(DEADLINE_SECONDS)
            time.sleep(0.002)  # as long as it takes other threads to put something in between
            self.events.append(("question", request.question))
            yield str(number)


def test_streams_side_by_side_have_the_journals_of_streams_alone(tmp_path: Path) -> None:
    """Streams of different lengths, so that memories differ in length and streams come and go."""
    model = load_model(write_random_model(tmp_path / "model", RandomShape(num_layers=3, grid=4)), device="cpu")
    lengths = [9, 17, 26, 40]

    def frames(stream: int) -> list[Frame]:
        pictures = np.random.default_rng(stream).integers(0, 256, (lengths[stream], 16, 16, 3), dtype=np.uint8)
        return [Frame(picture, number / 2) for number, picture in enumerate(pictures)]

    def watch(shown: VideoModel, path: Path, stream: int) -> None:
        with Watcher(shown, path, QUICK) as watcher:
            session = watcher.begin("camera")
            for frame in frames(stream):
                session.push(frame)
            session.flush()

    for stream in range(4):
        watch(model, tmp_path / f"alone{stream}.db", stream)
    with BatchedModel(model, BatchSettings(max_wait_seconds=0.2)) as shared, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda stream: watch(shared, tmp_path / f"together{stream}.db", stream), range(4)))
        assert max(shared.batch_sizes) > 1
        assert sum(shared.batch_sizes) == sum(-(-length // 4) for length in lengths)
    for stream in range(4):
        with (
            Journal.open(tmp_path / f"alone{stream}.db") as alone,
            Journal.open(tmp_path / f"together{stream}.db") as other,
        ):
            (first,), (second,) = alone.streams.all(), other.streams.all()
            pairs = zip(alone.clips.of(first.id), other.clips.of(second.id), strict=True)
            for expected, found in pairs:
                assert (found.caption, found.num_memory_tokens) == (expected.caption, expected.num_memory_tokens)
                np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-7)
                np.testing.assert_array_equal(found.kept_indices, expected.kept_indices)


def test_a_clip_whose_logits_are_not_finite_fails_alone(tmp_path: Path) -> None:
    model = load_model(write_random_model(tmp_path / "model", RandomShape(num_layers=2)), device="cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 16, 16, 3), dtype=np.uint8)
    tokens = [model.encode(list(part)) for part in pictures]
    tokens[1] = tokens[1] * torch.nan
    clips = [VisualInput(part[:0], part) for part in tokens]
    with (
        BatchedModel(model, BatchSettings(max_wait_seconds=DEADLINE_SECONDS, max_clips=3)) as shared,
        ThreadPoolExecutor(3) as threads,
    ):
        work = [threads.submit(shared.describe, one, DescribeRequest(max_new_tokens=5)) for one in clips]
        with pytest.raises(ModelError, match=r"^logits must be finite, got NaN or infinity in float32"):
            work[1].result()
        for place in (0, 2):
            alone = model.describe(clips[place], DescribeRequest(max_new_tokens=5))
            assert work[place].result().caption == alone.caption
        assert shared.batch_sizes == [3]


@given(st.integers(1, 12), st.integers(1, 5), st.randoms())
def test_no_stream_is_passed_over(num_streams: int, max_clips: int, random: Random) -> None:
    """Streams that have their next clip ready, in any order, as soon as the last one is described."""
    turns = Turns(BatchSettings(max_clips=max_clips))
    names = {}

    def ready(stream: int) -> None:
        turns.clips.append(WaitingClip(clip(stream), DescribeRequest()))
        names[id(turns.clips[-1])] = stream

    for stream in range(num_streams):
        ready(stream)
    batches = []
    for _ in range(20):
        taken = turns.take_batch()
        batches.append([names[id(one)] for one in taken])
        for stream in random.sample(batches[-1], len(batches[-1])):
            ready(stream)
    longest = -(-num_streams // max_clips)
    for stream in range(num_streams):
        numbers = [number for number, batch in enumerate(batches) if stream in batch]
        assert all(later - earlier <= longest for earlier, later in pairwise([-1, *numbers, len(batches)]))
    assert all(len(batch) == min(num_streams, max_clips) for batch in batches)


def test_every_clip_of_every_stream_is_described() -> None:
    model = PassingModel(passes=1)
    start = threading.Barrier(7)

    def watch(stream: int) -> list[str]:
        start.wait()
        return [shared.describe(clip(stream)).caption for _ in range(12)]

    settings = BatchSettings(max_clips=3, max_wait_seconds=0.5)
    with BatchedModel(model, settings) as shared, ThreadPoolExecutor(7) as threads:
        captions = list(threads.map(watch, range(7)))
    assert captions == [[str(stream)] * 12 for stream in range(7)]
    assert max(shared.batch_sizes) == 3


def test_a_clip_alone_waits_no_longer_than_it_may() -> None:
    with BatchedModel(PassingModel(), BatchSettings(max_wait_seconds=0.1)) as shared:
        started = time.monotonic()
        assert shared.describe(clip(5)).caption == "5"  # and comes, though nobody else does
        assert time.monotonic() - started >= 0.1
        assert shared.batch_sizes == [1]


def test_a_full_batch_does_not_wait() -> None:
    with BatchedModel(PassingModel(), BatchSettings(max_clips=2, max_wait_seconds=60)) as shared:
        with ThreadPoolExecutor(2) as threads:
            captions = [done.caption for done in threads.map(lambda name: shared.describe(clip(name)), (1, 2))]
        assert captions == ["1", "2"]


def test_clips_with_other_settings_are_described_apart() -> None:
    model = PassingModel(passes=1)
    with BatchedModel(model, BatchSettings(max_wait_seconds=0.1)) as shared, ThreadPoolExecutor(4) as threads:
        jobs = [(1, 8), (2, 9), (3, 8), (4, 9)]
        list(threads.map(lambda job: shared.describe(clip(job[0]), DescribeRequest(max_new_tokens=job[1])), jobs))
    together = {frozenset(names) for _, names in model.events}  # type: ignore[call-overload]
    assert all(names <= {1, 3} or names <= {2, 4} for names in together)


def test_clips_with_other_recent_captions_are_described_together() -> None:
    requests = [DescribeRequest(recent_captions=(caption,)) for caption in ("a dog", "a cat")]
    with BatchedModel(PassingModel(), BatchSettings(max_clips=2, max_wait_seconds=60)) as shared:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda request: shared.describe(clip(1), request), requests))
        assert shared.batch_sizes == [2]


def test_a_question_overtakes_a_batch_that_is_in_work() -> None:
    model = PassingModel(passes=50)
    settings = BatchSettings(max_wait_seconds=0.0, question_passes=4)
    with BatchedModel(model, settings) as shared, ThreadPoolExecutor(1) as threads:
        model.gate.clear()
        caption = threads.submit(shared.describe, clip(1))
        wait_for(lambda: shared.batch_sizes == [1])
        pieces = shared.answer(AnswerRequest("", "Where?"))
        model.gate.set()
        assert list(pieces) == [str(number) for number in range(8)]
        assert caption.result(DEADLINE_SECONDS).caption == "1"
    kinds = [kind for kind, _ in model.events]
    first, last = kinds.index("question"), len(kinds) - 1 - kinds[::-1].index("question")
    assert kinds[last + 1 :].count("clips") > 40  # the answer was there long before the caption
    assert kinds[first:last].count("clips") == 1  # and the caption went on in between: one pass for four


def test_questions_without_end_do_not_keep_captions_from_beginning() -> None:
    model = PassingModel(passes=3)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            list(shared.answer(AnswerRequest("", "Where?")))

    with BatchedModel(model, BatchSettings(max_wait_seconds=0.0)) as shared:
        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        wait_for(lambda: len(model.events) > 50)
        model.gate.clear()  # nothing goes on until the clip waits, however late its thread is
        with ThreadPoolExecutor(1) as threads:
            caption = threads.submit(shared.describe, clip(1))
            wait_for(lambda: bool(shared._turns.clips))
            before = len(model.events)
            model.gate.set()
            caption.result(DEADLINE_SECONDS)
        kinds = [kind for kind, _ in model.events[before:]]
        stop.set()
        for asker in askers:
            asker.join()
    assert kinds.index("clips") <= 2 * 8  # after what was left of a question, and one that was begun as the clip came
    assert kinds[kinds.index("clips") :].index("question") <= 1  # and then questions go on beside it


def test_questions_asked_together_are_answered_in_one_turn_as_alone(tmp_path: Path) -> None:
    model = load_model(write_random_model(tmp_path / "model", RandomShape(num_layers=3, grid=4)), device="cpu")
    questions = ["Where is the dog?", "Was there a cat in the kitchen?", "What?"]
    alone = ["".join(model.answer(AnswerRequest("a dog", one, max_new_tokens=6))) for one in questions]
    with BatchedModel(model) as shared:
        assert shared.answer_together("a dog", questions, max_new_tokens=6) == alone
        with pytest.raises(PromptTooLongError):
            shared.answer_together("", ["What?", "dog " * model.info.context_window_tokens])
    plain = PassingModel()
    with BatchedModel(plain) as shared:  # a model that can do no more than answer
        assert shared.answer_together("", questions) == ["01234567"] * 3
    assert [text for _, text in plain.events] == [one for one in questions for _ in range(8)]


def test_a_clip_that_cannot_be_described_fails_alone() -> None:
    settings = BatchSettings(max_clips=3, max_wait_seconds=60)
    with BatchedModel(PassingModel(), settings) as shared, ThreadPoolExecutor(3) as threads:
        good, bad, also_good = (threads.submit(shared.describe, clip(name)) for name in (1, -1, 2))
        assert (good.result(DEADLINE_SECONDS).caption, also_good.result(DEADLINE_SECONDS).caption) == ("1", "2")
        with pytest.raises(PromptTooLongError, match="too long for a test"):
            bad.result(DEADLINE_SECONDS)


def test_an_error_in_an_answer_reaches_who_asked_and_nobody_else() -> None:
    class Failing(PassingModel):
        def answer(self, request: AnswerRequest) -> Iterator[str]:
            yield "a"
            raise ModelError("broken for a test")

    with BatchedModel(Failing()) as shared:
        pieces = shared.answer(AnswerRequest("", "Where?"))
        assert next(pieces) == "a"
        with pytest.raises(ModelError, match="broken"):
            next(pieces)
        assert shared.describe(clip(3)).caption == "3"


def test_closing_does_what_waits_and_refuses_what_comes_later() -> None:
    model = PassingModel()
    shared = BatchedModel(model, BatchSettings(max_wait_seconds=60))
    with ThreadPoolExecutor(1) as threads:
        caption = threads.submit(shared.describe, clip(4))
        wait_for(lambda: threading.active_count() > 0 and bool(shared._turns.clips))
        shared.close()
        assert caption.result(DEADLINE_SECONDS).caption == "4"
    with pytest.raises(ModelError, match="closed"):
        shared.describe(clip(5))


@pytest.mark.parametrize("wrong", [{"max_clips": 0}, {"question_passes": 0}, {"max_wait_seconds": -1.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        BatchSettings(**wrong)  # type: ignore[arg-type]
