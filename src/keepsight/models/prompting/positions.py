"""Token positions in a prompt: contiguous, on a grid of time and space, or at the original distance.

The paper (section 3, arXiv 2510.17364) places kept tokens at contiguous positions: this preserves order, but not time
or place. Whether restoring those helps is left open there; `keepsight bench` measures it.

Models with M-RoPE (Qwen2-VL, arXiv 2409.12191) have three positions per token. For text and memory all three are equal.
Whole frames that start at position p have positions `(p + step * interval, p + row, p + column)`, and the next token
continues after the largest one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor

from keepsight.errors import SettingError


@dataclass(frozen=True)
class GridRule:
    """Position grid of whole frames under M-RoPE.

    Attributes:
        rows: token rows per step.
        columns: token columns per step.
        step_interval: positions between steps; a step stands at the whole position before its own time, so several
            share one if it is below 1.
        moves_all: whether rows and columns advance with time, too, as when each step is a separate image.
    """

    rows: int
    columns: int
    step_interval: Fraction | int
    moves_all: bool = False

    def position_of(self, step: Tensor) -> Tensor:
        """Positions of steps, int64, relative to the first."""
        numerator, denominator = self.step_interval.as_integer_ratio()
        return (step * numerator).div(denominator, rounding_mode="floor")


@dataclass(frozen=True)
class PieceShape:
    """What positions depend on.

    Attributes:
        kind: kind of tokens.
        length: number of tokens.
    """

    kind: Literal["text", "memory", "frames"]
    length: int


def prompt_positions(
    pieces: Sequence[PieceShape], memory_offsets: Tensor | None, grid: GridRule | None, device: torch.device
) -> Tensor | None:
    """Positions of a prompt.

    Args:
        pieces: in order; adjacent pieces of one kind continue each other.
        memory_offsets: int64 `[num_memory_tokens]`, decreasing: distance in visual tokens from each memory token to the
            clip's first one. Memory is then placed that far before the clip; text in between stays next to the clip.
        grid: grid of a model with three axes; None for one axis.
        device: device of the result.

    Returns:
        int64 `[axes, length]`; None for 0, 1, 2 ... on one axis.

    Raises:
        SettingError: the offsets are not decreasing integers of at least 1, one per memory token.
    """
    if memory_offsets is not None:
        _check_offsets(memory_offsets, sum(piece.length for piece in pieces if piece.kind == "memory"))
    if grid is None and memory_offsets is None:
        return None
    axes = 1 if grid is None else 3
    parts = [torch.empty(axes, 0, dtype=torch.int64)]
    here, video_start, num_placed = 0, 0, 0
    remembered_steps = 0  # steps of the grid that original-position memory and the following clip share
    for piece in pieces:
        if piece.kind == "frames" and grid is not None:
            start = video_start if remembered_steps else here
            part = _on_grid(remembered_steps * grid.rows * grid.columns + torch.arange(piece.length), start, grid)
            remembered_steps = 0
        elif piece.kind == "memory" and memory_offsets is not None and piece.length:
            offsets = memory_offsets[num_placed:].cpu()
            num_placed += piece.length
            part, remembered_steps = _far_back(offsets[: piece.length], here, grid)
            video_start = here
            until_next = int(offsets[0] - (offsets[piece.length] if len(offsets) > piece.length else 0))
            here += until_next if grid is None else int(grid.position_of(torch.tensor(remembered_steps)))
        else:
            part = (here + torch.arange(piece.length)).expand(axes, -1)
            remembered_steps = 0
        parts.append(part)
        here = max(here, int(part.max()) + 1) if piece.length else here
    return torch.cat(parts, dim=1).to(device)


def _on_grid(index: Tensor, start: int, grid: GridRule) -> Tensor:
    """Positions `[3, num_tokens]` of tokens by index in a video that starts at a position."""
    cells = grid.rows * grid.columns
    step, cell = index.div(cells, rounding_mode="floor"), index.remainder(cells)
    row, column = cell.div(grid.columns, rounding_mode="floor"), cell.remainder(grid.columns)
    time = grid.position_of(step)
    picture = time if grid.moves_all else torch.zeros_like(time)
    return start + torch.stack([time, picture + row, picture + column])


def _far_back(offsets: Tensor, start: int, grid: GridRule | None) -> tuple[Tensor, int]:
    """Positions `[axes, num_memory_tokens]` of memory at its original distance, the oldest at `start`.

    On a grid it also keeps its place in the picture; returns the steps between `start` and the clip.
    """
    if grid is None:
        return (start + int(offsets[0]) - offsets).unsqueeze(0), 0
    cells = grid.rows * grid.columns
    steps = -(-int(offsets[0]) // cells)
    return _on_grid(steps * cells - offsets, start, grid), steps


def _check_offsets(offsets: Tensor, num_memory_tokens: int) -> None:
    if offsets.ndim != 1 or offsets.dtype != torch.int64 or len(offsets) != num_memory_tokens:
        raise SettingError(
            f"memory_offsets must be int64 of shape [{num_memory_tokens}], one per memory token, "
            f"got {offsets.dtype} of shape {list(offsets.shape)}"
        )
    if len(offsets) and (int(offsets[-1]) < 1 or bool((offsets.diff() >= 0).any())):
        raise SettingError("memory_offsets must decrease strictly and end at 1 or more")
