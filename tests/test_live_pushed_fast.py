"""Frames that a program pushes faster than real time: all described, at their own distances; every drop is counted."""

import threading
import time as real_time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import NOT_WATCHING, TOO_SLOW, LiveSession
from keepsight.engine.live_watch import LiveWatch
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watcher import Watcher
from keepsight.errors import SourceUnreachableError, VideoError
from keepsight.journal import Journal
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.settings import Settings
from keepsight.sources.frame_queue import DropPolicy, FrameQueue
from keepsight.sources.live_clock import PushedClock
from keepsight.sources.messages import write_frame
from keepsight.sources.readers.pushed import PushedReader
from keepsight.sources.settings import LoadSettings, SourceSettings
from keepsight.sources.supervision import SourceState, StateChange, SupervisedSource
from keepsight.video import Frame, VideoInfo
from tests.fake_model import FakeModel
from tests.fake_time import Time
from tests.patience import DEADLINE_SECONDS

ONE_FPS = Settings(sample_fps=1.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
QUICK_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None
PICTURE = np.zeros((8, 8, 3), np.uint8)


@dataclass
class SlowModel(FakeModel):
    """Takes a while for each clip, or until a gate opens."""

    seconds: float = 0.02
    gate: threading.Event | None = None

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        real_time.sleep(self.seconds)
        assert self.gate is None or self.gate.wait(DEADLINE_SECONDS)
        return super().describe(clip, request)


def pushed_at_once(num_frames: int, fps: float = 1.0) -> PushedReader:
    file = BytesIO()
    for number in range(num_frames):
        write_frame(file, Frame(np.full((8, 8, 3), number % 256, np.uint8), number / fps))
    file.write(b'{"type": "end"}\n')
    file.seek(0)
    return PushedReader(file)


@dataclass
class Pushed:
    """A connection to a program that pushes: what it pushes, and at which times of the test's clock."""

    reader: PushedReader
    end: VideoError | None = None
    time: Time | None = None
    seconds_a_frame: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    extent = None

    @property
    def info(self) -> VideoInfo:
        return self.reader.info

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        for frame in self.reader.sampled_frames(sample_fps):
            if self.time is not None:
                self.time.seconds += self.seconds_a_frame
            yield frame
        if self.end is not None:
            raise self.end

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.reader.close()


def watcher_of(
    journal: Journal,
    model: FakeModel,
    *connections: Pushed,
    load: LoadSettings | None = None,
    settings: Settings = ONE_FPS,
) -> Watcher:
    left = iter(connections)
    sources = SourceSettings(load=load or LoadSettings())
    return Watcher(model, journal, settings, sources, open_source=lambda address, settings: next(left))


def address_of() -> str:
    return "unix:/nowhere/frames"


@pytest.mark.parametrize("policy", list(DropPolicy))
def test_frames_pushed_at_once_are_all_described_at_their_distances(journal: Journal, policy: DropPolicy) -> None:
    watcher = watcher_of(journal, SlowModel(), Pushed(pushed_at_once(300)), load=LoadSettings(policy=policy))
    moments = list(watcher.watch(address_of()))
    first = moments[0].span.start_seconds
    assert first < DEADLINE_SECONDS
    assert [moment.num_frames for moment in moments] == [16] * 18 + [12]
    assert [moment.span.start_seconds - first for moment in moments] == pytest.approx([16 * k for k in range(19)])
    assert [one.span.end_seconds for one in moments] == pytest.approx([first + min(16 * k, 300) for k in range(1, 20)])
    assert sum(moment.num_frames_dropped for moment in moments) == 0
    assert watcher.stream is not None
    assert journal.gaps.of(watcher.stream.id) == []
    assert watcher.stream.is_finished


def test_a_model_slower_than_real_time_describes_all_that_is_pushed_at_once(journal: Journal) -> None:
    """A clip lasts 0.16 s and takes 0.3 s: the program is held back, and its frames are not late for it."""
    settings = replace(ONE_FPS, sample_fps=100.0)
    watcher = watcher_of(journal, SlowModel(seconds=0.3), Pushed(pushed_at_once(160, 100.0)), settings=settings)
    moments = list(watcher.watch(address_of()))
    first = moments[0].span.start_seconds
    assert [moment.span.start_seconds - first for moment in moments] == pytest.approx([0.16 * k for k in range(10)])
    assert [(moment.num_frames, moment.num_frames_dropped) for moment in moments] == [(16, 0)] * 10


def test_a_stream_pushed_ahead_goes_on_behind_what_it_reached(journal: Journal) -> None:
    """The wall clock is behind what is stored then, but nobody has set it."""
    moments: list[Moment] = []
    for _ in range(2):
        moments += watcher_of(journal, FakeModel(), Pushed(pushed_at_once(64))).watch(address_of())
    (stream,) = journal.streams.all()
    assert [moment.num_frames for moment in moments] == [16] * 8
    assert all(before.span.end_seconds <= after.span.start_seconds for before, after in pairwise(moments))
    assert {gap.reason for gap in journal.gaps.of(stream.id)} == {NOT_WATCHING}


def test_a_program_that_is_lost_after_it_ran_ahead_goes_on_behind_what_it_reached(journal: Journal) -> None:
    connections = [Pushed(pushed_at_once(40), SourceUnreachableError("it died")), Pushed(pushed_at_once(20))]
    moments = list(watcher_of(journal, FakeModel(), *connections).watch(address_of()))
    assert [moment.num_frames for moment in moments] == [16, 16, 8, 16, 4]
    assert all(before.span.end_seconds <= after.span.start_seconds for before, after in pairwise(moments))


def live_watch(
    journal: Journal, model: FakeModel, connection: Pushed, time: Time, load: LoadSettings
) -> tuple[LiveWatch, LiveSession]:
    stream = find_or_begin(journal, "frames", model, ONE_FPS, is_live=True).stream
    session = LiveSession(model, journal, stream, ONE_FPS)
    clock = PushedClock(time.seconds, step_seconds=1.0)
    source = SupervisedSource(lambda: connection, 1.0, clock, may_end=True, clocks=time.clocks(), seed=0)
    return LiveWatch(session, source, load), session


def test_a_program_in_real_time_is_not_held_back(journal: Journal) -> None:
    time, gate = Time(1000.0), threading.Event()
    connection = Pushed(pushed_at_once(120), time=time, seconds_a_frame=1.0)
    live, _ = live_watch(journal, SlowModel(gate=gate), connection, time, LoadSettings())

    def open_gate() -> None:
        deadline = real_time.monotonic() + DEADLINE_SECONDS
        while time.seconds < 1120 and real_time.monotonic() < deadline:
            real_time.sleep(0.01)
        gate.set()

    threading.Thread(target=open_gate, daemon=True).start()
    moments = [event for event in live.events() if isinstance(event, Moment)]
    assert live.num_dropped > 0
    assert sum(moment.num_frames for moment in moments) + live.num_dropped == 120


def test_stopping_ends_a_wait_for_room_at_once(journal: Journal) -> None:
    gate = threading.Event()
    time = Time(1000.0)
    live, _ = live_watch(journal, SlowModel(gate=gate), Pushed(pushed_at_once(200)), time, LoadSettings())
    events: list[object] = []
    watching = threading.Thread(target=lambda: events.extend(live.events()))
    watching.start()
    deadline = real_time.monotonic() + DEADLINE_SECONDS
    while live.num_waiting < 32 and real_time.monotonic() < deadline:
        real_time.sleep(0.01)
    (reader,) = [thread for thread in threading.enumerate() if thread.name == "keepsight-source"]
    assert live.num_dropped == 0
    live.stop()
    reader.join(DEADLINE_SECONDS)
    assert not reader.is_alive()  # though the model has taken nothing
    gate.set()
    watching.join(DEADLINE_SECONDS)
    assert isinstance(events[-1], StateChange)
    assert events[-1].state is SourceState.ENDED


def test_closing_a_queue_ends_a_wait_for_room() -> None:
    queue: FrameQueue[int] = FrameQueue(1, DropPolicy.DROP_OLDEST)
    queue.put(0)
    putting = threading.Thread(target=lambda: queue.put(1, waits=True))
    putting.start()
    putting.join(0.05)
    assert putting.is_alive()
    queue.close()
    putting.join(DEADLINE_SECONDS)
    assert not putting.is_alive()
    assert queue.num_dropped == 0


def drops(*steps: float) -> st.SearchStrategy[list[tuple[float, int]]]:
    """Frames: seconds after the one before, and how many were dropped between."""
    return st.lists(st.tuples(st.sampled_from(steps), st.integers(0, 40)), min_size=1, max_size=40)


@settings(max_examples=40)
@example(steps=[(0.0, 1), (0.0, 14)], late=14)
@given(steps=drops(0.0, 0.01) | drops(0.0, 0.5, 1.0, 7.0), late=st.integers(0, 20))
def test_dropped_frames_are_counted_whatever_their_times(steps: list[tuple[float, int]], late: int) -> None:
    """Each is in a clip's count, or there is a gap that says so where it is missing."""
    with TemporaryDirectory(dir=QUICK_DISK) as folder, Journal.create(Path(folder) / "j.db") as journal:
        stream = find_or_begin(journal, "frames", FakeModel(), ONE_FPS, is_live=True).stream
        session = LiveSession(FakeModel(), journal, stream, ONE_FPS)
        seconds = 0.0
        for step, num_dropped in steps:
            seconds += step
            session.push(Frame(PICTURE, seconds), num_dropped)
        session.finish(seconds, late)
        counted = sum(clip.num_frames_dropped for clip in journal.clips.of(stream.id))
        gaps = journal.gaps.of(stream.id)
        num_dropped = late + sum(dropped for _, dropped in steps)
        assert {gap.reason for gap in gaps} <= {TOO_SLOW}
        assert counted <= num_dropped
        if not gaps:
            assert counted == num_dropped


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500), st.booleans()), max_size=50))
def test_the_time_of_pushed_frames_never_runs_back(steps: list[tuple[float, float, bool]]) -> None:
    clock, latest = PushedClock(1000.0, step_seconds=1.0), 0.0
    for media_seconds, arrival, is_new in steps:
        if is_new:
            clock.connected()
        placed = clock.place(media_seconds, 1000.0 + arrival)
        assert placed >= latest
        assert clock.now(1000.0 + arrival) >= placed
        assert clock.lead_seconds >= 0
        latest = placed


