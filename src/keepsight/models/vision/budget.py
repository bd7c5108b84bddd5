"""Frames scaled up or down to a budget of visual tokens, as rows of patches with their places (Gemma 4)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BudgetRule:
    """How frames become patches, and patches visual tokens.

    Attributes:
        patch_pixels: side of a patch.
        pooled_patches: patches per side pooled into one visual token.
        max_tokens: budget of visual tokens per frame.
    """

    patch_pixels: int
    pooled_patches: int
    max_tokens: int

    @property
    def token_pixels(self) -> int:
        """Side of one visual token's area, in pixels."""
        return self.patch_pixels * self.pooled_patches

    @property
    def whole_grid(self) -> tuple[int, int]:
        """The least oblong rows and columns that use up the budget."""
        rows = next(rows for rows in range(math.isqrt(self.max_tokens), 0, -1) if self.max_tokens % rows == 0)
        return rows, self.max_tokens // rows

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens for frames of a size in pixels: the largest within the budget that preserve the
        aspect ratio, rounded down to whole tokens. A strip thinner than a token is one token thick, and at most as long
        as its sides' ratio rounded down.
        """
        factor = math.sqrt(self.max_tokens * self.token_pixels**2 / (height * width))
        rows, columns = (math.floor(factor * side / self.token_pixels) for side in (height, width))
        if rows == 0:
            return 1, min(width // height, self.max_tokens)
        if columns == 0:
            return min(height // width, self.max_tokens), 1
        return rows, columns

    def flatten(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Patches of frames, and their places.

        Args:
            pixels: `[num_frames, 3, height, width]`; height and width are multiples of `token_pixels`.

        Returns:
            `[num_frames, num_patches, 3 * patch_pixels ** 2]`, a patch flattened as row, column, channel; and int64
            `[num_frames, num_patches, 2]`, column and row of each patch.
        """
        num_frames, patch = len(pixels), self.patch_pixels
        rows, columns = (size // patch for size in pixels.shape[2:])
        parts = pixels.reshape(num_frames, 3, rows, patch, columns, patch)
        # From frame, channel, row, y, column, x
        patches = parts.permute(0, 2, 4, 3, 5, 1).reshape(num_frames, rows * columns, -1)
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        places = torch.stack([column.flatten(), row.flatten()], dim=1).to(pixels.device)
        return patches, places.expand(num_frames, -1, -1)
