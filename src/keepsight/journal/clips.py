"""The clips of a journal: stored once, read whole, as captions, or as embeddings."""

import json
import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from keepsight.journal.database import Database
from keepsight.journal.encoding import (
    float32_array,
    float32_blob,
    int32_array,
    int32_blob,
    seconds_blob,
    seconds_tuple,
)
from keepsight.journal.records import CaptionRecord, ClipRecord, RankingRows
from keepsight.spans import Span

_INSERT = """
INSERT INTO clips (
    stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens, num_visual_tokens, num_memory_tokens,
    grid_rows, grid_columns, seconds_spent, frame_seconds, kept_indices, embedding, scores, thumbnail
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CAPTION_COLUMNS = "stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens"
_ALWAYS = float("inf")


class ClipTable:
    """What was seen: captions with their spans, and all that was kept beside them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, clip: ClipRecord) -> None:
        """Store a clip. It is on disk when this returns, unless a transaction is open around it.

        Raises:
            JournalWriteError: the disk refused, or the stream already has a clip of this index.
        """
        self._database.write(
            _INSERT,
            (
                clip.stream_id,
                clip.clip_index,
                clip.span.start_seconds,
                clip.span.end_seconds,
                clip.caption,
                clip.num_line_tokens,
                clip.num_visual_tokens,
                clip.num_memory_tokens,
                *clip.token_grid,
                clip.seconds_spent,
                seconds_blob(clip.frame_seconds),
                int32_blob(clip.kept_indices),
                float32_blob(clip.embedding),
                float32_blob(clip.scores),
                clip.thumbnail,
            ),
        )

    def count(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> int:
        """Number of clips that had ended by a time."""
        (row,) = self._database.read(
            "SELECT count(*) FROM clips WHERE stream_id = ? AND end_seconds <= ?", (stream_id, ended_by_seconds)
        )
        return int(row[0])

    def last(self, stream_id: str) -> ClipRecord | None:
        """The newest clip, or None if there is none yet."""
        rows = self._database.read(
            "SELECT * FROM clips WHERE stream_id = ? ORDER BY clip_index DESC LIMIT 1", (stream_id,)
        )
        return _clip_of(rows[0]) if rows else None

    def of(self, stream_id: str, *, from_index: int = 0) -> Iterator[ClipRecord]:
        """The clips of a stream in time order, read one at a time as they are needed."""
        while rows := self._database.read(
            "SELECT * FROM clips WHERE stream_id = ? AND clip_index >= ? ORDER BY clip_index LIMIT 1",
            (stream_id, from_index),
        ):
            clip = _clip_of(rows[0])
            yield clip
            from_index = clip.clip_index + 1

    def captions(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> list[CaptionRecord]:
        """Captions of the clips that had ended by a time, in time order."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = ? AND end_seconds <= ? ORDER BY clip_index",
            (stream_id, ended_by_seconds),
        )
        return [_caption_of(row) for row in rows]

    def last_captions(self, stream_id: str, count: int) -> list[str]:
        """Captions of the newest clips, at most so many, in time order."""
        rows = self._database.read(
            "SELECT caption FROM clips WHERE stream_id = ? ORDER BY clip_index DESC LIMIT ?", (stream_id, count)
        )
        return [str(row["caption"]) for row in reversed(list(rows))]

    def captions_at(self, stream_id: str, clip_indices: Sequence[int]) -> list[CaptionRecord]:
        """Captions of the clips with these indices, in time order; a clip that is not there is left out."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = ? "
            "AND clip_index IN (SELECT value FROM json_each(?)) ORDER BY clip_index",
            (stream_id, json.dumps([int(index) for index in clip_indices])),
        )
        return [_caption_of(row) for row in rows]

    def ranked_by(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> RankingRows:
        """What captions are chosen by, of the clips that had ended by a time, as it stood at one moment.

        The texts are not read: of a stream that was watched for days, few captions are chosen of many.
        """
        rows = self._database.read(
            "SELECT clip_index, num_line_tokens, embedding FROM clips WHERE stream_id = ? AND end_seconds <= ? "
            "ORDER BY clip_index",
            (stream_id, ended_by_seconds),
        )
        if not rows:
            return RankingRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
        indices, costs, blobs = zip(*rows, strict=True)
        embeddings = np.frombuffer(b"".join(blobs), "<f4").reshape(len(rows), -1)
        return RankingRows(np.array(indices, np.int64), np.array(costs, np.int64), embeddings)

    def search(self, text: str, *, stream_id: str | None = None, limit: int = 20) -> list[CaptionRecord]:
        """Captions that contain all words of a text, best first; words match in any inflection.

        Args:
            text: words as a user types them; no character has a special meaning.
            stream_id: only this stream, or None for all.
            limit: most results.
        """
        # Each word is a quoted string of FTS5's query language; a NUL would end the query in the middle of one.
        words = " ".join(f'"{word}"' for word in text.replace("\0", " ").replace('"', " ").split())
        if not words:
            return []
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips JOIN (SELECT rowid AS hit, rank FROM caption_index "
            "WHERE caption_index MATCH ?) ON hit = clips.id WHERE ? IN (stream_id, '') "
            "ORDER BY rank, stream_id, clip_index LIMIT ?",
            (words, stream_id or "", limit),
        )
        return [_caption_of(row) for row in rows]


def _caption_of(row: sqlite3.Row) -> CaptionRecord:
    return CaptionRecord(
        stream_id=row["stream_id"],
        clip_index=row["clip_index"],
        span=Span(row["start_seconds"], row["end_seconds"]),
        caption=row["caption"],
        num_line_tokens=row["num_line_tokens"],
    )


def _clip_of(row: sqlite3.Row) -> ClipRecord:
    return ClipRecord(
        stream_id=row["stream_id"],
        clip_index=row["clip_index"],
        span=Span(row["start_seconds"], row["end_seconds"]),
        caption=row["caption"],
        num_line_tokens=row["num_line_tokens"],
        num_visual_tokens=row["num_visual_tokens"],
        num_memory_tokens=row["num_memory_tokens"],
        token_grid=(row["grid_rows"], row["grid_columns"]),
        seconds_spent=row["seconds_spent"],
        frame_seconds=seconds_tuple(row["frame_seconds"]),
        kept_indices=int32_array(row["kept_indices"]),
        embedding=float32_array(row["embedding"]),
        scores=float32_array(row["scores"]),
        thumbnail=row["thumbnail"],
    )
