"""The recurrent short-term store of selected visual tokens (paper, section 3, arXiv 2510.17364)."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.memory.clips import (
    DEFAULT_CAPACITY_CLIPS,
    Capacity,
    Clips,
    MemoryPolicy,
    MemoryView,
    RememberedClip,
    num_tokens_of,
)
from keepsight.method.memory.policies import Fifo
from keepsight.settings import PARTS


class VisualMemory:
    """Selected tokens of earlier clips, oldest first; the policy decides what to hold when not everything fits.

    With capacity 0 nothing is held, which turns the recurrence off.

    Args:
        capacity_clips: limit of clips, at least 0; for policies that do not hold whole clips, the token limit is this
            times the tokens kept of the stream's first clip.
        capacity_tokens: limit of tokens, at least 0; None for no limit.
        policy: what to hold; None for FIFO.

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
        """Limit of clips."""
        return self._capacity.clips

    @property
    def capacity_tokens(self) -> int | None:
        """Limit of tokens, or None."""
        return self._capacity.tokens

    @property
    def policy(self) -> MemoryPolicy:
        """Policy for what to hold."""
        return self._policy

    @property
    def num_tokens(self) -> int:
        """Number of tokens held."""
        return num_tokens_of(self._clips)

    def clips(self) -> Clips:
        """Held tokens of each clip, oldest first."""
        return self._clips

    def changed_clips(self) -> Clips:
        """Clips that the last `append` added or changed, for updating a copy of the memory."""
        return self._changed

    def append(self, clip_index: int, tokens: Tensor, positions: Tensor, scores: Tensor) -> None:
        """Add a clip and drop what no longer fits.

        Tensors are copied, so no larger tensor that they are views of is kept alive.

        Args:
            clip_index: above that of every held clip.
            tokens: `[num_tokens, dim]`, at least one token, in temporal order; dim, dtype and device as before.
            positions: int64 `[num_tokens]`, positions in the stream; increasing, above those held.
            scores: float32 `[num_tokens]`, attention that selected them.

        Raises:
            SettingError: a shape, dtype, device, index or position does not match the held clips. The memory is
                unchanged.
            PlugInError: the policy is a plug-in that fails.
        """
        clip = RememberedClip(clip_index, _copy(tokens), _copy(positions).cpu(), _copy(scores).cpu())
        _check_order((*self._clips[-1:], clip))
        if not self._capacity.first_clip_tokens:
            self._capacity = replace(self._capacity, first_clip_tokens=clip.num_tokens)
        before = {id(held) for held in self._clips}
        self._clips = self._retained((*self._clips, clip))
        self._changed = tuple(held for held in self._clips if id(held) not in before)

    def restore(self, clips: Iterable[RememberedClip], first_clip_tokens: int) -> None:
        """Replace the contents with those of an equal memory.

        Args:
            clips: oldest first.
            first_clip_tokens: tokens kept of the stream's first clip; 0 for a stream without clips.

        Raises:
            SettingError: the clips do not match. The memory is unchanged.
        """
        held = tuple(clips)
        _check_order(held)
        self._capacity = replace(self._capacity, first_clip_tokens=first_clip_tokens)
        self._clips = self._retained(held)
        self._changed = ()

    def _retained(self, clips: Clips) -> Clips:
        """What the policy holds of `clips`, checked."""
        with PARTS["memory_policy"].calling(self._policy, "retain"):
            retained = self._policy.retain(clips, self._capacity)
            _check_retained(retained, clips)
        return retained

    def tokens(self, like: Tensor | None = None) -> Tensor:
        """All tokens, `[num_tokens, dim]`, oldest first.

        Args:
            like: `[any, dim]`, gives an empty memory its dim, dtype and device: pass the next clip. Without it an empty
                memory is float32 `[0, 0]` on the CPU.
        """
        return _view(self._clips, like).tokens

    def tokens_within(self, limit_tokens: int, like: Tensor | None = None) -> MemoryView:
        """Newest whole clips that fit into a limit, oldest first.

        Stops at the first clip that does not fit, the newest included, so the result has no holes.

        Args:
            limit_tokens: room in the model's context window, at least 0.
            like: as for `tokens`.

        Raises:
            SettingError: the limit is negative.
        """
        if limit_tokens < 0:
            raise SettingError(f"limit_tokens must be at least 0, got {limit_tokens}")
        num_fitting, left_tokens = 0, limit_tokens
        for clip in reversed(self._clips):
            left_tokens -= clip.num_tokens
            if left_tokens < 0:
                break
            num_fitting += 1
        fitting = self._clips[len(self._clips) - num_fitting :]
        return _view(fitting, self._clips[-1].tokens if self._clips else like)


def _copy(values: Tensor) -> Tensor:
    return values.detach().clone(memory_format=torch.contiguous_format)


def _check_order(clips: Clips) -> None:
    """Check that clips are in order and their tokens match."""
    for last, clip in pairwise(clips):
        if clip.clip_index <= last.clip_index:
            raise SettingError(
                f"clips must be added in order: clip_index must be above {last.clip_index}, got {clip.clip_index}"
            )
        if clip.positions[0] <= last.positions[-1]:
            raise SettingError(
                f"positions must increase across clips: above {int(last.positions[-1])}, got {int(clip.positions[0])}"
            )
        if _kind(clip.tokens) != _kind(last.tokens):
            raise SettingError(f"tokens must match those in memory, {_kind(last.tokens)}, got {_kind(clip.tokens)}")


def _check_retained(retained: object, clips: Clips) -> None:
    """Check that a policy returned some of the clips that it was given, in order.

    Raises:
        SettingError: it did not.
    """
    if not isinstance(retained, tuple) or not all(isinstance(clip, RememberedClip) for clip in retained):
        raise SettingError(f"the result must be a tuple of RememberedClip, got {_type_of(retained)}")
    _check_order(retained)
    added = {clip.clip_index for clip in retained} - {clip.clip_index for clip in clips}
    if added:
        raise SettingError(f"the result must have no other clips than were given, got clip {min(added)}")


def _type_of(value: object) -> str:
    """Type of a value; of a tuple or list with the types in it."""
    name = type(value).__name__
    inner = sorted({type(one).__name__ for one in value}) if isinstance(value, tuple | list) else []
    return f"{name} of {', '.join(inner)}" if inner else name


def _kind(tokens: Tensor) -> str:
    """Properties that all tokens of a memory share."""
    return f"{tokens.shape[1]} dims, {tokens.dtype}, on {tokens.device}"


def _view(clips: Clips, like: Tensor | None) -> MemoryView:
    """Concatenated tokens of clips; an empty matrix like `like` if there are none."""
    if clips:
        return MemoryView(torch.cat([clip.tokens for clip in clips]), torch.cat([clip.positions for clip in clips]))
    empty = torch.empty((0, 0)) if like is None else like.new_empty((0, like.shape[-1]))
    return MemoryView(empty, torch.empty(0, dtype=torch.int64))
