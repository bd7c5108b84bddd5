"""Frames as the flat patches of Qwen's vision towers, with aspect ratio kept (Qwen2-VL, arXiv 2409.12191)."""

from dataclasses import dataclass

from torch import Tensor

from keepsight.errors import ModelError


@dataclass(frozen=True)
class PatchRule:
    """How frames become patches, and patches visual tokens.

    Attributes:
        patch_pixels: side of a patch.
        merged_patches: patches per side merged into one visual token.
        frames_per_step: consecutive frames per patch.
        max_tokens: maximum visual tokens per step.
    """

    patch_pixels: int
    merged_patches: int
    frames_per_step: int
    max_tokens: int

    @property
    def token_pixels(self) -> int:
        """Side of one visual token's area, in pixels."""
        return self.patch_pixels * self.merged_patches

    @property
    def square_side(self) -> int:
        """Rows and columns of tokens of a large square frame."""
        return int(self.max_tokens**0.5)

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens for frames of a size in pixels, preserving the aspect ratio as far as whole tokens
        allow.

        Frames smaller than the maximum get fewer tokens, since they have no more detail.
        """
        pixels = self.token_pixels**2
        wanted = min(self.max_tokens, max(1, height * width // pixels))
        rows = min(wanted, max(1, round((wanted * height / width) ** 0.5)))
        columns = min(wanted // rows, max(1, round((wanted * width / height) ** 0.5)))
        return rows, columns

    def flatten(self, pixels: Tensor) -> Tensor:
        """Pixels in the order of the tower's patch embedding.

        Args:
            pixels: `[num_frames, 3, height, width]` in time order; an incomplete step is padded with its last frame.

        Returns:
            `[num_steps * rows * columns * merged_patches ** 2, 3 * frames_per_step * patch_pixels ** 2]`: the patches
            of a token follow one another, and a patch is flattened as channel, frame, row, column.

        Raises:
            ModelError: height or width is not a multiple of `token_pixels`.
        """
        if pixels.shape[2] % self.token_pixels or pixels.shape[3] % self.token_pixels:
            raise ModelError(
                f"frame height and width must be multiples of {self.token_pixels} pixels, got {list(pixels.shape[2:])}"
            )
        missing = -len(pixels) % self.frames_per_step
        whole = pixels if not missing else _filled(pixels, missing)
        merge, patch = self.merged_patches, self.patch_pixels
        rows, columns = (size // self.token_pixels for size in pixels.shape[2:])
        parts = whole.reshape(-1, self.frames_per_step, 3, rows, merge, patch, columns, merge, patch)
        # From step, frame, channel, row, row in token, y, column, column in token, x
        ordered = parts.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
        return ordered.reshape(-1, 3 * self.frames_per_step * patch**2)


def _filled(pixels: Tensor, num_more: int) -> Tensor:
    return pixels[[*range(len(pixels)), *[len(pixels) - 1] * num_more]]
