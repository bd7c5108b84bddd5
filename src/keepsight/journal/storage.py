"""Sizes of a journal's rows, and which rows may be removed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from keepsight.journal.database import Database
from keepsight.journal.records import EndReason

KEPT_NEWEST_CLIPS = 8
"""Newest clips of a stream that are never removed, nor are as many with a caption, from which the next is drafted."""

_IS_OVER = f"is_live = 0 AND end_reason IN ('{EndReason.COMPLETE}', '{EndReason.TRUNCATED}')"
"""A stream that never resumes: a file that was watched to its end."""

# Oldest first means order of storing. Clips in visual memory are read when a stream resumes. The index is named because
# SQLite's own choice would scan all clips that have nothing left to remove.
_REMOVABLE = f"""
SELECT id, stream_id, clip_index, num_bytes, length(thumbnail) AS num_thumbnail_bytes FROM clips {{index}}
WHERE pinned = 0 {{conditions}}
    AND (
        (SELECT {_IS_OVER} FROM streams WHERE streams.id = clips.stream_id)
        OR clip_index < (SELECT next_clip_index FROM streams WHERE streams.id = clips.stream_id) - {KEPT_NEWEST_CLIPS}
        AND (num_visual_tokens = 0 OR clip_index < (
            SELECT newest.clip_index FROM clips AS newest INDEXED BY captioned_clips
            WHERE newest.stream_id = clips.stream_id AND newest.num_visual_tokens > 0
            ORDER BY newest.clip_index DESC LIMIT 1 OFFSET {KEPT_NEWEST_CLIPS - 1}
        ))
        AND NOT EXISTS (
            SELECT * FROM memory WHERE memory.stream_id = clips.stream_id AND memory.clip_index = clips.clip_index
        )
    )
ORDER BY {{order}} LIMIT :limit
"""
# A still clip is read with the captioned clip that it continues. Still clips refer to the newest captioned clip before
# them, so the first one kept after a clip tells whether any refers to it.
_WITHOUT_STILL_CLIPS = """
AND clip_index IS NOT (
    SELECT still.still_since FROM still_clips AS still
    WHERE still.stream_id = clips.stream_id AND still.clip_index > clips.clip_index ORDER BY still.clip_index LIMIT 1
)
"""
_INDICES = {
    # (of one stream, with thumbnail)
    (False, False): "NOT INDEXED",
    (True, False): "INDEXED BY clips_by_stream",
    (False, True): "INDEXED BY thumbnails_by_age",
    (True, True): "INDEXED BY thumbnails_by_stream",
}


@dataclass(frozen=True)
class StoredClip:
    """A clip that may be removed.

    Attributes:
        id: row id, increasing in order of storing.
        stream_id, clip_index: the clip.
        num_bytes: its size, see `StorageTable`.
        num_thumbnail_bytes: size of its thumbnail.
    """

    id: int
    stream_id: str
    clip_index: int
    num_bytes: int
    num_thumbnail_bytes: int


class StorageTable:
    """Bytes used, and the clips that can be removed to free them.

    A stream's bytes are those of its clips (the caption in UTF-8, frame times, kept indices, embedding, scores,
    thumbnail) and of its visual memory's rows, as stored. Numbers, indices, the full-text index, gaps, questions with
    answers, the picture that still clips are compared with, and SQLite's page overhead are not counted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def num_bytes(self, stream_id: str | None = None) -> int:
        """Bytes of a stream, or of all; counted on write, so reading is cheap."""
        (row,) = self._database.read(
            "SELECT coalesce(sum(num_bytes), 0) FROM streams WHERE ? IN (id, '')", (stream_id or "",)
        )
        return int(row[0])

    def num_thumbnail_bytes(self, stream_id: str) -> int:
        """Bytes of a stream's thumbnails; reads the length of each."""
        (row,) = self._database.read(
            "SELECT coalesce(sum(length(thumbnail)), 0) FROM clips WHERE stream_id = ?", (stream_id,)
        )
        return int(row[0])

    def num_file_bytes(self) -> int:
        """Bytes of all pages in use in the file, including what `num_bytes` does not count."""
        (row,) = self._database.read(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )
        return int(row[0])

    def oldest(self, limit: int, *, stream_id: str | None = None, with_thumbnail: bool = False) -> list[StoredClip]:
        """Oldest removable clips: not pinned, and not needed by a stream that can resume or by a still clip.

        Such a stream needs the clips in its visual memory, its `KEPT_NEWEST_CLIPS` newest, and as many captioned ones.
        A captioned clip is removable once no still clip refers to it; its thumbnail is before.

        Args:
            limit: maximum number of clips.
            stream_id: only this stream; None for all.
            with_thumbnail: only clips with a thumbnail.
        """
        conditions = ("AND length(thumbnail) > 0 " if with_thumbnail else _WITHOUT_STILL_CLIPS) + (
            "" if stream_id is None else "AND stream_id = :stream_id"
        )
        query = _REMOVABLE.format(
            index=_INDICES[stream_id is not None, with_thumbnail], conditions=conditions, order="id"
        )
        return self._find(query, {"stream_id": stream_id, "limit": limit})

    def stored_before(self, unix_seconds: float, limit: int) -> list[StoredClip]:
        """Oldest removable clips stored before a Unix time in seconds."""
        query = _REMOVABLE.format(
            index="INDEXED BY clips_by_time",
            conditions=f"AND stored_unix_seconds < :before {_WITHOUT_STILL_CLIPS}",
            order="stored_unix_seconds, id",
        )
        return self._find(query, {"before": unix_seconds, "limit": limit})

    def _find(self, query: str, parameters: dict[str, object]) -> list[StoredClip]:
        return [StoredClip(*row) for row in self._database.read(query, parameters)]

    def empty_thumbnails(self, clips: Sequence[StoredClip]) -> None:
        """Remove the thumbnails of clips, keeping everything else.

        Raises:
            JournalWriteError: writing failed.
        """
        self._database.write(
            "UPDATE clips SET thumbnail = x'' WHERE id IN (SELECT value FROM json_each(?))", _ids(clips)
        )

    def empty_idle_memory(self, stream_id: str | None = None) -> str | None:
        """Empty the visual memory of the oldest stream that never resumes and has one.

        Args:
            stream_id: only this stream; None for all.

        Returns:
            The stream's id, or None.

        Raises:
            JournalWriteError: writing failed.
        """
        found = self._database.read(
            f"SELECT id FROM streams WHERE {_IS_OVER} AND ? IN (id, '')"
            " AND EXISTS (SELECT * FROM memory WHERE stream_id = streams.id) ORDER BY rowid LIMIT 1",
            (stream_id or "",),
        )
        if not found:
            return None
        for table in ("memory", "memory_before_end"):
            self._database.write(f"DELETE FROM {table} WHERE stream_id = ?", (found[0]["id"],))
        return str(found[0]["id"])

    def remove(self, clips: Sequence[StoredClip]) -> None:
        """Remove clips with all their data, so that no later clip is compared with them.

        Raises:
            JournalWriteError: writing failed.
        """
        for table in ("memory", "compared_pictures"):
            self._database.write(
                f"DELETE FROM {table} WHERE (stream_id, clip_index) IN"
                " (SELECT stream_id, clip_index FROM clips WHERE id IN (SELECT value FROM json_each(?)))",
                _ids(clips),
            )
        self._database.write("DELETE FROM clips WHERE id IN (SELECT value FROM json_each(?))", _ids(clips))


def _ids(clips: Sequence[StoredClip]) -> tuple[str]:
    return (json.dumps([clip.id for clip in clips]),)
