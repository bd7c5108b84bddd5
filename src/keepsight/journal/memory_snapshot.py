"""The visual memory of each stream as it stands, so that watching can go on after a crash."""

from collections.abc import Collection

from keepsight.journal.database import Database


class MemoryTable:
    """One row for each clip that a visual memory holds.

    Only the newest clip is written each time (1.4 MB for a 7B model) and the evicted ones are deleted, instead of the
    whole memory (22.5 MB) at every clip.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, stream_id: str, clip_index: int, tokens: bytes, *, held_clips: Collection[int]) -> None:
        """Add a clip's tokens and drop the clips that the memory no longer holds.

        Args:
            stream_id: the stream.
            clip_index: the clip that was added.
            tokens: safetensors bytes with one tensor named `tokens`, `[num_kept, dim]`.
            held_clips: indices of all clips that the memory holds now.

        Raises:
            JournalWriteError: the disk refused.
        """
        with self._database.transaction():
            self._database.write("INSERT INTO memory VALUES (?, ?, ?)", (stream_id, clip_index, tokens))
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
