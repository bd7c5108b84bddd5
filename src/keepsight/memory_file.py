"""How a visual memory lies on disk: one safetensors file, a tensor a clip, the rest in its metadata."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from keepsight.errors import JournalNotFoundError, JournalTooNewError, JournalWriteError, NotAJournalError
from keepsight.whole_file import write_whole

_FORMAT = "keepsight-visual-memory"
_VERSION = 1

Clips = Sequence[tuple[int, Tensor]]
"""Clip indices with their tokens `[num_tokens, dim]`, oldest first."""


@dataclass(frozen=True)
class _Record:
    """What the file says beside the tensors, each of which has its clip's index for a name."""

    version: int
    capacity_clips: int
    capacity_tokens: int | None
    clip_indices: list[int]

    def __post_init__(self) -> None:
        numbers = [self.version, self.capacity_clips, *self.clip_indices]
        if self.capacity_tokens is not None:
            numbers.append(self.capacity_tokens)
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError(f"its numbers are not whole: {numbers}")


def write_memory(path: Path, clips: Clips, capacity_clips: int, capacity_tokens: int | None) -> None:
    """Replace the file at `path` in one step: after a crash it holds the old memory or the new one, whole.

    Raises:
        JournalWriteError: the disk is full or read-only, or the folder is missing. A file that was there still is.
    """
    record = _Record(_VERSION, capacity_clips, capacity_tokens, [clip_index for clip_index, _ in clips])
    tensors = {str(clip_index): tokens for clip_index, tokens in clips}
    content = save(tensors, metadata={"format": _FORMAT, "memory": json.dumps(asdict(record))})
    try:
        write_whole(path, content)
    except OSError as error:
        raise JournalWriteError(f"cannot write the visual memory to {path}: {error.strerror or error}") from error


def read_memory(path: Path, device: str | torch.device) -> tuple[Clips, int, int | None]:
    """Clips, capacity in clips and capacity in tokens of a file that `write_memory` made.

    Raises:
        JournalNotFoundError: there is no such file.
        NotAJournalError: the file is damaged or is something else.
        JournalTooNewError: a later version of Keepsight wrote it.
    """
    if not path.exists():
        raise JournalNotFoundError(f"there is no saved visual memory at {path}")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            record = _parse_record(path, file.metadata() or {})
            clips = [(index, file.get_tensor(str(index))) for index in record.clip_indices]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise NotAJournalError(f"{path} is not a saved visual memory: {error}") from error
    return clips, record.capacity_clips, record.capacity_tokens


def _parse_record(path: Path, metadata: dict[str, str]) -> _Record:
    """What `write_memory` put beside the tensors."""
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"its format is {metadata.get('format')!r}, not {_FORMAT!r}")
    values = json.loads(metadata["memory"])
    if values["version"] > _VERSION:
        raise JournalTooNewError(
            f"{path} was written by a later Keepsight: version {values['version']}, this one reads up to {_VERSION}"
        )
    return _Record(**values)
