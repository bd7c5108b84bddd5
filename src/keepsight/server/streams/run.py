"""One stream being watched: a thread of its own, and what state it is in."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing

from keepsight.errors import DecoderDiedError, KeepsightError, VideoTooLongError
from keepsight.journal import EndReason, Journal, StreamRecord
from keepsight.server.failures import UNFORESEEN
from keepsight.server.freed_memory import give_back
from keepsight.server.streams.figures import Figures, KeptFigures
from keepsight.server.streams.states import state_of
from keepsight.server.telemetry.observing import Observer
from keepsight.sources.address import SourceAddress
from keepsight.sources.supervision import Connection, StateChange
from keepsight.video import Frame
from keepsight.watcher import Watcher
from keepsight.watching.stream_state import Moment

logger = logging.getLogger(__name__)

MOST_RESTARTS, RESTART_SECONDS = 3, 60.0
"""A decoder that dies is started anew so many times in so many seconds."""

CLIPS_BETWEEN_TRIMS = 32
"""Freed memory is given back after so many clips: a live stream may never end, and its pieces are of many sizes."""

_PATIENCE_SECONDS = 20.0


class StreamRun:
    """Watches a stream in a thread until it ends, fails, or is stopped.

    Args:
        stream: its record.
        source: path or address with credentials, or what one means.
        watcher: of this stream alone.
        journal: holds it.
        connect: opens the source; None where the watcher does so itself, again and again.
        connection: one that is open already, used first.
        changed: called from the thread when there is something new.
        observer: is told what happens.
        longest_seconds: a file that goes on for longer is left, whatever it said of its length.
    """

    def __init__(
        self,
        stream: StreamRecord,
        source: str | SourceAddress,
        watcher: Watcher,
        journal: Journal,
        connect: Callable[[], Connection] | None,
        connection: Connection | None,
        changed: Callable[[], None],
        observer: Observer | None = None,
        longest_seconds: float = math.inf,
    ) -> None:
        self.stream = stream
        self.source = source
        self._watcher: Watcher | None = watcher
        self.state = "connecting" if connection is None else "watching"
        self.reason = ""
        self._journal = journal
        self._connect = connect
        self._connection = connection
        self._changed = changed
        self._observer = observer or Observer()
        self._longest_seconds = longest_seconds
        self._is_too_long = False
        self._unwanted = threading.Event()
        self._end_detail = ""
        self._figures = KeptFigures(stream)
        self._thread = threading.Thread(target=self._work, name=f"keepsight-{stream.id}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the stream is being watched, or about to be left."""
        return self._thread.is_alive()

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames that have no caption yet, in time order."""
        watcher = self._watcher
        return () if watcher is None else watcher.pending_frames

    @property
    def num_waiting(self) -> int:
        """Frames that wait for the model."""
        watcher = self._watcher
        return 0 if watcher is None else watcher.num_waiting

    @property
    def newest_frame(self) -> Frame | None:
        """The frame that came last; see `Watcher.newest_frame`."""
        watcher = self._watcher
        return None if watcher is None else watcher.newest_frame

    def figures(self) -> Figures:
        """How it goes."""
        return self._figures.now(num_frames_pending=len(self.pending_frames))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, detail: str) -> None:
        """From any thread: end after the clip in work. Live sources caption what is pending.

        Args:
            detail: what the journal says of it: `PAUSED` or `SHUT_DOWN`. Where it is stopped twice the first counts.
        """
        self._end_detail = self._end_detail or detail
        self._unwanted.set()
        if (watcher := self._watcher) is not None:
            watcher.stop()

    def join(self) -> None:
        """Wait for the end. A source that keeps it waiting for a picture is cut off."""
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive() and self._connection is not None:
            self._connection.cancel()
        self._thread.join()

    def _work(self) -> None:
        watcher = self._watcher
        if watcher is not None:
            self._watch(watcher)
        self._watcher = watcher = None  # it holds the visual memory, and a server remembers its runs while it lives
        give_back()
        self._end()

    def _watch(self, watcher: Watcher) -> None:
        """Watch until it ends, fails, or is stopped; again where the decoder died, if it has not died too often."""
        failures: deque[float] = deque()
        while self._watch_once(watcher):
            failures.append(time.monotonic())
            while failures[0] < failures[-1] - RESTART_SECONDS:
                failures.popleft()
            if len(failures) > MOST_RESTARTS or self._unwanted.is_set():
                break
            self._observer.restarted(self.stream, self.reason)

    def _watch_once(self, watcher: Watcher) -> bool:
        """Watch; whether the decoder died, so that trying again may help."""
        self.reason = ""
        try:
            if self._connection is None and self._connect is not None:
                self._connection = self._connect()
            events = watcher.events(self.source, connection=self._connection)
            with closing(events):
                for event in events:
                    self._note(event)
                    if self._unwanted.is_set():
                        break
                    self._check_length(event)
        except KeepsightError as error:
            if not self._unwanted.is_set():
                self.reason = str(error)
            return isinstance(error, DecoderDiedError)
        except BaseException:  # the thread's last resort: one stream's failure is not the server's
            self.reason = UNFORESEEN
            logger.exception("stream %s failed", self.stream.id)
        finally:
            self._connection = None
        return False

    def _check_length(self, event: Moment | StateChange) -> None:
        if self.stream.is_live or not isinstance(event, Moment) or event.span.end_seconds <= self._longest_seconds:
            return
        self._is_too_long = True
        hours = self._longest_seconds / 3600
        raise VideoTooLongError(f"it goes on for more than {hours:g} hours, the most that is watched of a file")

    def _note(self, event: Moment | StateChange) -> None:
        self._figures.note(event)
        if isinstance(event, Moment):
            if (event.clip_index + 1) % CLIPS_BETWEEN_TRIMS == 0:
                give_back()
            self._observer.watched(self.stream, event)
            if not self.stream.is_live:
                self.state, self.reason = "watching", ""
        else:
            self.state, self.reason = event.state.value, event.reason
            self._observer.changed(self.stream, self.state, self.reason)
        self._changed()

    def _end(self) -> None:
        """Write down why it ended, where the watcher could not know, and take the state from there."""
        try:
            record = self._journal.streams.get(self.stream.id)
            seconds = record.end_seconds or 0.0
            if self._unwanted.is_set() and (record.is_live or not record.is_finished):
                record = self._journal.streams.end(record.id, EndReason.INTERRUPTED, seconds, self._end_detail)
            elif self._is_too_long:
                record = self._journal.streams.end(record.id, EndReason.FAILED, seconds, self.reason)
            self.stream = record
        except KeepsightError as error:
            logger.warning("stream %s: its end could not be marked: %s", self.stream.id, error)
        self.state = state_of(self.stream, self.reason)
        self._observer.changed(self.stream, self.state, self.reason or self.stream.end_detail)
        self._changed()
