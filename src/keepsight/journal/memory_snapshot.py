"""Current visual memory of each stream, so watching can resume after a crash."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepsight.journal.database import Database
from keepsight.journal.encoding import int64_array, int64_blob


@dataclass(frozen=True, eq=False)
class HeldPositions:
    """Positions in the stream of the tokens held of a clip.

    Attributes:
        clip_index: index of the clip.
        positions: int64 `[num_held]`, increasing, counted over all visual tokens of the stream; None if the row has
            them only in its tensors.
        tokens: the row's safetensors bytes if `positions` is None; else empty.
    """

    clip_index: int
    positions: NDArray[np.int64] | None
    tokens: bytes = b""


class MemoryTable:
    """One row per clip held in a visual memory.

    Only new or changed clips are written, and evicted ones deleted. Under FIFO that is 1.4 MB per clip of a 7B model,
    instead of the whole memory of 22.5 MB.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        stream_id: str,
        clip_index: int,
        tokens: bytes,
        *,
        held_clips: Collection[int],
        positions: NDArray[np.int64] | None = None,
    ) -> None:
        """Add or change a clip, and drop clips no longer held.

        Args:
            stream_id: the stream.
            clip_index: clip to add or change.
            tokens: safetensors bytes with the tensors `tokens` `[num_kept, dim]`, `positions` and `scores`
                `[num_kept]`. Older journals have only the first.
            held_clips: indices of all clips now held.
            positions: the tensor `positions` again, readable without the tokens; None to read it from `tokens`.

        Raises:
            JournalWriteError: writing failed.
        """
        with self._database.transaction():
            self._database.write(
                "INSERT INTO memory (stream_id, clip_index, positions, tokens) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (stream_id, clip_index) DO UPDATE SET positions = excluded.positions, "
                "tokens = excluded.tokens",
                (stream_id, clip_index, None if positions is None else int64_blob(positions), tokens),
            )
            self.keep_only(stream_id, held_clips)

    def keep_only(self, stream_id: str, held_clips: Collection[int]) -> None:
        """Drop clips no longer held.

        Raises:
            JournalWriteError: writing failed.
        """
        with self._database.transaction():
            for index in self.held(stream_id):
                if index not in held_clips:
                    self._database.write(
                        "DELETE FROM memory WHERE stream_id = ? AND clip_index = ?", (stream_id, index)
                    )

    def held(self, stream_id: str) -> list[int]:
        """Indices of held clips, oldest first."""
        rows = self._database.read(
            "SELECT clip_index FROM memory WHERE stream_id = ? ORDER BY clip_index", (stream_id,)
        )
        return [row["clip_index"] for row in rows]

    def of(self, stream_id: str) -> list[tuple[int, bytes]]:
        """Clip index and safetensors bytes of each held clip, oldest first."""
        rows = self._database.read("SELECT * FROM memory WHERE stream_id = ? ORDER BY clip_index", (stream_id,))
        return [(row["clip_index"], row["tokens"]) for row in rows]

    def positions(self, stream_id: str) -> list[HeldPositions]:
        """Positions held of each clip, oldest first; token data is not read if the row has positions."""
        rows = self._database.read(
            "SELECT clip_index, positions, CASE WHEN positions IS NULL THEN tokens ELSE x'' END AS tokens"
            " FROM memory WHERE stream_id = ? ORDER BY clip_index",
            (stream_id,),
        )
        return [
            HeldPositions(
                row["clip_index"],
                None if row["positions"] is None else int64_array(row["positions"]),
                row["tokens"],
            )
            for row in rows
        ]

    def num_tokens_before(self, stream_id: str, clip_index: int | None = None) -> int:
        """Visual tokens of all clips before a clip, i.e. its position in the stream; None for the next clip.

        Clips removed by a quota count.
        """
        rows = self._database.read(
            "SELECT num_tokens_before FROM clips WHERE stream_id = ? AND clip_index >= ? ORDER BY clip_index LIMIT 1",
            (stream_id, clip_index),
        ) or self._database.read("SELECT num_tokens_seen FROM streams WHERE id = ?", (stream_id,))
        return int(rows[0][0]) if rows else 0
