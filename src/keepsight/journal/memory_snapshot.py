"""The visual memory of each stream as it stands, so that watching can go on after a crash."""

from collections.abc import Collection

from keepsight.journal.database import Database


class MemoryTable:
    """One row for each clip that a visual memory holds.

    Only clips that are new or changed are written and the evicted ones are deleted. Under first in, first out that is
    1.4 MB for each clip of a 7B model, instead of the whole memory of 22.5 MB.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, stream_id: str, clip_index: int, tokens: bytes, *, held_clips: Collection[int]) -> None:
        """Add a clip or change it, and drop the clips that the memory no longer holds.

        Args:
            stream_id: the stream.
            clip_index: the clip that was added or changed.
            tokens: safetensors bytes with the tensors `tokens` `[num_kept, dim]`, `positions` and `scores`
                `[num_kept]`. Journals written before those two were known have the first alone.
            held_clips: indices of all clips that the memory holds now.

        Raises:
            JournalWriteError: the disk refused.
        """
        with self._database.transaction():
            self._database.write(
                "INSERT INTO memory VALUES (?, ?, ?) "
                "ON CONFLICT (stream_id, clip_index) DO UPDATE SET tokens = excluded.tokens",
                (stream_id, clip_index, tokens),
            )
            self.keep_only(stream_id, held_clips)

    def keep_only(self, stream_id: str, held_clips: Collection[int]) -> None:
        """Drop the clips that the memory no longer holds.

        Raises:
            JournalWriteError: the disk refused.
        """
        with self._database.transaction():
            for index in self.held(stream_id):
                if index not in held_clips:
                    self._database.write(
                        "DELETE FROM memory WHERE stream_id = ? AND clip_index = ?", (stream_id, index)
                    )

    def held(self, stream_id: str) -> list[int]:
        """Indices of the clips in the memory, oldest first."""
        rows = self._database.read(
            "SELECT clip_index FROM memory WHERE stream_id = ? ORDER BY clip_index", (stream_id,)
        )
        return [row["clip_index"] for row in rows]

    def of(self, stream_id: str) -> list[tuple[int, bytes]]:
        """Clip index and safetensors bytes of each clip in the memory, oldest first."""
        rows = self._database.read("SELECT * FROM memory WHERE stream_id = ? ORDER BY clip_index", (stream_id,))
        return [(row["clip_index"], row["tokens"]) for row in rows]

    def num_tokens_before(self, stream_id: str, clip_index: int | None = None) -> int:
        """Visual tokens of the clips before one: where it begins in the stream. None is the clip that comes next.

        Clips that a quota has removed count as well.
        """
        rows = self._database.read(
            "SELECT num_tokens_before FROM clips WHERE stream_id = ? AND clip_index >= ? ORDER BY clip_index LIMIT 1",
            (stream_id, clip_index),
        ) or self._database.read("SELECT num_tokens_seen FROM streams WHERE id = ?", (stream_id,))
        return int(rows[0][0]) if rows else 0
