"""Live streams while the system's clock is set: spans keep their distances, wall times are right, gaps are written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import CLOCK_SET_BACK, NOT_WATCHING, LiveSession
from keepsight.engine.live_watch import LiveWatch
from keepsight.journal import Journal, StreamRecord
from keepsight.settings import Settings
from keepsight.sources.live_clock import LiveClock
from keepsight.sources.settings import LoadSettings
from keepsight.sources.supervision import SourceState, StateChange, SupervisedSource
from keepsight.spans import Span
from keepsight.video import Frame, VideoInfo
from tests.fake_model import FakeModel
from tests.fake_time import Time

QUICK = Settings(frames_per_clip=4, sample_fps=1.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
IMAGE = np.zeros((8, 8, 3), np.uint8)
BEGAN = 1_790_000_000.0
HOUR = 3600.0


@dataclass
class Camera:
    """Frames one second apart; before some of them the wall clock is set, or the machine is suspended.

    Attributes:
        time: the clocks.
        num_frames: how many.
        wall_steps: seconds by which the wall clock is set, by the frame's number.
        suspensions: seconds that pass unseen, by the frame's number. Its own clock stands still meanwhile.
    """

    time: Time
    num_frames: int
    wall_steps: dict[int, float]
    suspensions: dict[int, float]

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
            self.time.seconds += 1 + self.suspensions.get(number, 0.0)
            self.time.wall_ahead += self.wall_steps.get(number, 0.0)
            yield Frame(IMAGE, float(number))

    def cancel(self) -> None:
        return

    def close(self) -> None:
        return


def watch(
    journal: Journal,
    time: Time,
    num_frames: int,
    wall_steps: dict[int, float] | None = None,
    suspensions: dict[int, float] | None = None,
) -> tuple[list[StateChange], StreamRecord]:
    """One run, put together as `Watcher` does; the changes of state it told, and the stream."""
    model = FakeModel()
    wall = time.seconds + time.wall_ahead
    stream = find_or_begin(journal, "camera", model, QUICK, is_live=True, started_at=wall).stream
    session = LiveSession(model, journal, stream, QUICK)
    run = session.begin_run(wall)
    clock = LiveClock(time.seconds - run.seconds, run.seconds, longest_silence_seconds=21.0)
    camera = Camera(time, num_frames, wall_steps or {}, suspensions or {})
    source = SupervisedSource(lambda: camera, QUICK.sample_fps, clock, clocks=time.clocks(), seed=0)
    live = LiveWatch(session, source, LoadSettings(queue_frames=1000))
    changes = [event for event in live.events() if isinstance(event, StateChange)]
    return changes, journal.streams.get(stream.id)


def spans(journal: Journal, stream: StreamRecord) -> list[Span]:
    return [clip.span for clip in journal.clips.of(stream.id)]


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, 23), st.floats(-5 * HOUR, 5 * HOUR).filter(lambda s: abs(s) > 3), max_size=4))
def test_no_span_is_moved_by_a_clock_that_is_set(
    tmp_path_factory: pytest.TempPathFactory, steps: dict[int, float]
) -> None:
    with Journal.create(tmp_path_factory.mktemp("stepped") / "journal.db") as journal:
        time = Time(BEGAN)
        changes, stream = watch(journal, time, 24, steps)
        assert spans(journal, stream) == [Span(1.0 + k, 5.0 + k) for k in range(0, 24, 4)]
        assert journal.gaps.of(stream.id) == []
        said = [change.reason for change in changes if change.reason]
        assert len(said) == len(steps)
        assert all("no span is moved" in reason for reason in said)
        assert {change.state for change in changes if change.reason} <= {SourceState.CONNECTING, SourceState.STREAMING}
        # One offset a run, and the last reading of the wall clock is what it shows.
        now = stream.wall_time(time.seconds - BEGAN)
        assert now.timestamp() == pytest.approx(time.seconds + time.wall_ahead, abs=1e-3)
        assert stream.seconds_at(now) == pytest.approx(time.seconds - BEGAN, abs=1e-3)


@pytest.mark.parametrize("step", [-2 * HOUR, 3 * HOUR])
def test_runs_keep_their_own_wall_clock(journal: Journal, step: float) -> None:
    """The clock is set in the second of three runs; the first one's times stand for what they did."""
    time = Time(BEGAN)
    watch(journal, time, 8)
    time.seconds += HOUR
    watch(journal, time, 8, {3: step})
    time.seconds += HOUR
    _, stream = watch(journal, time, 8)
    starts = [1, 5, *(8 + HOUR + k for k in (1, 5)), *(16 + 2 * HOUR + k for k in (1, 5))]
    assert [span.start_seconds for span in spans(journal, stream)] == pytest.approx(starts)
    assert [gap.reason for gap in journal.gaps.of(stream.id)] == [NOT_WATCHING] * 2
    assert [gap.span.duration_seconds for gap in journal.gaps.of(stream.id)] == pytest.approx([HOUR, HOUR])
    walls = [stream.wall_time(start).timestamp() - BEGAN for start in starts]
    assert walls == pytest.approx(starts[:2] + [start + step for start in starts[2:]], abs=1e-3)


