"""One live source and one stream: frames from a thread that never waits for the model, moments from this one."""

import threading
from collections.abc import Generator
from contextlib import closing

from keepsight.errors import DiskFullError
from keepsight.sources.frame_queue import FrameQueue, Queued
from keepsight.sources.settings import LoadSettings
from keepsight.sources.supervision import SourceState, StateChange, SupervisedSource
from keepsight.video import Frame
from keepsight.watching.live_session import LiveSession
from keepsight.watching.stream_state import Moment

DISK_FULL = "there was no room to write the journal"
"""Reason of the gap while the disk or the journal's quota is full."""

_SILENT_STATES = frozenset({SourceState.STALLED, SourceState.OFFLINE})


class LiveWatch:
    """Watches a supervised source into a live session.

    Args:
        session: describes and stores.
        source: gives frames and changes of state.
        load: what happens when the session is slower.
    """

    def __init__(self, session: LiveSession, source: SupervisedSource, load: LoadSettings | None = None) -> None:
        self._session = session
        self._source = source
        self._load = load or LoadSettings()
        self._queue: FrameQueue[Frame | StateChange] = FrameQueue(self._load.queue_frames, self._load.policy)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._newest: Frame | None = None

    @property
    def num_dropped(self) -> int:
        """Frames given up so far."""
        return self._queue.num_dropped

    @property
    def num_waiting(self) -> int:
        """Frames that wait for the model."""
        return len(self._queue)

    @property
    def newest_frame(self) -> Frame | None:
        """The frame that came last, whether it was taken, waits, or was given up; None before the first."""
        return self._newest

    def stop(self) -> None:
        """From any thread: take no more frames; what is pending is captioned."""
        self._stop.set()
        self._source.stop()

    def events(self) -> Generator[Moment | StateChange, None, None]:
        """Moments and changes of state as they come, until the source ends or `stop` is called.

        Raises:
            VideoError: there was nothing to be had at the first connection: see `SupervisedSource.events`.
            JournalWriteError: the journal cannot be written, and not for want of room.
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
                    if isinstance(event, StateChange):
                        self._queue.put_note(event)
                    else:
                        self._newest = event
                        self._queue.put(event)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that takes the moments
            self._failure = error
        finally:
            self._queue.close()

    def _take(self, queued: Queued[Frame | StateChange]) -> Generator[Moment | StateChange, None, None]:
        event = queued.item
        try:
            if isinstance(event, Frame):
                moment = self._session.push(event, queued.num_dropped_before)
            elif event.state in _SILENT_STATES:
                moment = self._session.interrupt(event.at_seconds, event.reason, queued.num_dropped_before)
            elif event.state is SourceState.ENDED:
                moment = self._session.finish(event.at_seconds, queued.num_dropped_before)
            else:
                moment = None
        except DiskFullError as error:
            yield from self._wait_for_room(error)
            moment = None
        if moment is not None:
            yield moment
        if isinstance(event, StateChange):
            yield event

    def _wait_for_room(self, error: DiskFullError) -> Generator[StateChange, None, None]:
        """On a full disk: say so once, and try again until there is room; frames are dropped meanwhile."""
        yield StateChange(self._source.state, self._source.now_seconds, str(error))
        while not self._stop.wait(self._load.retry_seconds):
            try:
                self._session.recover(self._source.now_seconds, DISK_FULL)
            except DiskFullError:
                continue
            return
