"""How much a journal may hold, and for how long: the oldest goes first, pictures before words."""

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
"""Clips that one transaction removes at most, so that a watcher never waits long for its turn to write."""

_PAUSE_SECONDS = 0.005
"""Between transactions: whoever waits for the lock does not see that it is free while it sleeps."""


@dataclass(frozen=True)
class Quota:
    """How much may be kept. None is no limit.

    Attributes:
        max_bytes: of all streams together, as `StorageTable` counts.
        max_file_bytes: of the journal's file: pages in use, whatever is in them. Freed pages are used again.
        max_age_seconds: time since a clip was stored.
        max_stream_bytes: of each stream.

    Raises:
        SettingError: a limit is not more than 0.
    """

    max_bytes: int | None = None
    max_age_seconds: float | None = None
    max_stream_bytes: int | None = None
    max_file_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is not None and not 0 < limit < math.inf:
                raise SettingError(f"{name} is {limit}; allowed is more than 0, or None for no limit")


@dataclass(frozen=True)
class Removed:
    """What a quota has taken away. Clips are named by stream id and clip index, in the order in which they went.

    Attributes:
        memories: streams that were watched to their end and have lost their visual memory.
        thumbnails: clips that have lost their thumbnail and nothing else.
        clips: clips that are gone. One may have lost its thumbnail before.
        num_bytes: that there are less, as `StorageTable` counts.
    """

    memories: tuple[str, ...] = ()
    thumbnails: tuple[tuple[str, int], ...] = ()
    clips: tuple[tuple[str, int], ...] = ()
    num_bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        """What both have taken."""
        return Removed(
            self.memories + other.memories,
            self.thumbnails + other.thumbnails,
            self.clips + other.clips,
            self.num_bytes + other.num_bytes,
        )


def apply_quota(journal: Journal, quota: Quota, now: datetime) -> Removed:
    """Remove what is too old, then what is too much, of each stream and then of all.

    Of what is too much, the visual memories of files that were watched to their end go first, as nothing reads them
    again; then thumbnails, oldest first; only when there is none left whole clips, oldest first. Pinned clips stay, and
    of a stream that can go on those that its visual memory holds and its `KEPT_NEWEST_CLIPS` newest, also where the
    quota is not met then. Each transaction is short; whatever has been removed when one fails is gone.

    Args:
        journal: may be watched into meanwhile, from here or from another process.
        quota: what may be kept.
        now: with time zone.

    Raises:
        JournalWriteError: the disk refused.
    """
    removed = Removed()
    for step in _steps(journal, quota, now):
        while (taken := step()) != Removed():
            removed += taken
            time.sleep(_PAUSE_SECONDS)
    return removed


def _steps(journal: Journal, quota: Quota, now: datetime) -> Iterator[Callable[[], Removed]]:
    """What is to be repeated until it removes nothing, one after another."""
    if quota.max_age_seconds is not None:
        stored_before = now.timestamp() - quota.max_age_seconds
        yield lambda: _remove_old(journal, stored_before)
    if (max_stream_bytes := quota.max_stream_bytes) is not None:
        for stream in journal.streams.all():
            yield lambda stream_id=stream.id: _make_room(journal, max_stream_bytes, stream_id)  # type: ignore[misc]
    if (max_bytes := quota.max_bytes) is not None:
        yield lambda: _make_room(journal, max_bytes, None)
    if quota.max_file_bytes is not None:
        # Reckoned once: a page is given back only when all that was in it is gone, so looking at pages again after
        # every step would take away more than is needed.
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
    """Take away what is next, in one transaction; nothing if there is room, or nothing that may go."""
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
    """As many of the first sizes as make up for the excess, or all."""
    num_short = sum(total < excess_bytes for total in accumulate(sizes))
    return sizes[: num_short + 1]


def _keys(clips: Sequence[StoredClip]) -> tuple[tuple[str, int], ...]:
    return tuple((clip.stream_id, clip.clip_index) for clip in clips)
