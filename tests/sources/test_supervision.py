"""A live source that is lost and found again: states, waits, times and what ends it, on a clock of the test's own."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from keepsight.errors import NotAVideoError, SourceStalledError, SourceUnreachableError, VideoError
from keepsight.sources.backoff import Backoff
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import SupervisionSettings
from keepsight.sources.supervision import ClockStep, SourceState, StateChange, SupervisedSource
from keepsight.video import Frame, VideoInfo
from tests.fake_time import Time

STARTED_AT = 1_700_000_000.0
IMAGE = np.zeros((2, 2, 3), np.uint8)
UNREACHABLE, STALLED = SourceUnreachableError("no answer"), SourceStalledError("no picture for 20 s")


@dataclass
class FakeConnection:
    """Frames one second apart, then an error or an end."""

    time: Time
    num_frames: int
    end: VideoError | None = None
    is_live: bool = True
    is_closed: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self) -> VideoInfo:
        return VideoInfo(2, 2, None, None, "fake", 0, None, is_live=self.is_live)

    @property
    def extent(self) -> None:
        return None

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        assert silence_seconds == 20 + 1 / sample_fps
        for number in range(self.num_frames):
            self.time.seconds += 1
            yield Frame(IMAGE, float(number))
        if self.end is not None:
            raise self.end

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.is_closed = True


def events_of(
    connections: Sequence[FakeConnection | VideoError], time: Time
) -> tuple[list[Frame | StateChange | ClockStep], SupervisedSource]:
    """All events of a source whose connections come in turn; a plain end of the last one ends it."""
    left = iter(connections)

    def connect() -> FakeConnection:
        one = next(left)
        if isinstance(one, VideoError):
            raise one
        return one

    settings = SupervisionSettings(backoff=Backoff(1.0, 60.0))
    source = SupervisedSource(connect, 1.0, LiveClock(STARTED_AT), settings, clocks=time.clocks(), seed=1)
    return list(source.events()), source


def states(events: Sequence[Frame | StateChange | ClockStep]) -> list[str]:
    """The states that are entered, with `frame` for each frame and `clock` where the wall clock was set."""
    names = {Frame: "frame", ClockStep: "clock"}
    return [event.state.value if isinstance(event, StateChange) else names[type(event)] for event in events]


def test_a_lost_source_is_found_again_and_every_change_is_told() -> None:
    time = Time(STARTED_AT)
    connections: list[FakeConnection | VideoError] = [
        FakeConnection(time, 2, UNREACHABLE),
        UNREACHABLE,
        FakeConnection(time, 1, STALLED),
        FakeConnection(time, 1),  # ended by the other side
        FakeConnection(time, 1, is_live=False),
    ]
    events, _ = events_of(connections, time)
    assert states(events) == [
        *("connecting", "streaming", "frame", "frame", "offline"),
        *("connecting", "offline"),
        *("connecting", "streaming", "frame", "stalled"),
        *("connecting", "streaming", "frame", "offline"),
        *("connecting", "streaming", "frame", "ended"),
    ]
    reasons = [event.reason for event in events if isinstance(event, StateChange) and event.reason]
    assert reasons == ["no answer", "no answer", "no picture for 20 s", "the source closed the connection"]
    assert all(one.is_closed for one in connections if isinstance(one, FakeConnection))


def test_frames_stand_on_the_wall_clock_and_keep_their_own_time_too() -> None:
    time = Time(STARTED_AT)
    events, _ = events_of([FakeConnection(time, 2, UNREACHABLE), FakeConnection(time, 2, is_live=False)], time)
    frames = [event for event in events if isinstance(event, Frame)]
    (wait,) = time.waits
    assert [frame.pts_seconds for frame in frames] == pytest.approx([1, 2, 3 + wait, 4 + wait])
    assert [frame.media_seconds for frame in frames] == [0, 1, 0, 1]


def test_waits_double_up_to_the_longest_and_start_again_after_a_frame() -> None:
    time = Time(STARTED_AT)
    events_of(
        [*[UNREACHABLE] * 9, FakeConnection(time, 1, UNREACHABLE), UNREACHABLE, FakeConnection(time, 0, is_live=False)],
        time,
    )
    whole = [1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 2]
    assert len(time.waits) == len(whole)
    for wait, most in zip(time.waits, whole, strict=True):
        assert most / 2 <= wait <= most


def test_what_is_no_video_at_first_is_an_error_and_later_waited_out() -> None:
    time = Time(STARTED_AT)
    with pytest.raises(NotAVideoError, match="nonsense"):
        events_of([UNREACHABLE, NotAVideoError("nonsense")], time)
    events, _ = events_of(
        [FakeConnection(time, 1, UNREACHABLE), NotAVideoError("half up"), FakeConnection(time, 1, is_live=False)], time
    )
    assert states(events)[-4:] == ["connecting", "streaming", "frame", "ended"]


def test_what_cannot_be_connected_to_again_ends_with_its_reason() -> None:
    time = Time(STARTED_AT)
    connection = FakeConnection(time, 2, UNREACHABLE)
    source = SupervisedSource(lambda: connection, 1.0, LiveClock(STARTED_AT), clocks=time.clocks(), comes_back=False)
    events: list[Frame | StateChange | ClockStep] = []
    with pytest.raises(SourceUnreachableError, match=str(UNREACHABLE)):
        events.extend(source.events())  # a list that is extended keeps what came before an error
    assert states(events) == ["connecting", "streaming", "frame", "frame", "offline", "ended"]
    assert not time.waits


def test_what_cannot_come_back_and_gave_nothing_is_an_error_at_once() -> None:
    time = Time(STARTED_AT)
    connection = FakeConnection(time, 0, UNREACHABLE)
    source = SupervisedSource(lambda: connection, 1.0, LiveClock(STARTED_AT), clocks=time.clocks(), comes_back=False)
    events: list[Frame | StateChange | ClockStep] = []
    with pytest.raises(SourceUnreachableError):
        events.extend(source.events())
    assert states(events) == ["connecting"]


def test_a_program_that_says_it_is_done_is_not_waited_for() -> None:
    time = Time(STARTED_AT)
    connection = FakeConnection(time, 1)
    source = SupervisedSource(lambda: connection, 1.0, LiveClock(STARTED_AT), clocks=time.clocks(), may_end=True)
    assert states(list(source.events())) == ["connecting", "streaming", "frame", "ended"]


def test_stopping_ends_a_wait_and_a_connection() -> None:
    time = Time(STARTED_AT)
    connection = FakeConnection(time, 3, VideoError("killed"))
    source = SupervisedSource(lambda: connection, 1.0, LiveClock(STARTED_AT), clocks=time.clocks())
    seen = []
    for event in source.events():
        seen.append(event)
        if isinstance(event, Frame):
            source.stop()
    assert connection.cancelled.is_set()
    assert connection.is_closed
    assert isinstance(seen[-1], StateChange)
    assert seen[-1] == StateChange(SourceState.ENDED, seen[-1].at_seconds)
    assert not time.waits