def test_time_for_which_a_program_was_held_back_makes_no_frame_late() -> None:
    clock = PushedClock(1000.0)
    placed = []
    for number in range(100):
        placed.append(clock.place(float(number), 1000.0 + 3 * number))
        clock.held_back(3.0)
    assert placed == list(range(100))
    assert clock.lead_seconds > 5
    # A silence of its own is real: what comes after it stands where it arrives.
    assert clock.place(100.0, 1000.0 + 7200) == 7200


@pytest.mark.parametrize(("pace", "is_ahead"), [(0.98, False), (1.0, False), (1.08, False), (1.5, True), (20.0, True)])
def test_a_program_that_waited_for_its_start_is_in_real_time_afterwards(pace: float, is_ahead: bool) -> None:
    """What it had to keep back comes at once; its frames keep their distances, but it is not made to wait for good."""
    clock = PushedClock(1000.0)
    placed = [clock.place(float(number), 1000.0) for number in range(21)]
    assert clock.lead_seconds == 20
    placed += [clock.place(20 + number * 0.5 * pace, 1000.0 + number * 0.5) for number in range(1, 41)]
    assert placed[20:] == pytest.approx([20 + number * 0.5 * pace for number in range(41)])
    assert (clock.lead_seconds > 5) == is_ahead
    assert clock.lead_seconds > 5 or clock.lead_seconds < 1


def test_a_stream_that_ends_has_no_picture_after_its_end() -> None:
    def times(num_frames: int, fps: float, sample_fps: float) -> list[float]:
        return [frame.pts_seconds for frame in pushed_at_once(num_frames, fps).sampled_frames(sample_fps)]

    assert times(16, 4.0, 0.5) == [0, 2]  # 4.0 s
    assert times(17, 4.0, 0.5) == [0, 2, 4]
    assert times(4, 1.0, 1.0) == [0, 1, 2, 3]
    assert times(2, 0.5, 1.0) == [0, 1, 2]  # what a slower program shows last stays for an instant
    assert times(1, 1.0, 0.5) == [0]
