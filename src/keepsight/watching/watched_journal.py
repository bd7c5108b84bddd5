"""The journal of a watcher: opened when it is needed, with the stream that is watched claimed, and its quota kept."""

import time
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from keepsight.journal import Journal, Quota, StreamRecord, apply_quota
from keepsight.journal.stream_lock import StreamLock

_QUOTA_EVERY_SECONDS = 10.0


class WatchedJournal:
    """A journal, and the claim on one of its streams.

    Args:
        journal: its path, or one that is open already, which is never closed here.
        quota: how much it may hold; no limit if None.
    """

    def __init__(self, journal: str | PathLike[str] | Journal, quota: Quota | None) -> None:
        self._is_owned = not isinstance(journal, Journal)
        self._path = journal.path if isinstance(journal, Journal) else Path(journal)
        self._journal = journal if isinstance(journal, Journal) else None
        self._lock: StreamLock | None = None
        self._quota = quota
        self._quota_kept_at = float("-inf")

    def open(self, *, create: bool = False) -> Journal:
        """The journal, opened if it is not.

        Args:
            create: make it if it is missing.

        Raises:
            JournalNotFoundError, JournalError: there is none, or not one that can be read.
        """
        if self._journal is None:
            self._journal = Journal.create(self._path) if create else Journal.open(self._path)
        return self._journal

    def claim(self, stream: StreamRecord) -> None:
        """Keep other watchers from a stream, if there is anything left of it to be watched.

        Raises:
            StreamLockedError: another watcher has it.
        """
        self.release()
        if not stream.is_finished or stream.is_live:
            self._lock = StreamLock.acquire(self.open().path, stream.id, stream.source)

    def release(self) -> None:
        """Let other watchers have the stream."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def keep_quota(self) -> None:
        """Remove what is too much, now and then; what is removed is on no account what watching needs."""
        now = time.monotonic()
        if self._quota is not None and now - self._quota_kept_at > _QUOTA_EVERY_SECONDS:
            apply_quota(self.open(), self._quota, datetime.now(UTC))
            self._quota_kept_at = now

    def close(self) -> None:
        """Let go of the stream, and close the journal if it was opened here; it is opened again when needed."""
        self.release()
        if self._journal is not None and self._is_owned:
            self._journal.close()
            self._journal = None
