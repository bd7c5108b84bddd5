"""A live source watched into a journal: drops that add up, gaps with their reasons, a disk that is full for a while."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import NOT_WATCHING, TOO_SLOW, LiveSession
from keepsight.engine.live_watch import DISK_FULL, LiveWatch
from keepsight.engine.stream_pipeline import Moment
from keepsight.errors import DiskFullError, SettingError, SourceUnreachableError, VideoError
from keepsight.journal import Journal, StreamRecord
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.settings import Settings
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import LoadSettings
from keepsight.sources.supervision import SourceState, StateChange, SupervisedSource
from keepsight.video import Frame, VideoInfo
from tests.fake_model import FakeModel
from tests.fake_time import Time
from tests.patience import DEADLINE_SECONDS

QUICK = Settings(frames_per_clip=4, sample_fps=1.0, retention=0.25, memory_clips=3, max_caption_tokens=32)


@dataclass
class FakeConnection:
    """Frames one second apart; then the error, or the end."""

    time: Time
    num_frames: int
    end: VideoError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self) -> VideoInfo:
        return VideoInfo(8, 8, None, None, "fake", 0, None, is_live=False)

    @property
    def extent(self) -> None:
        return None

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        for number in range(self.num_frames):
            self.time.seconds += 1
            yield Frame(np.full((8, 8, 3), number % 256, np.uint8), float(number))
        self.done.set()
        if self.end is not None:
            raise self.end

    def cancel(self) -> None:
        self.done.set()

    def close(self) -> None:
        self.done.set()


@dataclass
class GatedModel(FakeModel):
    """Describes nothing before a gate is open."""

    gate: threading.Event = field(default_factory=threading.Event)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        assert self.gate.wait(DEADLINE_SECONDS)
        return super().describe(clip, request)


def begin(journal: Journal, model: FakeModel) -> StreamRecord:
    return find_or_begin(journal, "camera", model, QUICK, is_live=True).stream


def watch(
    journal: Journal,
    model: FakeModel,
    connections: Iterable[FakeConnection],
    time: Time,
    load: LoadSettings | None = None,
) -> tuple[LiveWatch, LiveSession]:
    stream = begin(journal, model)
    session = LiveSession(model, journal, stream, QUICK)
    left = iter(connections)
    clock = LiveClock(stream.started_at.timestamp(), session.resume_seconds)
    source = SupervisedSource(lambda: next(left), QUICK.sample_fps, clock, clocks=time.clocks(), seed=0)
    return LiveWatch(session, source, load or LoadSettings(queue_frames=1000)), session


@pytest.mark.parametrize("policy", list(DropPolicy))
def test_every_frame_is_captioned_or_counted_as_dropped(journal: Journal, policy: DropPolicy) -> None:
    model = GatedModel()
    time = Time(begin(journal, model).started_at.timestamp())
    connection = FakeConnection(time, 101)
    live, _ = watch(journal, model, [connection], time, LoadSettings(queue_frames=8, policy=policy))

    # The model is stuck until the source has sent everything: the queue must not have grown, and nothing is hidden.
    def open_the_gate() -> None:
        connection.done.wait(DEADLINE_SECONDS)
        model.gate.set()

    threading.Thread(target=open_the_gate, daemon=True).start()
    moments = [event for event in live.events() if isinstance(event, Moment)]
    stream = journal.streams.latest()
    assert stream is not None
    clips = list(journal.clips.of(stream.id))
    num_seen = sum(len(clip.frame_seconds) for clip in clips)
    assert num_seen + live.num_dropped == 101
    # At least what may wait, of which thinning halves what is there; at most that and what was taken before.
    assert 4 <= num_seen <= 8 + 2 * QUICK.frames_per_clip
    assert [moment.num_frames_dropped for moment in moments] == [clip.num_frames_dropped for clip in clips]
    in_clips = sum(clip.num_frames_dropped for clip in clips)
    gaps = journal.gaps.of(stream.id)
    assert {gap.reason for gap in gaps} <= {TOO_SLOW}
    # Frames come once a second: what no clip counts is missing in gaps, whose length tells how many.
    in_gaps = sum(gap.span.duration_seconds for gap in gaps)
    assert in_clips + in_gaps == pytest.approx(live.num_dropped, abs=QUICK.frames_per_clip)
    for clip in clips:
        assert clip.num_frames_expected == QUICK.frames_per_clip
        assert len(clip.frame_seconds) + clip.num_frames_dropped <= QUICK.frames_per_clip


def test_a_fast_model_drops_nothing(journal: Journal, fake_model: FakeModel) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    live, _ = watch(journal, fake_model, [FakeConnection(time, 12)], time)
    moments = [event for event in live.events() if isinstance(event, Moment)]
    assert [(m.num_frames, m.num_frames_expected, m.num_frames_dropped) for m in moments] == [(4, 4, 0)] * 3
    assert live.num_dropped == 0


def test_an_interruption_is_a_gap_with_its_reason(journal: Journal, fake_model: FakeModel) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    lost = SourceUnreachableError("the camera is away")
    live, session = watch(journal, fake_model, [FakeConnection(time, 6, lost), FakeConnection(time, 4)], time)
    events = list(live.events())
    assert [event.state for event in events if isinstance(event, StateChange)] == [
        SourceState.CONNECTING,
        SourceState.STREAMING,
        SourceState.OFFLINE,
        SourceState.CONNECTING,
        SourceState.STREAMING,
        SourceState.ENDED,
    ]
    clips = list(journal.clips.of(session.stream.id))
    # What was pending at the loss has a caption of its own; the frames after it are not mixed with those before.
    assert [len(clip.frame_seconds) for clip in clips] == [4, 2, 4]
    (gap,) = journal.gaps.of(session.stream.id)
    assert gap.reason == "the camera is away"
    assert gap.span.start_seconds == clips[1].span.end_seconds
    assert gap.span.end_seconds == clips[2].span.start_seconds > gap.span.start_seconds
    assert [clip.media_start_seconds for clip in clips] == [0, 4, 0]


def test_a_gap_is_on_disk_while_it_lasts(journal: Journal, fake_model: FakeModel) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    lost = SourceUnreachableError("away")
    live, session = watch(journal, fake_model, [FakeConnection(time, 4, lost), FakeConnection(time, 4)], time)
    seen: list[float] = []
    for event in live.events():
        if isinstance(event, StateChange) and event.state is SourceState.OFFLINE:
            with Journal.open(journal.path, read_only=True) as other:
                seen += [gap.span.start_seconds for gap in other.gaps.of(session.stream.id)]
    assert seen == [pytest.approx(5.0)]


def test_the_time_between_two_runs_is_a_gap(journal: Journal, fake_model: FakeModel) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    list(watch(journal, fake_model, [FakeConnection(time, 4)], time)[0].events())
    time.seconds += 3600
    live, session = watch(journal, fake_model, [FakeConnection(time, 4)], time)
    list(live.events())
    assert [stream.id for stream in journal.streams.all()] == [session.stream.id]
    (gap,) = journal.gaps.of(session.stream.id)
    assert gap.reason == NOT_WATCHING
    assert gap.span.duration_seconds == pytest.approx(3600)
    assert [clip.clip_index for clip in journal.clips.of(session.stream.id)] == [0, 1]


def test_a_full_disk_is_waited_out_and_is_a_gap(
    journal: Journal, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    load = LoadSettings(queue_frames=1000, retry_seconds=0.01)
    live, session = watch(journal, fake_model, [FakeConnection(time, 16)], time, load)
    add, begin_gap = type(journal.clips).add, type(journal.gaps).begin
    refused: list[str] = []

    def add_or_refuse(table: Any, clip: Any) -> None:
        if clip.clip_index == 1 and len(refused) == 0:
            refused.append("clip")
            raise DiskFullError("cannot write to the journal: the disk is full")
        add(table, clip)

    def begin_or_refuse(table: Any, *args: Any) -> object:
        if len(refused) < 3:
            refused.append("gap")
            raise DiskFullError("cannot write to the journal: the disk is full")
        return begin_gap(table, *args)

    monkeypatch.setattr(type(journal.clips), "add", add_or_refuse)
    monkeypatch.setattr(type(journal.gaps), "begin", begin_or_refuse)
    events = list(live.events())
    assert refused == ["clip", "gap", "gap"]
    told = [event.reason for event in events if isinstance(event, StateChange) and event.reason]
    assert told == ["cannot write to the journal: the disk is full; the caption of 00:05-00:09 is not stored"]
    clips = list(journal.clips.of(session.stream.id))
    assert [clip.clip_index for clip in clips] == list(range(len(clips)))
    assert [clip.clip_index for clip in clips] == [event.clip_index for event in events if isinstance(event, Moment)]
    assert DISK_FULL in {gap.reason for gap in journal.gaps.of(session.stream.id)}
    # The memory is what an undisturbed stream of these clips would have: one row a clip, all there.
    assert [index for index, _ in journal.memory.of(session.stream.id)] == [clip.clip_index for clip in clips][-3:]


def test_what_is_no_source_at_first_is_raised(journal: Journal, fake_model: FakeModel, tmp_path: Path) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    live, _ = watch(journal, fake_model, [FakeConnection(time, 0, VideoError("no such camera"))], time)
    with pytest.raises(VideoError, match="no such camera"):
        list(live.events())


def test_stopping_from_another_thread_ends_it(journal: Journal, fake_model: FakeModel) -> None:
    time = Time(begin(journal, fake_model).started_at.timestamp())
    lost = SourceUnreachableError("away")
    live, _ = watch(journal, fake_model, (FakeConnection(time, 4, lost) for _ in count()), time)
    events = []
    for event in live.events():
        events.append(event)
        if isinstance(event, Moment):
            threading.Thread(target=live.stop).start()
    assert events[-1].state is SourceState.ENDED  # type: ignore[union-attr]


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(SettingError):
        replace(LoadSettings(), queue_frames=0)
