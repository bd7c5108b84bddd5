"""The recurrent short-term store of selected visual tokens (paper, section 3, arXiv 2510.17364)."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from keepsight.errors import NotAJournalError, SettingError
from keepsight.memory.clips import Clips, MemoryView, RememberedClip, num_tokens_of
from keepsight.memory.fifo import Fifo
from keepsight.memory.file import SavedMemory, read_memory, write_memory
from keepsight.memory.policy import DEFAULT_CAPACITY_CLIPS, Capacity, MemoryPolicy


class VisualMemory:
    """Selected tokens of the clips so far, oldest first; a policy says what is held when not all fits.

    A capacity of 0 means no memory: everything is dropped at once and recurrence is off.

    Args:
        capacity_clips: clips held at most, 0 or more; under a policy that does not hold whole clips, this many times
            the tokens kept of the stream's first clip.
        capacity_tokens: tokens held at most, 0 or more; None for no limit.
        policy: what is held; None for first in, first out.

    Raises:
        SettingError: a capacity is negative.
    """

    def __init__(
        self,
        capacity_clips: int = DEFAULT_CAPACITY_CLIPS,
        capacity_tokens: int | None = None,
        policy: MemoryPolicy | None = None,
    ) -> None:
        self._capacity = Capacity(capacity_clips, capacity_tokens)
        self._policy = Fifo() if policy is None else policy
        self._clips: Clips = ()
        self._changed: Clips = ()

    def __repr__(self) -> str:
        return (
            f"VisualMemory(capacity_clips={self.capacity_clips}, capacity_tokens={self.capacity_tokens}, "
            f"policy={self._policy})"
        )

    @property
    def capacity_clips(self) -> int:
        """Clips held at most."""
        return self._capacity.clips

    @property
    def capacity_tokens(self) -> int | None:
        """Tokens held at most, or None for no limit."""
        return self._capacity.tokens

    @property
    def policy(self) -> MemoryPolicy:
        """What is held when not all fits."""
        return self._policy

    @property
    def num_tokens(self) -> int:
        """Tokens held now."""
        return num_tokens_of(self._clips)

    def clips(self) -> Clips:
        """What is held of each clip, oldest first."""
        return self._clips

    def changed_clips(self) -> Clips:
        """Those of `clips` that the last `append` added or changed: what a copy of the memory must be told."""
        return self._changed

    def append(self, clip_index: int, tokens: Tensor, positions: Tensor, scores: Tensor) -> None:
        """Remember one more clip and forget what no longer fits.

        All is copied, so that no larger tensor of which it is a part is kept alive.

        Args:
            clip_index: larger than that of any clip held.
            tokens: `[num_tokens, dim]`, one token or more, in temporal order; dim, dtype and device as before.
            positions: int64 `[num_tokens]`, where the tokens stood in the stream; larger than those held, rising.
            scores: float32 `[num_tokens]`, the attention that selected them.

        Raises:
            SettingError: a shape, dtype, device, index or position does not go with the clips held. Nothing has
                changed.
        """
        clip = RememberedClip(clip_index, _copy(tokens), _copy(positions).cpu(), _copy(scores).cpu())
        _check_order((*self._clips[-1:], clip))
        if not self._capacity.first_clip_tokens:
            self._capacity = replace(self._capacity, first_clip_tokens=clip.num_tokens)
        before = {id(held) for held in self._clips}
        self._clips = self._policy.retain((*self._clips, clip), self._capacity)
        self._changed = tuple(held for held in self._clips if id(held) not in before)

    def restore(self, clips: Iterable[RememberedClip], first_clip_tokens: int) -> None:
        """Hold what an equal memory held, in the place of what is held now.

        Args:
            clips: oldest first.
            first_clip_tokens: tokens kept of the stream's first clip; 0 for a stream without clips.

        Raises:
            SettingError: the clips do not go together. Nothing has changed.
        """
        held = tuple(clips)
        _check_order(held)
        self._capacity = replace(self._capacity, first_clip_tokens=first_clip_tokens)
        self._clips = self._policy.retain(held, self._capacity)
        self._changed = ()

    def tokens(self, like: Tensor | None = None) -> Tensor:
        """All tokens, `[num_tokens, dim]`, oldest first.

        Args:
            like: gives an empty memory its dim, dtype and device, `[any, dim]`: pass the clip that is about to be
                described. Without it an empty memory is float32 `[0, 0]` on the CPU.
        """
        return _view(self._clips, like).tokens

    def tokens_within(self, limit_tokens: int, like: Tensor | None = None) -> MemoryView:
        """The newest whole clips that fit into a limit, oldest first.

        It stops at the first clip that does not fit, the newest included: what is shown reaches back from now without
        a hole.

        Args:
            limit_tokens: the most that the model's window has room for, 0 or more.
            like: as for `tokens`.

        Raises:
            SettingError: the limit is negative.
        """
        if limit_tokens < 0:
            raise SettingError(f"limit_tokens is 0 or more, not {limit_tokens}")
        num_fitting, left_tokens = 0, limit_tokens
        for clip in reversed(self._clips):
            left_tokens -= clip.num_tokens
            if left_tokens < 0:
                break
            num_fitting += 1
        fitting = self._clips[len(self._clips) - num_fitting :]
        return _view(fitting, self._clips[-1].tokens if self._clips else like)

    def save(self, path: str | Path) -> None:
        """Write the memory as one safetensors file, in one step: a crash leaves the old file or the new one, whole.

        Raises:
            JournalWriteError: the disk is full or read-only, or the folder is missing.
            SettingError: the policy is none of `POLICIES`.
        """
        write_memory(Path(path), SavedMemory(self._clips, self._capacity, self._policy))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Self:
        """The memory that `save` wrote: the same clips, bytes, dtype, capacities and policy.

        Args:
            path: the file.
            device: where the tokens go; that of the model.

        Raises:
            JournalNotFoundError: there is no such file.
            NotAJournalError: the file is damaged or is something else.
            JournalTooNewError: a later version of Keepsight wrote it.
        """
        saved = read_memory(Path(path), device)
        memory = cls(saved.capacity.clips, saved.capacity.tokens, saved.policy)
        try:
            memory.restore(saved.clips, saved.capacity.first_clip_tokens)
        except SettingError as error:
            raise NotAJournalError(f"{path} is not a saved visual memory: {error}") from error
        return memory


def _copy(values: Tensor) -> Tensor:
    return values.detach().clone(memory_format=torch.contiguous_format)


def _check_order(clips: Clips) -> None:
    """Refuse clips that are not in order or whose tokens differ in kind."""
    for last, clip in pairwise(clips):
        if clip.clip_index <= last.clip_index:
            raise SettingError(f"clips come in order: after clip {last.clip_index}, not {clip.clip_index}")
        if clip.positions[0] <= last.positions[-1]:
            raise SettingError(
                f"positions rise from clip to clip: after {int(last.positions[-1])}, not {int(clip.positions[0])}"
            )
        if _kind(clip.tokens) != _kind(last.tokens):
            raise SettingError(f"the memory holds tokens of {_kind(last.tokens)}, not {_kind(clip.tokens)}")


def _kind(tokens: Tensor) -> str:
    """What all tokens of one memory share."""
    return f"{tokens.shape[1]} dims, {tokens.dtype}, on {tokens.device}"


def _view(clips: Clips, like: Tensor | None) -> MemoryView:
    """Tokens of clips in order; an empty matrix like `like` where there are none."""
    if clips:
        return MemoryView(torch.cat([clip.tokens for clip in clips]), torch.cat([clip.positions for clip in clips]))
    empty = torch.empty((0, 0)) if like is None else like.new_empty((0, like.shape[-1]))
    return MemoryView(empty, torch.empty(0, dtype=torch.int64))
