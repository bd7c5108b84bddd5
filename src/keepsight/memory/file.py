"""How a visual memory lies on disk: one safetensors file, three tensors a clip, the rest in its metadata.

Version 1 had the tokens alone and knew only one policy, first in, first out.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from keepsight.errors import (
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    NotAJournalError,
    SettingError,
)
from keepsight.memory.clips import Clips, RememberedClip
from keepsight.memory.policies import make_policy, policy_record
from keepsight.memory.policy import Capacity, MemoryPolicy
from keepsight.whole_file import write_whole

_FORMAT = "keepsight-visual-memory"
_VERSION = 2


@dataclass(frozen=True, eq=False)
class SavedMemory:
    """What a file holds.

    Attributes:
        clips: oldest first.
        capacity: how much the memory may hold.
        policy: what it holds when not all fits.
    """

    clips: Clips
    capacity: Capacity
    policy: MemoryPolicy


@dataclass(frozen=True)
class _Record:
    """What the file says beside the tensors: those of a clip are named `7`, `7.positions` and `7.scores`."""

    version: int
    capacity_clips: int
    capacity_tokens: int | None
    clip_indices: list[int]
    first_clip_tokens: int
    policy: dict[str, Any]

    def __post_init__(self) -> None:
        numbers = [self.version, self.capacity_clips, self.first_clip_tokens, *self.clip_indices]
        if self.capacity_tokens is not None:
            numbers.append(self.capacity_tokens)
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError(f"its numbers are not whole: {numbers}")


def write_memory(path: Path, memory: SavedMemory) -> None:
    """Replace the file at `path` in one step: after a crash it holds the old memory or the new one, whole.

    Raises:
        JournalWriteError: the disk is full or read-only, or the folder is missing. A file that was there still is.
        SettingError: the policy is none of `POLICIES`.
    """
    record = _Record(
        _VERSION,
        memory.capacity.clips,
        memory.capacity.tokens,
        [clip.clip_index for clip in memory.clips],
        memory.capacity.first_clip_tokens,
        policy_record(memory.policy),
    )
    tensors: dict[str, Tensor] = {}
    for clip in memory.clips:
        tensors[f"{clip.clip_index}"] = clip.tokens
        tensors[f"{clip.clip_index}.positions"] = clip.positions
        tensors[f"{clip.clip_index}.scores"] = clip.scores
    content = save(tensors, metadata={"format": _FORMAT, "memory": json.dumps(asdict(record))})
    try:
        write_whole(path, content)
    except OSError as error:
        raise JournalWriteError(f"cannot write the visual memory to {path}: {error.strerror or error}") from error


def read_memory(path: Path, device: str | torch.device) -> SavedMemory:
    """What `write_memory` wrote, or what version 1 did; tokens on a torch device.

    Raises:
        JournalNotFoundError: there is no such file.
        NotAJournalError: the file is damaged or is something else.
        JournalTooNewError: a later version of Keepsight wrote it.
    """
    if not path.exists():
        raise JournalNotFoundError(f"there is no saved visual memory at {path}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            values = _parse_values(path, file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if values["version"] == 1:
            _complete_version_1(values, tensors)
        record = _Record(**values)
        clips = tuple(_clip_of(index, tensors, device) for index in record.clip_indices)
        capacity = Capacity(record.capacity_clips, record.capacity_tokens, record.first_clip_tokens)
        return SavedMemory(clips, capacity, make_policy(**record.policy))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, SettingError) as error:
        raise NotAJournalError(f"{path} is not a saved visual memory: {error}") from error


def _parse_values(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """What `write_memory` put beside the tensors."""
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"its format is {metadata.get('format')!r}, not {_FORMAT!r}")
    values: dict[str, Any] = json.loads(metadata["memory"])
    if values["version"] > _VERSION:
        raise JournalTooNewError(
            f"{path} was written by a later Keepsight: version {values['version']}, this one reads up to {_VERSION}"
        )
    return values


def _clip_of(index: int, tensors: dict[str, Tensor], device: str | torch.device) -> RememberedClip:
    positions, scores = tensors[f"{index}.positions"], tensors[f"{index}.scores"]
    return RememberedClip(index, tensors[f"{index}"].to(device), positions, scores)


def _complete_version_1(values: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Put in what version 1 did not know.

    First in, first out reads neither positions nor scores, and it was all there was: positions that keep the order and
    scores of 0 change nothing of how such a memory goes on.
    """
    num_before = 0
    for index in values["clip_indices"]:
        num_tokens = len(tensors[str(index)])
        tensors[f"{index}.positions"] = torch.arange(num_before, num_before + num_tokens)
        tensors[f"{index}.scores"] = torch.zeros(num_tokens)
        num_before += num_tokens
    first = values["clip_indices"][:1]
    values.update(first_clip_tokens=len(tensors[str(first[0])]) if first else 0, policy={"name": "fifo"})
