"""The journal during watching: opening, claiming a stream, enforcing the quota, waiting for locks."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from keepsight.errors import DiskFullError, JournalBusyError
from keepsight.journal import Journal, Quota, StreamRecord, apply_quota
from keepsight.journal.stream_lock import StreamLock

LOCKED = "another program kept the journal locked"
"""Reason of the gap while another program holds the journal's lock."""

_LONG_SECONDS = 1.0
_CLIPS_AFTER = 4
"""Clips whose frames may have been queued since the journal was unlocked."""


class JournalWaits:
    """Distinguishes drops caused by a locked journal from those of a slow model.

    Args:
        journal: journal to write to.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known_seconds = journal.waited_seconds
        self._num_clips_since: int | None = None

    def clip_stored(self) -> None:
        """Note that a clip was stored, after any wait."""
        if self._num_clips_since is not None:
            self._num_clips_since += 1
        self._look()

    def reason_of_drops(self, otherwise: str) -> str:
        """Reason of dropped frames; called once per gap."""
        self._look()
        since, self._num_clips_since = self._num_clips_since, None
        return otherwise if since is None or since > _CLIPS_AFTER else LOCKED

    def _look(self) -> None:
        waited_seconds = self._journal.waited_seconds
        if waited_seconds - self._known_seconds > _LONG_SECONDS:
            self._num_clips_since = 0
        self._known_seconds = waited_seconds


_QUOTA_EVERY_SECONDS = 10.0


class WatchedJournal:
    """A journal with a claim on one of its streams.

    Args:
        journal: its path, or an open journal, which is not closed here; None for a temporary one.
        quota: size limits; None for none.
    """

    def __init__(self, journal: str | PathLike[str] | Journal | None, quota: Quota | None) -> None:
        self._is_owned = not isinstance(journal, Journal)
        self._path = None if journal is None or isinstance(journal, Journal) else Path(journal)
        self._journal = journal if isinstance(journal, Journal) else None
        self._lock: StreamLock | None = None
        self._quota = quota
        self._quota_kept_at = float("-inf")

    def open(self, *, create: bool = False) -> Journal:
        """Return the journal, opening it if needed.

        Args:
            create: create it if missing.

        Raises:
            JournalNotFoundError, JournalError: it does not exist, or cannot be read.
        """
        if self._journal is None:
            if self._path is None:
                self._journal = Journal.temporary()
            else:
                self._journal = Journal.create(self._path) if create else Journal.open(self._path)
        return self._journal

    def claim(self, stream: StreamRecord) -> None:
        """Claim a stream against other watchers, unless nothing is left to watch.

        Raises:
            StreamLockedError: another watcher holds it.
        """
        self.release()
        if not stream.is_finished or stream.is_live:
            self._lock = StreamLock.acquire(self.open().path, stream.id, stream.source)

    def release(self) -> None:
        """Release the claim on the stream."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def keep_quota(self) -> None:
        """Enforce the quota from time to time, never removing what watching needs.

        If the journal cannot be written now, retry next time: the next clip reports the error.
        """
        now = time.monotonic()
        if self._quota is not None and now - self._quota_kept_at > _QUOTA_EVERY_SECONDS:
            with suppress(DiskFullError, JournalBusyError):
                apply_quota(self.open(), self._quota, datetime.now(UTC))
            self._quota_kept_at = now

    def close(self) -> None:
        """Release the stream, and close the journal if it was opened here; it reopens when needed."""
        self.release()
        if self._journal is not None and self._is_owned:
            self._journal.close()
            self._journal = None