def test_a_clock_that_is_set_back_between_runs_is_a_gap_and_no_standstill(journal: Journal) -> None:
    time = Time(BEGAN)
    watch(journal, time, 8)
    time.seconds += 60
    time.wall_ahead -= 2 * HOUR
    _, stream = watch(journal, time, 8)
    assert spans(journal, stream) == [Span(1, 5), Span(5, 9), Span(11, 15), Span(15, 19)]
    (gap,) = journal.gaps.of(stream.id)
    assert gap.span == Span(9, 11)
    assert gap.reason == CLOCK_SET_BACK.format(behind="1:59:01")
    assert stream.wall_time(11).timestamp() == pytest.approx(BEGAN + 8 + 60 - 2 * HOUR + 1)
    # The third run is placed by the second one's clock.
    time.seconds += 60
    _, stream = watch(journal, time, 4)
    assert spans(journal, stream)[-1].start_seconds == pytest.approx(79)


def test_a_moment_that_a_clock_showed_twice_is_the_last_one(journal: Journal) -> None:
    time = Time(BEGAN)
    watch(journal, time, 8)
    time.wall_ahead -= 6.0 + 60
    _, stream = watch(journal, time, 40)
    begins = stream.wall_clocks[0].from_seconds
    seen = stream.wall_time(begins + 20)
    assert stream.seconds_at(seen) == pytest.approx(begins + 20)
    assert stream.seconds_at(stream.started_at - timedelta(seconds=9000)) < 0


def test_a_suspended_machine_is_a_gap(journal: Journal) -> None:
    time = Time(BEGAN)
    changes, stream = watch(journal, time, 12, suspensions={6: HOUR})
    assert [span.start_seconds for span in spans(journal, stream)] == [1, 5, 7 + HOUR, 11 + HOUR]
    (gap,) = journal.gaps.of(stream.id)
    assert gap.span == Span(7, 7 + HOUR)
    assert gap.reason == "no frame for 1:00:01: the source or this machine was suspended"
    assert [change.state for change in changes] == [
        SourceState.CONNECTING,
        SourceState.STREAMING,
        SourceState.STALLED,
        SourceState.STREAMING,
        SourceState.ENDED,
    ]


def test_clocks_of_a_stream_go_with_it(journal: Journal) -> None:
    time = Time(BEGAN)
    watch(journal, time, 8)
    time.wall_ahead -= HOUR
    _, stream = watch(journal, time, 8)
    assert len(stream.wall_clocks) == 1
    assert journal.streams.all() == [stream]
    journal.streams.remove(stream.id)
    begun = journal.streams.begin("camera", "fake", "{}", is_live=True)
    assert begun.wall_clocks == ()
