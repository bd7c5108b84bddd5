"""Run of one active stream: its thread and its state."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import DecoderDiedError, KeepsightError, VideoTooLongError
from keepsight.hub.freed_memory import give_back
from keepsight.hub.observing import Observer
from keepsight.hub.states import UNFORESEEN, state_of
from keepsight.hub.stats import StatsCollector, StreamStats
from keepsight.journal import EndReason, Journal, StreamRecord
from keepsight.sources.address import SourceAddress
from keepsight.sources.supervision import Connection, StateChange
from keepsight.video import Frame

logger = logging.getLogger(__name__)

MOST_RESTARTS, RESTART_SECONDS = 3, 60.0
"""Restart a dead decoder at most this often within this many seconds."""

CLIPS_BETWEEN_TRIMS = 32
"""Return freed memory after this many clips, since a live stream never ends and its allocations vary in size."""

_PATIENCE_SECONDS = 20.0


class StreamRun:
    """Watches a stream in a thread until it ends, fails, or is stopped.

    Args:
        stream: its record.
        source: path or address with credentials, or its parsed address.
        watcher: watcher of this stream alone.
        journal: journal that holds the stream.
        connect: opens the source; None if the watcher reconnects by itself.
        connection: connection that is already open, used first.
        changed: called from the thread on news.
        observer: called on events.
        longest_seconds: limit at which a file is stopped, whatever duration it claims.
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
        self._figures = StatsCollector(stream)
        self._thread = threading.Thread(target=self._work, name=f"keepsight-{stream.id}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to stop; the current clip is its last."""
        return self._unwanted.is_set()

    @property
    def pending_frames(self) -> tuple[Frame, ...]:
        """Frames without a caption yet, in time order."""
        watcher = self._watcher
        return () if watcher is None else watcher.pending_frames

    @property
    def num_waiting(self) -> int:
        """Number of frames queued for the model."""
        watcher = self._watcher
        return 0 if watcher is None else watcher.num_waiting

    @property
    def newest_frame(self) -> Frame | None:
        """Newest frame; see `Watcher.newest_frame`."""
        watcher = self._watcher
        return None if watcher is None else watcher.newest_frame

    def figures(self) -> StreamStats:
        """Current statistics."""
        watcher = self._watcher
        now_seconds = None if watcher is None else watcher.now_seconds
        return self._figures.now(len(self.pending_frames), now_seconds)

    def start(self) -> None:
        self._thread.start()

    def stop(self, detail: str) -> None:
        """Stop at the next token of the current clip, which is discarded; earlier clips are stored. Thread-safe.

        Args:
            detail: end detail to store, `PAUSED` or `SHUT_DOWN`; the first call wins.
        """
        self._end_detail = self._end_detail or detail
        self._unwanted.set()
        if (watcher := self._watcher) is not None:
            watcher.cancel()

    def join(self) -> None:
        """Wait for the thread; cancel a source that blocks on its next frame."""
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive() and self._connection is not None:
            self._connection.cancel()
        self._thread.join()

    def _work(self) -> None:
        watcher = self._watcher
        if watcher is not None:
            self._watch(watcher)
        self._watcher = watcher = None  # frees the visual memory; runs stay referenced while the server lives
        give_back()
        self._end()

    def _watch(self, watcher: Watcher) -> None:
        """Watch until the stream ends, fails, or is stopped; restart a dead decoder a limited number of times."""
        failures: deque[float] = deque()
        while self._watch_once(watcher):
            failures.append(time.monotonic())
            while failures[0] < failures[-1] - RESTART_SECONDS:
                failures.popleft()
            if len(failures) > MOST_RESTARTS or self._unwanted.is_set():
                break
            self._observer.restarted(self.stream, self.reason)

    def _watch_once(self, watcher: Watcher) -> bool:
        """Watch once; return whether the decoder died, so that a restart may help."""
        self.reason = ""
        try:
            if self._connection is None and self._connect is not None:
                self._connection = self._connect()
            events = watcher.events(self.source, connection=self._connection, stream=self.stream)
            with closing(events):
                for event in events:
                    if isinstance(event, SourceNote):
                        continue  # already noted when the stream started
                    self._note(event)
                    if self._unwanted.is_set():
                        break
                    self._check_length(event)
        except KeepsightError as error:
            if not self._unwanted.is_set():
                self.reason = str(error)
            return isinstance(error, DecoderDiedError)
        except BaseException:  # last resort of the thread: one stream's failure must not end the server
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
        raise VideoTooLongError(f"the file is longer than the limit of {hours:g} hours; raise max_file_hours")

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
        """Store why the run ended, unless the watcher did, and take the state from it."""
        try:
            record = self._journal.streams.get(self.stream.id)
            seconds = record.end_seconds or 0.0
            if self._unwanted.is_set() and (record.is_live or not record.is_finished):
                record = self._journal.streams.end(record.id, EndReason.INTERRUPTED, seconds, self._end_detail)
            elif self._is_too_long:
                record = self._journal.streams.end(record.id, EndReason.FAILED, seconds, self.reason)
            self.stream = record
        except KeepsightError as error:
            logger.warning("could not mark stream %s as ended: %s", self.stream.id, error)
        self.state = state_of(self.stream, self.reason)
        self._observer.changed(self.stream, self.state, self.reason or self.stream.end_detail)
        self._changed()
