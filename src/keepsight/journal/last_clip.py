"""The last clip of a stream, cut by the source's end; watched again when the source has grown.

A recording in progress ends within a clip. That clip is stored as it is, and replaced once the recording has grown. For
that, the part of visual memory that the clip displaced is kept: under FIFO, the one clip that it pushed out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keepsight.journal.database import Database
from keepsight.journal.encoding import seconds_tuple

_OF_STREAM = "WHERE stream_id = ?"


@dataclass(frozen=True)
class LastClip:
    """A clip that can be replaced.

    Attributes:
        clip_index: its index.
        start_seconds: where watching resumes.
        end_seconds: its end.
        num_visual_tokens: its visual tokens; 0 for a still clip.
        frame_seconds: times of its frames.
    """

    clip_index: int
    start_seconds: float
    end_seconds: float
    num_visual_tokens: int
    frame_seconds: tuple[float, ...]


class LastClipTable:
    """Last clip of each stream that reached its source's end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, stream_id: str) -> LastClip | None:
        """The stream's last clip, if the source's end cut it and it still exists."""
        rows = self._database.read(
            "SELECT clip_index, start_seconds, clips.end_seconds, num_visual_tokens, frame_seconds"
            " FROM clips JOIN streams"
            " ON streams.id = stream_id AND clip_index = last_clip_before_end"
            " WHERE stream_id = ? AND clip_index = next_clip_index - 1",
            (stream_id,),
        )
        if not rows:
            return None
        clip_index, start_seconds, end_seconds, num_visual_tokens, frame_seconds = rows[0]
        return LastClip(clip_index, start_seconds, end_seconds, num_visual_tokens, seconds_tuple(frame_seconds))

    @contextmanager
    def keeping(self, stream_id: str, clip_index: int) -> Iterator[None]:
        """Store a clip and its memory inside, together with what is needed to replace it.

        Raises:
            JournalWriteError: writing failed.
        """
        write = self._database.write
        with self._database.transaction():
            write(f"DELETE FROM memory_before_end {_OF_STREAM}", (stream_id,))
            write(f"INSERT INTO memory_before_end SELECT * FROM memory {_OF_STREAM}", (stream_id,))
            yield
            write(
                f"DELETE FROM memory_before_end {_OF_STREAM} AND EXISTS (SELECT * FROM memory WHERE"
                " memory.stream_id = memory_before_end.stream_id AND memory.clip_index = memory_before_end.clip_index"
                " AND memory.tokens = memory_before_end.tokens)",
                (stream_id,),
            )
            write("UPDATE streams SET last_clip_before_end = ? WHERE id = ?", (clip_index, stream_id))

    @contextmanager
    def replacing(self, stream_id: str, last: LastClip) -> Iterator[None]:
        """Remove the last clip with all its effects, and store another in its place inside, atomically.

        Standing questions are checked on the new one, too, and a pin is kept.

        Raises:
            JournalWriteError: writing failed.
        """
        write = self._database.write
        where = "WHERE stream_id = ? AND clip_index = ?"
        here = (stream_id, last.clip_index)
        with self._database.transaction():
            rows = self._database.read(f"SELECT pinned FROM clips {where}", here)
            write(f"DELETE FROM clips {where}", here)
            write(f"DELETE FROM compared_pictures {where}", here)
            self._put_memory_back(stream_id, last.clip_index)
            write(
                "UPDATE streams SET next_clip_index = ?, num_tokens_seen = num_tokens_seen - ?, first_clip_tokens ="
                " CASE ? WHEN 0 THEN 0 ELSE first_clip_tokens END, num_still_clips = num_still_clips - ?,"
                " last_clip_before_end = NULL WHERE id = ?",
                (last.clip_index, last.num_visual_tokens, last.clip_index, last.num_visual_tokens == 0, stream_id),
            )
            write(
                "UPDATE standing_progress SET next_clip_index = min(next_clip_index, ?) WHERE stream_id = ?",
                (last.clip_index, stream_id),
            )
            yield
            write(f"UPDATE clips SET pinned = ? {where}", (rows[0]["pinned"] if rows else 0, *here))

    def memory_before(self, stream_id: str, last: LastClip) -> list[tuple[int, bytes]]:
        """Visual memory before a last clip: clip index and safetensors bytes, oldest first."""
        rows = self._database.read(
            "SELECT clip_index, tokens FROM memory_before_end WHERE stream_id = :stream UNION ALL "
            "SELECT clip_index, tokens FROM memory WHERE stream_id = :stream AND clip_index <> :last AND NOT EXISTS ("
            "SELECT * FROM memory_before_end AS before WHERE before.stream_id = memory.stream_id "
            "AND before.clip_index = memory.clip_index) ORDER BY clip_index",
            {"stream": stream_id, "last": last.clip_index},
        )
        return [(row["clip_index"], row["tokens"]) for row in rows]

    def _put_memory_back(self, stream_id: str, clip_index: int) -> None:
        write = self._database.write
        write("DELETE FROM memory WHERE stream_id = ? AND clip_index = ?", (stream_id, clip_index))
        write(
            "INSERT INTO memory SELECT * FROM memory_before_end WHERE stream_id = ?"
            " ON CONFLICT (stream_id, clip_index)"
            " DO UPDATE SET positions = excluded.positions, tokens = excluded.tokens",
            (stream_id,),
        )
        write(f"DELETE FROM memory_before_end {_OF_STREAM}", (stream_id,))
