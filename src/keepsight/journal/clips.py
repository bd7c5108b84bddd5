"""Clips of a journal: stored once, read whole, as captions, or as embeddings."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile

import numpy as np

from keepsight.errors import JournalError
from keepsight.journal.database import Database
from keepsight.journal.encoding import (
    float32_array,
    float32_blob,
    int32_array,
    int32_blob,
    seconds_blob,
    seconds_tuple,
)
from keepsight.journal.records import CaptionRecord, ClipRecord, RankingRows, StillRun
from keepsight.spans import Span

_INSERT = """
INSERT INTO clips (
    stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens, num_frames_expected,
    num_frames_dropped, media_start_seconds, pinned, stored_unix_seconds, num_visual_tokens, num_tokens_before,
    num_memory_tokens, grid_rows, grid_columns, seconds_spent, frame_seconds, kept_indices, embedding, scores, thumbnail
) VALUES (
    :stream_id, :clip_index, :start_seconds, :end_seconds, :caption, :num_line_tokens, :num_frames_expected,
    :num_frames_dropped, :media_start_seconds, :pinned, :stored_unix_seconds, :num_visual_tokens,
    (SELECT num_tokens_seen FROM streams WHERE id = :stream_id),
    :num_memory_tokens, :grid_rows, :grid_columns, :seconds_spent, :frame_seconds, :kept_indices, :embedding, :scores,
    :thumbnail
)
"""
_CAPTION_COLUMNS = (
    "stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens, num_frames_expected, "
    "num_frames_dropped, pinned, num_visual_tokens"
)
_WHOLE = (
    "SELECT *, (SELECT still_since FROM still_clips AS still WHERE still.stream_id = clips.stream_id"
    " AND still.clip_index = clips.clip_index) AS still_since FROM clips"
)
_ALWAYS = float("inf")


class ClipTable:
    """Captions with their spans, and the data kept with them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, clip: ClipRecord, *, stored_at: datetime | None = None) -> None:
        """Store a clip. It is on disk on return, unless a transaction is open around the call.

        Args:
            clip: its index must exceed that of every earlier clip of the stream.
            stored_at: start of its age, with time zone; None for now.

        Raises:
            JournalWriteError: writing failed, or the index exists.
        """
        moment = stored_at or datetime.now(UTC)
        parameters = _parameters(clip) | {"stored_unix_seconds": moment.timestamp()}
        if clip.still_since is None:
            self._database.write(_INSERT, parameters)
            return
        with self._database.transaction():
            self._database.write(_INSERT, parameters)
            self._database.write(
                "INSERT INTO still_clips VALUES (?, ?, ?)", (clip.stream_id, clip.clip_index, clip.still_since)
            )

    def pin(self, stream_id: str, clip_index: int, pinned: bool = True) -> None:
        """Pin a clip, so quotas keep it with its thumbnail; or unpin it.

        Raises:
            JournalError: no such clip, or it was removed.
            JournalWriteError: writing failed.
        """
        if not self._database.write(
            "UPDATE clips SET pinned = ? WHERE stream_id = ? AND clip_index = ?", (int(pinned), stream_id, clip_index)
        ):
            raise JournalError(f"the journal {self._database.path} has no clip {clip_index} of stream {stream_id!r}")

    def pinned(self, stream_id: str) -> list[int]:
        """Indices of pinned clips, in time order."""
        rows = self._database.read(
            "SELECT clip_index FROM clips WHERE stream_id = ? AND pinned ORDER BY clip_index", (stream_id,)
        )
        return [row["clip_index"] for row in rows]

    def count(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> int:
        """Number of clips that ended by a time."""
        (row,) = self._database.read(
            "SELECT count(*) FROM clips WHERE stream_id = ? AND end_seconds <= ?", (stream_id, ended_by_seconds)
        )
        return int(row[0])

    def last(self, stream_id: str) -> ClipRecord | None:
        """Newest clip, or None."""
        rows = self._database.read(f"{_WHOLE} WHERE stream_id = ? ORDER BY clip_index DESC LIMIT 1", (stream_id,))
        return _clip_of(rows[0]) if rows else None

    def get(self, stream_id: str, clip_index: int) -> ClipRecord | None:
        """A clip, or None if it does not exist or was removed."""
        rows = self._database.read(f"{_WHOLE} WHERE stream_id = ? AND clip_index = ?", (stream_id, clip_index))
        return _clip_of(rows[0]) if rows else None

    def of(self, stream_id: str, *, from_index: int = 0) -> Iterator[ClipRecord]:
        """Clips of a stream in time order, read one at a time."""
        while rows := self._database.read(
            f"{_WHOLE} WHERE stream_id = ? AND clip_index >= ? ORDER BY clip_index LIMIT 1",
            (stream_id, from_index),
        ):
            clip = _clip_of(rows[0])
            yield clip
            from_index = clip.clip_index + 1

    def captions(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> list[CaptionRecord]:
        """Captions of clips that ended by a time, in time order."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = ? AND end_seconds <= ? ORDER BY clip_index",
            (stream_id, ended_by_seconds),
        )
        return [_caption_of(row) for row in rows]

    def captions_from(self, stream_id: str, from_index: int, limit: int) -> list[CaptionRecord]:
        """Captions from a clip index, up to `limit`, in time order."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = ? AND clip_index >= ? ORDER BY clip_index LIMIT ?",
            (stream_id, from_index, limit),
        )
        return [_caption_of(row) for row in rows]

    def newest_spans(self, stream_id: str) -> list[Span]:
        """Spans of the newest contiguous clips, in time order, back to the first or a removed one."""
        rows = self._database.read(
            "SELECT clip_index, start_seconds, end_seconds FROM clips WHERE stream_id = ? ORDER BY clip_index DESC",
            (stream_id,),
        )
        unbroken = takewhile(
            lambda numbered: numbered[1]["clip_index"] == rows[0]["clip_index"] - numbered[0], enumerate(rows)
        )
        return [Span(row["start_seconds"], row["end_seconds"]) for _, row in unbroken][::-1]

    def last_captions(self, stream_id: str, count: int, *, before_index: int | None = None) -> list[str]:
        """Captions of the newest `count` captioned clips, in time order.

        Args:
            stream_id: the stream.
            count: maximum number of captions.
            before_index: only clips before this one; None for all.
        """
        rows = self._database.read(
            "SELECT caption FROM clips WHERE stream_id = ? AND num_visual_tokens > 0"
            " AND clip_index < coalesce(?, clip_index + 1) ORDER BY clip_index DESC LIMIT ?",
            (stream_id, before_index, count),
        )
        return [str(row["caption"]) for row in reversed(list(rows))]

    def captions_at(self, stream_id: str, clip_indices: Sequence[int]) -> list[CaptionRecord]:
        """Captions of clips by index, in time order; missing clips are omitted."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = ? "
            "AND clip_index IN (SELECT value FROM json_each(?)) ORDER BY clip_index",
            (stream_id, json.dumps([int(index) for index in clip_indices])),
        )
        return [_caption_of(row) for row in rows]

    def ranked_by(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> RankingRows:
        """Ranking data of the clips that ended by a time, as of one snapshot.

        Texts are not read, since few captions of a long stream are chosen.
        """
        rows = self._database.read(
            "SELECT clip_index, num_line_tokens, embedding FROM clips WHERE stream_id = ? AND end_seconds <= ? "
            "AND num_visual_tokens > 0 ORDER BY clip_index",
            (stream_id, ended_by_seconds),
        )
        if not rows:
            return RankingRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
        indices, costs, blobs = zip(*rows, strict=True)
        embeddings = np.frombuffer(b"".join(blobs), "<f4").reshape(len(rows), -1)
        return RankingRows(np.array(indices, np.int64), np.array(costs, np.int64), embeddings)

    def still_runs(self, stream_id: str, *, ended_by_seconds: float = _ALWAYS) -> list[StillRun]:
        """For each captioned clip after which nothing changed, its still clips that ended by a time, in time order."""
        rows = self._database.read(
            "SELECT still_since, max(clip_index), min(start_seconds), max(end_seconds), max(num_line_tokens) "
            "FROM still_clips JOIN clips USING (stream_id, clip_index) WHERE stream_id = ? AND end_seconds <= ? "
            "GROUP BY still_since ORDER BY still_since",
            (stream_id, ended_by_seconds),
        )
        return [StillRun(since, last, Span(start, end), cost) for since, last, start, end, cost in rows]

    def captioned_by(self, stream_id: str, clip_index: int) -> CaptionRecord | None:
        """A clip, or the captioned one that it continues if it is still; None if that was removed."""
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips WHERE stream_id = :stream AND clip_index = coalesce("
            "(SELECT still_since FROM still_clips WHERE stream_id = :stream AND clip_index = :index), :index)",
            {"stream": stream_id, "index": clip_index},
        )
        return _caption_of(rows[0]) if rows else None

    def search(self, text: str, *, stream_id: str | None = None, limit: int = 20) -> list[CaptionRecord]:
        """Captions that contain all words of a text, best match first; words match in any inflection.

        Still clips are not found.

        Args:
            text: words as typed; no character is special.
            stream_id: search only this stream; None for all.
            limit: maximum number of results.
        """
        words = _all_words(text)
        if not words:
            return []
        rows = self._database.read(
            f"SELECT {_CAPTION_COLUMNS} FROM clips JOIN (SELECT rowid AS hit, rank FROM caption_index "
            "WHERE caption_index MATCH ?) ON hit = clips.id WHERE ? IN (stream_id, '') AND num_visual_tokens > 0 "
            "ORDER BY rank, stream_id, clip_index LIMIT ?",
            (words, stream_id or "", limit),
        )
        return [_caption_of(row) for row in rows]

    def has_words(self, stream_id: str, clip_index: int, text: str) -> bool:
        """Whether a clip's caption matches all words of a text, as in `search`; False without words."""
        words = _all_words(text)
        return bool(words) and bool(
            self._database.read(
                "SELECT 1 FROM caption_index WHERE caption_index MATCH ? "
                "AND rowid = (SELECT id FROM clips WHERE stream_id = ? AND clip_index = ?)",
                (words, stream_id, clip_index),
            )
        )


def _all_words(text: str) -> str:
    """FTS5 query for all words of a text, each quoted; a NUL would end the query inside a string."""
    return " ".join(f'"{word}"' for word in text.replace("\0", " ").replace('"', " ").split())


def _parameters(clip: ClipRecord) -> dict[str, object]:
    return {
        "stream_id": clip.stream_id,
        "clip_index": clip.clip_index,
        "start_seconds": clip.span.start_seconds,
        "end_seconds": clip.span.end_seconds,
        "caption": clip.caption,
        "num_line_tokens": clip.num_line_tokens,
        "num_frames_expected": clip.num_frames_expected,
        "num_frames_dropped": clip.num_frames_dropped,
        "media_start_seconds": clip.media_start_seconds,
        "pinned": int(clip.is_pinned),
        "num_visual_tokens": clip.num_visual_tokens,
        "num_memory_tokens": clip.num_memory_tokens,
        "grid_rows": clip.token_grid[0],
        "grid_columns": clip.token_grid[1],
        "seconds_spent": clip.seconds_spent,
        "frame_seconds": seconds_blob(clip.frame_seconds),
        "kept_indices": int32_blob(clip.kept_indices),
        "embedding": float32_blob(clip.embedding),
        "scores": float32_blob(clip.scores),
        "thumbnail": clip.thumbnail,
    }


def _caption_of(row: sqlite3.Row) -> CaptionRecord:
    return CaptionRecord(
        stream_id=row["stream_id"],
        clip_index=row["clip_index"],
        span=Span(row["start_seconds"], row["end_seconds"]),
        caption=row["caption"],
        num_line_tokens=row["num_line_tokens"],
        num_frames_expected=row["num_frames_expected"],
        num_frames_dropped=row["num_frames_dropped"],
        is_pinned=bool(row["pinned"]),
        is_still=row["num_visual_tokens"] == 0,
    )


def _clip_of(row: sqlite3.Row) -> ClipRecord:
    return ClipRecord(
        **vars(_caption_of(row)),
        num_visual_tokens=row["num_visual_tokens"],
        num_memory_tokens=row["num_memory_tokens"],
        token_grid=(row["grid_rows"], row["grid_columns"]),
        seconds_spent=row["seconds_spent"],
        frame_seconds=seconds_tuple(row["frame_seconds"]),
        kept_indices=int32_array(row["kept_indices"]),
        embedding=float32_array(row["embedding"]),
        scores=float32_array(row["scores"]),
        thumbnail=row["thumbnail"],
        media_start_seconds=row["media_start_seconds"],
        still_since=row["still_since"],
    )
