"""One live source and its stream: a separate thread reads frames, this one yields moments.

The reading thread never waits for the model, except with pushed frames that come faster than real time: it then reads
no more until the queue has room, which slows the sender down.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Self

from keepsight.engine.live_session import LiveSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_journal import LOCKED
from keepsight.errors import DiskFullError, JournalBusyError
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.frame_queue import FrameQueue, Queued
from keepsight.sources.live_clock import LiveClock, PushedClock
from keepsight.sources.settings import LoadSettings, SourceSettings
from keepsight.sources.supervision import (
    Clocks,
    ClockStep,
    Connection,
    SourceState,
    StateChange,
    SupervisedSource,
)
from keepsight.spans import format_clock
from keepsight.video import Frame

DISK_FULL = "there was no room to write the journal"
"""Reason of the gap while the disk or the journal's quota is full."""

_SILENT_STATES = frozenset({SourceState.STALLED, SourceState.OFFLINE})


class LiveWatch:
    """Feeds a supervised source into a live session.

    Args:
        session: session that captions and stores.
        source: source of frames and state changes.
        load: policy if the session is slower than the source.
    """

    def __init__(self, session: LiveSession, source: SupervisedSource, load: LoadSettings | None = None) -> None:
        self._session = session
        self._source = source
        self._load = load or LoadSettings()
        self._queue: FrameQueue[Frame | StateChange | ClockStep] = FrameQueue(
            self._load.queue_frames, self._load.policy
        )
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._newest: Frame | None = None
        self._state = SourceState.CONNECTING
        self._num_dropped_before = 0  # frames dropped before events that the session does not handle

    @classmethod
    def begin(
        cls, session: LiveSession, address: SourceAddress, connect: Callable[[], Connection], settings: SourceSettings
    ) -> Self:
        """Begin a run of a session: stream times follow the steady clock from here.

        Args:
            session: session that captions and stores.
            address: address of the source.
            connect: opens a connection to it.
            settings: how the source is read.
        """
        clocks, supervision, sample_fps = Clocks(), settings.supervision, session.settings.sample_fps
        is_pushed = address.kind is SourceKind.PUSHED
        run = session.begin_run(clocks.wall(), may_lead=is_pushed)
        silence = supervision.stall_seconds + 1 / sample_fps
        zero_at = clocks.steady() - run.seconds
        clock = (
            PushedClock(zero_at, run.seconds, longest_silence_seconds=silence, step_seconds=1 / sample_fps)
            if is_pushed
            else LiveClock(zero_at, run.seconds, longest_silence_seconds=silence)
        )
        source = SupervisedSource(
            connect,
            sample_fps,
            clock,
            supervision,
            may_end=address.may_end,
            comes_back=not address.is_stdin,
            clocks=clocks,
        )
        return cls(session, source, settings.load)

    @property
    def now_seconds(self) -> float:
        """Current stream time."""
        return self._source.now_seconds

    @property
    def num_dropped(self) -> int:
        """Number of frames dropped so far."""
        return self._queue.num_dropped

    @property
    def num_waiting(self) -> int:
        """Number of frames waiting for the model."""
        return len(self._queue)

    @property
    def newest_frame(self) -> Frame | None:
        """Newest frame, whether processed, waiting or dropped; None before the first."""
        return self._newest

    def stop(self) -> None:
        """Stop reading; pending frames are captioned. Thread-safe."""
        self._stop.set()
        self._queue.stop_waiting()
        self._source.stop()

    def events(self) -> Generator[Moment | StateChange, None, None]:
        """Yield moments and state changes until the source ends or `stop` is called.

        Raises:
            VideoError: the first connection failed (see `SupervisedSource.events`).
            JournalWriteError: the journal cannot be written for a reason other than space.
        """
        reader = threading.Thread(target=self._read, name="keepsight-source", daemon=True)
        reader.start()
        try:
            while (queued := self._queue.get()) is not None:
                yield from self._take(queued)
            if self._failure is not None:
                raise self._failure
        finally:
            self.stop()
            self._queue.close()
            reader.join()

    def _read(self) -> None:
        try:
            with closing(self._source.events()) as events:
                for event in events:
                    if isinstance(event, Frame):
                        self._newest = event
                        self._queue.put(event, waits=self._source.can_wait(self._load.queue_frames))
                    else:
                        self._queue.put_note(event)
        except BaseException as error:  # noqa: BLE001 - raised in the consumer's thread
            self._failure = error
        finally:
            self._queue.close()

    def _take(self, queued: Queued[Frame | StateChange | ClockStep]) -> Generator[Moment | StateChange, None, None]:
        event = queued.item
        try:
            moment = self._pass_on(event, queued.num_dropped_before)
        except (DiskFullError, JournalBusyError) as error:
            if (moment := self._session.take_stored()) is not None:
                yield moment
            yield from self._wait_for_journal(error)
            moment = None
        if moment is not None:
            yield moment
        if isinstance(event, StateChange):
            self._state = event.state
            yield event
        elif isinstance(event, ClockStep):
            yield StateChange(self._state, event.at_seconds, _step_line(event))

    def _pass_on(self, event: Frame | StateChange | ClockStep, num_dropped_before: int) -> Moment | None:
        num_dropped = self._num_dropped_before + num_dropped_before
        self._num_dropped_before = 0
        if isinstance(event, Frame):
            return self._session.push(event, num_dropped)
        if isinstance(event, StateChange) and event.state in _SILENT_STATES:
            return self._session.interrupt(event.at_seconds, event.reason, num_dropped)
        if isinstance(event, StateChange) and event.state is SourceState.ENDED:
            return self._session.finish(event.at_seconds, num_dropped)
        self._num_dropped_before = num_dropped
        if isinstance(event, ClockStep):
            self._session.set_clock(event.by_seconds)
        return None

    def _wait_for_journal(self, error: DiskFullError | JournalBusyError) -> Generator[StateChange, None, None]:
        """Report a full disk or locked journal once, and retry; frames are dropped meanwhile.

        Raises:
            DiskFullError, JournalBusyError: the problem lasts until `stop`.
        """
        yield StateChange(self._source.state, self._source.now_seconds, str(error))
        reason = DISK_FULL if isinstance(error, DiskFullError) else LOCKED
        while True:
            if self._stop.wait(self._load.retry_seconds):
                raise error
            try:
                self._session.recover(self._source.now_seconds, reason)
            except (DiskFullError, JournalBusyError) as same:
                error = same
                continue
            self._queue.give_up_frames()
            return


def _step_line(step: ClockStep) -> str:
    direction = "forward" if step.by_seconds > 0 else "back"
    return f"the system clock was set {direction} by {format_clock(abs(step.by_seconds))}; no span is moved by it"
