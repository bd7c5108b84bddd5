"""The visual memory in the rows of a journal: changed clips written, the whole read back."""

import torch
from safetensors.torch import load, save
from torch import Tensor

from keepsight.journal import Journal
from keepsight.memory import RememberedClip
from keepsight.settings import Settings
from keepsight.watching.recurrence import RECENT_CAPTIONS, Recurrence

_TOKENS, _POSITIONS, _SCORES = "tokens", "positions", "scores"


def store_memory(journal: Journal, stream_id: str, recurrence: Recurrence) -> None:
    """Write what the last clip changed in the memory. Under first in, first out that is this clip alone.

    Raises:
        JournalWriteError: the disk refused.
    """
    memory = recurrence.memory
    held_clips = {clip.clip_index for clip in memory.clips()}
    for clip in memory.changed_clips():
        journal.memory.put(stream_id, clip.clip_index, _row(clip), held_clips=held_clips)
    journal.memory.keep_only(stream_id, held_clips)


def restore_memory(journal: Journal, stream_id: str, settings: Settings, device: str) -> Recurrence:
    """The memory as `store_memory` left it, tokens on a torch device, and the position of the stream's next token.

    Raises:
        JournalError: there is no such stream.
    """
    # A guess that is right or wrong changes a score's last bits, so a resumed stream guesses from the same captions.
    recent = journal.clips.last_captions(stream_id, RECENT_CAPTIONS)
    # Not summed over the clips that are there: a quota may have removed the oldest.
    position = journal.streams.position(stream_id)
    recurrence = Recurrence(settings, num_tokens_seen=position.num_tokens_seen, recent_captions=recent)
    if position.next_clip_index:
        rows = journal.memory.of(stream_id)
        clips = (_clip_of(journal, stream_id, clip_index, row, device) for clip_index, row in rows)
        recurrence.memory.restore(clips, first_clip_tokens=position.first_clip_tokens)
    return recurrence


def _row(clip: RememberedClip) -> bytes:
    tensors = {_TOKENS: clip.tokens.cpu(), _POSITIONS: clip.positions, _SCORES: clip.scores}
    return bytes(save(tensors))


def _clip_of(journal: Journal, stream_id: str, clip_index: int, row: bytes, device: str) -> RememberedClip:
    tensors = load(row)
    tokens = tensors[_TOKENS]
    if _POSITIONS not in tensors:
        tensors |= _looked_up(journal, stream_id, clip_index, len(tokens))
    return RememberedClip(clip_index, tokens.to(device), tensors[_POSITIONS], tensors[_SCORES])


def _looked_up(journal: Journal, stream_id: str, clip_index: int, num_tokens: int) -> dict[str, Tensor]:
    """Positions and scores for a row that was written before rows had them: those of the clip's own record.

    All memories were first in, first out then, which keeps the newest tokens of a clip that is too long.
    """
    record = next(journal.clips.of(stream_id, from_index=clip_index))
    indices = torch.from_numpy(record.kept_indices[-num_tokens:]).long()
    first_position = journal.memory.num_tokens_before(stream_id, clip_index)
    return {_POSITIONS: first_position + indices, _SCORES: torch.from_numpy(record.scores)[indices]}
