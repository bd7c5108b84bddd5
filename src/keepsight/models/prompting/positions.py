"""Where the tokens of a prompt stand: contiguous, on a grid of time and space, or as far back as they were seen.

The paper (section 3, arXiv 2510.17364) puts kept tokens at contiguous positions: their order survives, when and where
in the picture they were seen does not. Whether giving that back helps is open there; `keepsight bench` measures it.

Models with M-RoPE (Qwen2-VL, arXiv 2409.12191) have three positions a token. Text and memory have all three equal and
running. Whole frames that begin at position p stand at `(p + step * interval, p + row, p + column)`, and what follows
goes on after the largest position so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from keepsight.errors import SettingError


@dataclass(frozen=True)
class GridRule:
    """How whole frames stand under M-RoPE.

    Attributes:
        rows: of tokens in a step.
        columns: of tokens in a step.
        step_interval: positions between two steps.
        moves_all: whether rows and columns move on with time, too, as where each step is a picture of its own.
    """

    rows: int
    columns: int
    step_interval: int
    moves_all: bool = False


@dataclass(frozen=True)
class PieceShape:
    """What positions depend on.

    Attributes:
        kind: of the tokens.
        length: number of tokens.
    """

    kind: Literal["text", "memory", "frames"]
    length: int


def offsets_within(offsets: Tensor, limit_tokens: int) -> Tensor:
    """Offsets that leave no token outside the model's window: those that reach too far are drawn in.

    A kept token stands for many that were not kept, so the oldest soon lie farther back than any position that the
    model has learnt. Each such token takes the farthest place that is left; the order stays, and the newer tokens keep
    their true distance.

    Args:
        offsets: int64 `[num_memory_tokens]`, strictly falling, 1 or more.
        limit_tokens: the largest offset for which the window has room, at least `num_memory_tokens`.

    Returns:
        int64 `[num_memory_tokens]`, strictly falling, from `limit_tokens` at most to 1 at least.
    """
    return torch.minimum(offsets, limit_tokens - torch.arange(len(offsets), device=offsets.device))


def prompt_positions(
    pieces: Sequence[PieceShape], memory_offsets: Tensor | None, grid: GridRule | None, device: torch.device
) -> Tensor | None:
    """Positions of a prompt.

    Args:
        pieces: in order; pieces of one kind beside each other go on with each other.
        memory_offsets: int64 `[num_memory_tokens]`, falling: visual tokens from each memory token to the clip's first
            one. The memory then stands that far before the clip; text in between stays next to the clip.
        grid: of a model with three axes; None for one axis.
        device: where the positions are wanted.

    Returns:
        int64 `[axes, length]`; None for 0, 1, 2 ... on one axis.

    Raises:
        SettingError: the offsets are no whole numbers that fall to 1 or more, one for each memory token.
    """
    if memory_offsets is not None:
        _check_offsets(memory_offsets, sum(piece.length for piece in pieces if piece.kind == "memory"))
    if grid is None and memory_offsets is None:
        return None
    axes = 1 if grid is None else 3
    parts = [torch.empty(axes, 0, dtype=torch.int64)]
    here, video_start, num_placed = 0, 0, 0
    remembered_steps = 0  # of the grid that memory at its original places and the clip right after it share
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
            here += until_next if grid is None else remembered_steps * grid.step_interval
        else:
            part = (here + torch.arange(piece.length)).expand(axes, -1)
            remembered_steps = 0
        parts.append(part)
        here = max(here, int(part.max()) + 1) if piece.length else here
    return torch.cat(parts, dim=1).to(device)


def _on_grid(index: Tensor, start: int, grid: GridRule) -> Tensor:
    """Positions `[3, num_tokens]` of the tokens with these indices in a video that begins at a position."""
    cells = grid.rows * grid.columns
    step, cell = index.div(cells, rounding_mode="floor"), index.remainder(cells)
    row, column = cell.div(grid.columns, rounding_mode="floor"), cell.remainder(grid.columns)
    time = step * grid.step_interval
    picture = time if grid.moves_all else torch.zeros_like(time)
    return start + torch.stack([time, picture + row, picture + column])


def _far_back(offsets: Tensor, start: int, grid: GridRule | None) -> tuple[Tensor, int]:
    """Positions `[axes, num_memory_tokens]` of a memory as far before the clip as it was seen, the oldest at `start`.

    On a grid it stands where it stood in the picture, too; then the steps between `start` and the clip come with it.
    """
    if grid is None:
        return (start + int(offsets[0]) - offsets).unsqueeze(0), 0
    cells = grid.rows * grid.columns
    steps = -(-int(offsets[0]) // cells)
    return _on_grid(steps * cells - offsets, start, grid), steps


def _check_offsets(offsets: Tensor, num_memory_tokens: int) -> None:
    if offsets.ndim != 1 or offsets.dtype != torch.int64 or len(offsets) != num_memory_tokens:
        raise SettingError(
            f"memory_offsets are int64 of shape [{num_memory_tokens}], one for each memory token, "
            f"not {offsets.dtype} of shape {list(offsets.shape)}"
        )
    if len(offsets) and (int(offsets[-1]) < 1 or bool((offsets.diff() >= 0).any())):
        raise SettingError("memory_offsets fall from each token to the next, and the last one is 1 or more")
