"""Streams that are left in the middle of a clip: what is stored stays, the rest is seen on resuming."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.engine.batched_model import BatchedModel
from keepsight.engine.turns import BatchSettings
from keepsight.engine.watch_together import WatchTogether
from keepsight.engine.watcher import Watcher
from keepsight.errors import WorkCancelledError
from keepsight.journal import EndReason, Journal
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, VisualInput
from keepsight.models.cancellation import CancellableModel, Cancellation, check_cancelled
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.patience import wait_for

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
TOKENS_A_CAPTION = 1000

MakeVideo = Callable[..., Path]


@dataclass
class SlowModel(FakeModel):
    """Says captions of many tokens, and stands still at one of them until it is let go.

    Attributes:
        stands_at: number of the token, from the model's first one on, at which it stands; None for nowhere.
        num_tokens: made so far.
        standing: set while it stands.
        go: lets it go.
    """

    stands_at: int | None = None
    num_tokens: int = 0
    standing: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def _make_token(self) -> None:
        check_cancelled()
        self.num_tokens += 1
        if self.num_tokens == self.stands_at:
            self.standing.set()
            assert self.go.wait(60)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        for _ in range(TOKENS_A_CAPTION):
            self._make_token()
        return super().describe(clip, request)

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        for _ in range(TOKENS_A_CAPTION):
            self._make_token()
            yield
        return [super(SlowModel, self).describe(clip, request) for clip in clips]

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        raise NotImplementedError


def captions(journal: Journal) -> list[tuple[int, float, str]]:
    return [
        (clip.clip_index, clip.span.start_seconds, clip.caption)
        for stream in journal.streams.all()
        for clip in journal.clips.of(stream.id)
    ]


def test_a_watch_that_is_cancelled_in_a_clip_keeps_those_before(tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(12)
    with Watcher(FakeModel(), tmp_path / "whole.db", QUICK) as watcher:
        list(watcher.watch(video))
    model = SlowModel(stands_at=2 * TOKENS_A_CAPTION + 7)

    def cancel() -> None:
        assert model.standing.wait(60)
        left.cancel()
        model.go.set()

    with Watcher(model, tmp_path / "left.db", QUICK) as left:
        threading.Thread(target=cancel).start()
        with pytest.raises(WorkCancelledError):
            list(left.watch(video))
        assert model.num_tokens == 2 * TOKENS_A_CAPTION + 7  # none after it
    with Journal.open(tmp_path / "left.db") as journal:
        (stream,) = journal.streams.all()
        assert stream.end_reason is EndReason.INTERRUPTED
        assert [index for index, _, _ in captions(journal)] == [0, 1]
    with Watcher(FakeModel(), tmp_path / "left.db", QUICK) as watcher:
        list(watcher.watch(video))
    with Journal.open(tmp_path / "whole.db") as whole, Journal.open(tmp_path / "left.db") as resumed:
        assert captions(whole) == captions(resumed)


def test_a_watch_that_is_left_does_not_wait_for_the_next_clip_to_be_encoded(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    class SlowEncoding(FakeModel):
        encoded = 0

        def encode(self, frames: Sequence[Any]) -> Any:
            self.encoded += 1
            while self.encoded > 1:  # that of the second clip never comes to an end
                check_cancelled()
            return super().encode(frames)

    with (
        Watcher(SlowEncoding(), tmp_path / "a.db", QUICK) as watcher,
        closing(watcher.watch(make_video(12))) as moments,
    ):
        next(moments)
        assert watcher.stream is not None
    with Journal.open(tmp_path / "a.db") as journal:
        assert journal.streams.all()[0].end_reason is EndReason.INTERRUPTED
        assert len(captions(journal)) == 1


def test_sources_side_by_side_are_left_at_the_next_token(tmp_path: Path, make_video: MakeVideo) -> None:
    videos = [str(make_video(12)), str(make_video(11))]
    model = SlowModel(stands_at=TOKENS_A_CAPTION + 7)
    with Journal.create(tmp_path / "a.db") as journal:
        together = WatchTogether(model, journal, QUICK)
        with closing(together.events(videos)) as events:
            next(events)
            assert model.standing.wait(60)
            # Left as by a signal: it goes on once the threads were told.
            threading.Timer(0.5, model.go.set).start()
        # One token may have been begun before the threads were told.
        assert model.num_tokens <= TOKENS_A_CAPTION + 8
        assert {stream.end_reason for stream in journal.streams.all()} == {EndReason.INTERRUPTED}
        assert len(captions(journal)) >= 1


def clip_of(number: int) -> VisualInput:
    return VisualInput(torch.zeros(0, 12), torch.full((4, 12), float(number)))


def test_one_of_a_batch_is_left_and_the_other_described() -> None:
    model = SlowModel(stands_at=7)
    alone = FakeModel().describe(clip_of(2))
    cancellations = [Cancellation(), Cancellation()]
    with BatchedModel(model, BatchSettings(max_clips=2, max_wait_seconds=60)) as shared, ThreadPoolExecutor(2) as pool:
        shown = [CancellableModel(shared, one) for one in cancellations]
        first, second = (pool.submit(shown[number].describe, clip_of(number + 1)) for number in range(2))
        assert model.standing.wait(60)
        cancellations[0].cancel()
        with pytest.raises(WorkCancelledError):
            first.result(60)  # while the batch still stands
        model.go.set()
        assert second.result(60).caption == alone.caption
        assert model.num_tokens == TOKENS_A_CAPTION
        assert shared.batch_sizes == [2]


def test_a_batch_that_nobody_wants_ends() -> None:
    model = SlowModel(stands_at=7)
    cancellations = [Cancellation(), Cancellation()]
    with BatchedModel(model, BatchSettings(max_clips=2, max_wait_seconds=60)) as shared, ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(CancellableModel(shared, one).describe, clip_of(number))
            for number, one in enumerate(cancellations)
        ]
        assert model.standing.wait(60)
        for one in cancellations:
            one.cancel()
        model.go.set()
        for future in futures:
            with pytest.raises(WorkCancelledError):
                future.result(60)
    assert model.num_tokens == 7


def test_a_clip_that_waits_is_left_before_its_turn() -> None:
    model, cancellation = SlowModel(stands_at=7), Cancellation()
    with BatchedModel(model, BatchSettings(max_clips=1, max_wait_seconds=0)) as shared, ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.describe, clip_of(1))
        assert model.standing.wait(60)
        second = pool.submit(CancellableModel(shared, cancellation).describe, clip_of(2))
        wait_for(lambda: shared.num_waiting == 1)
        cancellation.cancel()
        with pytest.raises(WorkCancelledError):
            second.result(60)
        assert shared.num_waiting == 0
        model.go.set()
        first.result(60)
    assert model.num_tokens == TOKENS_A_CAPTION


def test_a_shared_model_that_is_cancelled_leaves_all() -> None:
    model = SlowModel(stands_at=7)
    with BatchedModel(model) as shared, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shared.describe, clip_of(1))
        assert model.standing.wait(60)
        shared.cancel()
        model.go.set()
        with pytest.raises(WorkCancelledError):
            waiting.result(60)
    assert model.num_tokens == 7


@dataclass
class EndlessModel(SlowModel):
    """Makes tokens for ever, and never looks whether they are wanted, as a model of a plug-in may."""

    def _make_token(self) -> None:
        self.num_tokens += 1
        if self.num_tokens == 7:
            self.standing.set()

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        while True:
            self._make_token()
            yield

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        while True:
            self._make_token()
            yield "and "


def test_a_model_that_does_not_look_is_left_between_passes() -> None:
    model = EndlessModel()
    with BatchedModel(model) as shared, ThreadPoolExecutor(1) as pool:
        captioned = pool.submit(shared.describe, clip_of(1))
        assert model.standing.wait(60)
        shared.cancel()
        with pytest.raises(WorkCancelledError):
            captioned.result(60)
    model = EndlessModel()
    with BatchedModel(model) as shared, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(lambda: "".join(shared.answer(AnswerRequest("", "Where?"))))
        assert model.standing.wait(60)
        shared.cancel()
        with pytest.raises(WorkCancelledError):
            answered.result(60)
