"""Quotas on size and age: the oldest data goes first, pictures before captions."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from keepsight.errors import SettingError
from keepsight.journal.journal import Journal
from keepsight.journal.storage import StoredClip

_CLIPS_AT_ONCE = 32
"""Clips removed per transaction, so that a watcher never waits long for the lock."""

_PAUSE_SECONDS = 0.005
"""Pause between transactions, since waiters for the lock poll it."""


@dataclass(frozen=True)
class Quota:
    """Limits of a journal. None is no limit.

    Attributes:
        max_bytes: all streams together, as `StorageTable` counts.
        max_file_bytes: pages in use in the journal's file. Freed pages are reused.
        max_age_seconds: age since storing.
        max_stream_bytes: per stream.

    Raises:
        SettingError: a limit is not above 0.
    """

    max_bytes: int | None = None
    max_age_seconds: float | None = None
    max_stream_bytes: int | None = None
    max_file_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not 0 < limit < math.inf:
                raise SettingError(f"{name} must be above 0, or None for no limit, got {limit}")


@dataclass(frozen=True)
class Removed:
    """What a quota removed. Clips are named by stream id and index, in order of removal.

    Attributes:
        memories: ended streams whose visual memory was removed.
        thumbnails: clips whose thumbnail alone was removed.
        clips: removed clips, which may have lost their thumbnail before.
        num_bytes: bytes freed, as `StorageTable` counts.
    """

    memories: tuple[str, ...] = ()
    thumbnails: tuple[tuple[str, int], ...] = ()
    clips: tuple[tuple[str, int], ...] = ()
    num_bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        """Sum of both."""
        return Removed(
            self.memories + other.memories,
            self.thumbnails + other.thumbnails,
            self.clips + other.clips,
            self.num_bytes + other.num_bytes,
        )


def apply_quota(journal: Journal, quota: Quota, now: datetime) -> Removed:
    """Remove what is too old, then what exceeds the limits, per stream and then overall.

    Visual memories of ended files go first, since nothing reads them again; then thumbnails, oldest first; then whole
    clips, oldest first; a captioned clip goes after the still clips that refer to it. Pinned clips stay, and for a
    stream that can resume, the clips in its visual memory and its `KEPT_NEWEST_CLIPS` newest, even if the quota is then
    not met. Transactions are short; removals before a failure persist.

    Args:
        journal: journal, which may be written meanwhile by this or another process.
        quota: the limits.
        now: current time, with time zone.

    Raises:
        JournalWriteError: writing failed.
    """
    removed = Removed()
    for step in _steps(journal, quota, now):
        while (taken := step()) != Removed():
            removed += taken
            time.sleep(_PAUSE_SECONDS)
    return removed


def _steps(journal: Journal, quota: Quota, now: datetime) -> Iterator[Callable[[], Removed]]:
    """Steps to run in order, each repeated until it removes nothing."""
    if quota.max_age_seconds is not None:
        stored_before = now.timestamp() - quota.max_age_seconds
        yield lambda: _remove_old(journal, stored_before)
    if (max_stream_bytes := quota.max_stream_bytes) is not None:
        for stream in journal.streams.all():
            yield lambda stream_id=stream.id: _make_room(journal, max_stream_bytes, stream_id)  # type: ignore[misc]
    if (max_bytes := quota.max_bytes) is not None:
        yield lambda: _make_room(journal, max_bytes, None)
    if quota.max_file_bytes is not None:
        # Computed once: a page is freed only when everything in it is gone, so looking at pages after each step would
        # remove too much.
        beside_bytes = journal.storage.num_file_bytes() - journal.storage.num_bytes()
        content_bytes = max(0, quota.max_file_bytes - beside_bytes)
        yield lambda: _make_room(journal, content_bytes, None)


def _remove_old(journal: Journal, stored_before: float) -> Removed:
    with journal.transaction():
        old = journal.storage.stored_before(stored_before, _CLIPS_AT_ONCE)
        num_bytes = journal.storage.num_bytes()
        journal.storage.remove(old)
        return Removed(clips=_keys(old), num_bytes=num_bytes - journal.storage.num_bytes())


def _make_room(journal: Journal, max_bytes: int, stream_id: str | None) -> Removed:
    """Remove the next batch in one transaction; nothing if there is room, or nothing removable."""
    storage = journal.storage
    with journal.transaction():
        num_bytes = storage.num_bytes(stream_id)
        excess_bytes = num_bytes - max_bytes
        if excess_bytes <= 0:
            return Removed()
        if idle := storage.empty_idle_memory(stream_id):
            return Removed(memories=(idle,), num_bytes=num_bytes - storage.num_bytes(stream_id))
        clips = storage.oldest(_CLIPS_AT_ONCE, stream_id=stream_id, with_thumbnail=True)
        if clips:
            sizes = _enough([clip.num_thumbnail_bytes for clip in clips], excess_bytes)
            storage.empty_thumbnails(clips[: len(sizes)])
            return Removed(thumbnails=_keys(clips[: len(sizes)]), num_bytes=sum(sizes))
        clips = storage.oldest(_CLIPS_AT_ONCE, stream_id=stream_id)
        sizes = _enough([clip.num_bytes for clip in clips], excess_bytes)
        storage.remove(clips[: len(sizes)])
        return Removed(clips=_keys(clips[: len(sizes)]), num_bytes=sum(sizes))


def _enough(sizes: Sequence[int], excess_bytes: int) -> Sequence[int]:
    """Leading sizes that cover the excess, or all."""
    num_short = sum(total < excess_bytes for total in accumulate(sizes))
    return sizes[: num_short + 1]


def _keys(clips: Sequence[StoredClip]) -> tuple[tuple[str, int], ...]:
    return tuple((clip.stream_id, clip.clip_index) for clip in clips)
