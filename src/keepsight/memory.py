"""The recurrent short-term store of selected visual tokens (paper, section 3, arXiv 2510.17364)."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from keepsight.errors import NotAJournalError, SettingError
from keepsight.memory_file import read_memory, write_memory

DEFAULT_CAPACITY_CLIPS = 16
"""Clips that the memory spans: with 196 tokens each, half of the paper's window of 6,272 visual tokens."""


@dataclass(frozen=True, eq=False)
class RememberedClip:
    """What the memory holds of one clip.

    Attributes:
        clip_index: number of the clip in its stream, from 0.
        tokens: `[num_tokens, dim]`, in temporal order.
    """

    clip_index: int
    tokens: Tensor

    @property
    def num_tokens(self) -> int:
        """Tokens kept of this clip."""
        return self.tokens.shape[0]


class VisualMemory:
    """First in, first out: the selected tokens of the newest clips, oldest first.

    Whole clips leave, oldest first, until both capacities hold. A clip that alone has more than `capacity_tokens`
    stays with its newest tokens, so that the memory is never blind to what it saw last. A capacity of 0 means no
    memory: everything is dropped at once and recurrence is off.

    Args:
        capacity_clips: clips held at most, 0 or more.
        capacity_tokens: tokens held at most, 0 or more; None for no limit.

    Raises:
        SettingError: a capacity is negative.
    """

    def __init__(self, capacity_clips: int = DEFAULT_CAPACITY_CLIPS, capacity_tokens: int | None = None) -> None:
        if capacity_clips < 0:
            raise SettingError(f"capacity_clips is 0 or more, not {capacity_clips}")
        if capacity_tokens is not None and capacity_tokens < 0:
            raise SettingError(f"capacity_tokens is 0 or more, or None for no limit, not {capacity_tokens}")
        self._capacity_clips = capacity_clips
        self._capacity_tokens = capacity_tokens
        self._clips: deque[RememberedClip] = deque()
        self._num_tokens = 0

    def __repr__(self) -> str:
        return f"VisualMemory(capacity_clips={self._capacity_clips}, capacity_tokens={self._capacity_tokens})"

    @property
    def capacity_clips(self) -> int:
        """Clips held at most."""
        return self._capacity_clips

    @property
    def capacity_tokens(self) -> int | None:
        """Tokens held at most, or None for no limit."""
        return self._capacity_tokens

    @property
    def num_tokens(self) -> int:
        """Tokens held now."""
        return self._num_tokens

    def clips(self) -> tuple[RememberedClip, ...]:
        """What is held of each clip, oldest first."""
        return tuple(self._clips)

    def append(self, clip_index: int, tokens: Tensor) -> None:
        """Remember one more clip and forget what no longer fits.

        The tokens are copied, so that no larger tensor of which they are a part is kept alive.

        Args:
            clip_index: larger than that of any clip held.
            tokens: `[num_tokens, dim]`, one token or more, in temporal order; dim, dtype and device as before.

        Raises:
            SettingError: the shape, dtype, device or index does not go with the clips held. Nothing has changed.
        """
        self._check(clip_index, tokens)
        if self._capacity_clips == 0 or self._capacity_tokens == 0:
            return
        newest = tokens if self._capacity_tokens is None else tokens[-self._capacity_tokens :]
        self._clips.append(RememberedClip(clip_index, newest.detach().clone(memory_format=torch.contiguous_format)))
        self._num_tokens += newest.shape[0]
        while self._is_over():
            self._num_tokens -= self._clips.popleft().num_tokens

    def tokens(self, like: Tensor | None = None) -> Tensor:
        """All tokens, `[num_tokens, dim]`, oldest first.

        Args:
            like: gives an empty memory its dim, dtype and device, `[any, dim]`: pass the clip that is about to be
                described. Without it an empty memory is float32 `[0, 0]` on the CPU.
        """
        return _concatenate(self.clips(), like)

    def tokens_within(self, limit_tokens: int, like: Tensor | None = None) -> Tensor:
        """The newest whole clips that fit into a limit, `[num_tokens, dim]`, oldest first.

        It stops at the first clip that does not fit, the newest included: the memory stays one unbroken stretch of
        the stream that reaches up to now.

        Args:
            limit_tokens: the most that the model's window has room for, 0 or more.
            like: as for `tokens`.

        Raises:
            SettingError: the limit is negative.
        """
        if limit_tokens < 0:
            raise SettingError(f"limit_tokens is 0 or more, not {limit_tokens}")
        fitting: list[RememberedClip] = []
        left_tokens = limit_tokens
        for clip in reversed(self._clips):
            if clip.num_tokens > left_tokens:
                break
            left_tokens -= clip.num_tokens
            fitting.append(clip)
        return _concatenate(tuple(reversed(fitting)), self._clips[-1].tokens if self._clips else like)

    def save(self, path: str | Path) -> None:
        """Write the memory as one safetensors file, in one step: a crash leaves the old file or the new one, whole.

        Raises:
            JournalWriteError: the disk is full or read-only, or the folder is missing.
        """
        clips = [(clip.clip_index, clip.tokens) for clip in self._clips]
        write_memory(Path(path), clips, self._capacity_clips, self._capacity_tokens)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The memory that `save` wrote: the same clips, bytes, dtype and capacities.

        Args:
            path: the file.
            device: where the tokens go; that of the model.

        Raises:
            JournalNotFoundError: there is no such file.
            NotAJournalError: the file is damaged or is something else.
            JournalTooNewError: a later version of Keepsight wrote it.
        """
        clips, capacity_clips, capacity_tokens = read_memory(Path(path), device)
        try:
            memory = cls(capacity_clips, capacity_tokens)
            for clip_index, tokens in clips:
                memory.append(clip_index, tokens)
        except SettingError as error:
            raise NotAJournalError(f"{path} is not a saved visual memory: {error}") from error
        return memory

    def _is_over(self) -> bool:
        """Whether either capacity is exceeded."""
        too_many_tokens = self._capacity_tokens is not None and self._num_tokens > self._capacity_tokens
        return too_many_tokens or len(self._clips) > self._capacity_clips

    def _check(self, clip_index: int, tokens: Tensor) -> None:
        """Refuse a clip that does not go with those held."""
        if tokens.ndim != 2 or tokens.shape[0] == 0:
            raise SettingError(f"a remembered clip has shape [num_tokens, dim], one or more, not {list(tokens.shape)}")
        if clip_index < 0:
            raise SettingError(f"a clip's index is 0 or more, not {clip_index}")
        if not self._clips:
            return
        last = self._clips[-1]
        if clip_index <= last.clip_index:
            raise SettingError(f"clips come in order: after clip {last.clip_index}, not {clip_index}")
        if _kind(tokens) != _kind(last.tokens):
            raise SettingError(f"the memory holds tokens of {_kind(last.tokens)}, not {_kind(tokens)}")


def _kind(tokens: Tensor) -> str:
    """What all tokens of one memory share."""
    return f"{tokens.shape[1]} dims, {tokens.dtype}, on {tokens.device}"


def _concatenate(clips: tuple[RememberedClip, ...], like: Tensor | None) -> Tensor:
    """Tokens of clips in order; an empty matrix like `like` where there are none."""
    if clips:
        return torch.cat([clip.tokens for clip in clips])
    return torch.empty((0, 0)) if like is None else like.new_empty((0, like.shape[-1]))
