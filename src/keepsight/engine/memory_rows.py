"""Stores the visual memory in journal rows: writes changed clips, reads all."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from keepsight.errors import JournalError
from keepsight.journal import Journal, StreamPosition
from keepsight.journal.last_clip import LastClip
from keepsight.journal.memory_snapshot import HeldPositions
from keepsight.method.memory import RememberedClip
from keepsight.method.recurrence import RECENT_CAPTIONS, Recurrence
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.settings import Settings

_TOKENS, _POSITIONS, _SCORES = "tokens", "positions", "scores"


def store_memory(journal: Journal, stream_id: str, recurrence: Recurrence) -> None:
    """Write the memory's changes since the last clip; with policy `fifo` only the new clip.

    Raises:
        JournalWriteError: the write failed.
    """
    memory = recurrence.memory
    held_clips = {clip.clip_index for clip in memory.clips()}
    for clip in memory.changed_clips():
        journal.memory.put(
            stream_id, clip.clip_index, _row(clip), held_clips=held_clips, positions=clip.positions.numpy()
        )
    journal.memory.keep_only(stream_id, held_clips)


def held_positions(journal: Journal, stream_id: str) -> dict[int, NDArray[np.int64]]:
    """Stream positions of the tokens held in memory, for each held clip, oldest first.

    Reads no tokens, except from rows of an earlier version.

    Returns:
        int64 `[num_held]`, increasing, by clip index.
    """
    return {
        row.clip_index: _positions_in(journal, stream_id, row) if row.positions is None else row.positions
        for row in journal.memory.positions(stream_id)
    }


def restore_memory(
    journal: Journal,
    stream_id: str,
    settings: Settings,
    device: str,
    dtype: str | None = None,
    *,
    before: LastClip | None = None,
) -> Recurrence:
    """Restore the memory that `store_memory` wrote, and the position of the stream's next token.

    Args:
        journal: journal id of the stream.
        stream_id: of the stream.
        settings: settings of the stream.
        device: torch device for the tokens.
        dtype: number format to convert the tokens to, key of `DTYPES`; any other name keeps the stored one.
        before: last clip, to restore the memory before it.

    Raises:
        JournalError: the stream is unknown, or a stored token is NaN or infinite.
    """
    # Whether a speculation is right changes a score's last bits, so a resumed stream speculates from the same captions.
    before_index = None if before is None else before.clip_index
    recent = journal.clips.last_captions(stream_id, RECENT_CAPTIONS, before_index=before_index)
    # Not summed over the stored clips: a quota may have removed the oldest.
    position = journal.streams.position(stream_id)
    if before is not None:
        position = StreamPosition(
            before.clip_index,
            position.num_tokens_seen - before.num_visual_tokens,
            position.first_clip_tokens if before.clip_index else 0,
        )
    recurrence = Recurrence(settings, num_tokens_seen=position.num_tokens_seen, recent_captions=recent)
    if position.next_clip_index:
        rows = journal.memory.of(stream_id) if before is None else journal.last_clips.memory_before(stream_id, before)
        clips = (_clip_of(journal, stream_id, clip_index, row, device) for clip_index, row in rows)
        recurrence.memory.restore(
            (_usable(clip, dtype) for clip in clips), first_clip_tokens=position.first_clip_tokens
        )
    return recurrence


def _positions_in(journal: Journal, stream_id: str, row: HeldPositions) -> NDArray[np.int64]:
    positions: NDArray[np.int64] = _clip_of(journal, stream_id, row.clip_index, row.tokens, "cpu").positions.numpy()
    return positions


def _row(clip: RememberedClip) -> bytes:
    tensors = {_TOKENS: clip.tokens.cpu(), _POSITIONS: clip.positions, _SCORES: clip.scores}
    return bytes(save(tensors))


def _clip_of(journal: Journal, stream_id: str, clip_index: int, row: bytes, device: str) -> RememberedClip:
    tensors = load(row)
    tokens = tensors[_TOKENS]
    if _POSITIONS not in tensors:
        tensors |= _looked_up(journal, stream_id, clip_index, len(tokens))
    return RememberedClip(clip_index, tokens.to(device), tensors[_POSITIONS], tensors[_SCORES])


def _usable(clip: RememberedClip, dtype: str | None) -> RememberedClip:
    """A stored clip in the model's number format, checked: earlier versions stored what had overflowed."""
    if not bool(clip.tokens.isfinite().all()):
        raise JournalError(
            f"the stored tokens of clip {clip.clip_index} must be finite, got NaN or infinity; "
            "watch the source into another journal"
        )
    return replace(clip, tokens=clip.tokens.to(DTYPES.get(dtype or "", clip.tokens.dtype)))


def _looked_up(journal: Journal, stream_id: str, clip_index: int, num_tokens: int) -> dict[str, Tensor]:
    """Positions and scores of a row written before rows had them, taken from the clip's record.

    All memories were first in, first out then, which keeps the newest tokens of a clip that exceeds the memory.
    """
    record = next(journal.clips.of(stream_id, from_index=clip_index))
    indices = torch.from_numpy(record.kept_indices[-num_tokens:]).long()
    first_position = journal.memory.num_tokens_before(stream_id, clip_index)
    return {_POSITIONS: first_position + indices, _SCORES: torch.from_numpy(record.scores)[indices]}
