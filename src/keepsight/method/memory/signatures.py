"""Short signatures of tokens, and how alike tokens are by them.

A signature consists of whole numbers, so products of signatures are exact: they do not depend on what else is in a
matrix, on threads or on the machine. A memory that keeps signatures between clips and one that was restored from a
journal, and computes them again, therefore choose the same tokens.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EXACT_DIM = 256
"""Tokens of up to so many dimensions are not folded."""
FOLDED_DIM = 128
"""Width of the signatures of wider tokens: cosines have a standard error of 0.09 around 0 and of 0.02 around 0.9."""
LENGTH = 2047
"""Euclidean length of a signature, up to rounding: float32 holds products of two, and every sum on the way, exactly."""

_BLOCK_ROWS = 256


def signatures_of(tokens: Tensor) -> NDArray[np.float32]:
    """Directions of tokens as whole numbers, each row from its token alone.

    Wide tokens are folded: their dimensions get random signs, and every 128th are added up (a sparse random projection
    after Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002). Values that are not finite
    count as 0.

    Args:
        tokens: `[num_tokens, dim]`.

    Returns:
        float32 `[num_tokens, dim]`, or `[num_tokens, 128]` above 256 dimensions. A token of zeros has zeros.
    """
    values = tokens.detach().float().cpu().numpy()
    values = np.where(np.isfinite(values), values, np.float32(0))
    values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if values.shape[1] > EXACT_DIM:
        values = _fold(values)
    lengths = np.sqrt(np.square(values.astype(np.float64)).sum(axis=1, keepdims=True))
    whole: NDArray[np.float32] = np.rint(values * (LENGTH / np.maximum(lengths, 1e-12))).astype(np.float32)
    return whole


def _fold(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of every 128th column with random signs, added in a fixed order."""
    signed = values * _signs(values.shape[1])
    folded = np.zeros((len(values), FOLDED_DIM), dtype=np.float32)
    for start in range(0, signed.shape[1], FOLDED_DIM):
        part = signed[:, start : start + FOLDED_DIM]
        folded[:, : part.shape[1]] += part
    return folded


@lru_cache(maxsize=8)
def _signs(dim: int) -> NDArray[np.float32]:
    """Random signs, the same in every process and version of Python."""
    bits = random.Random(dim).getrandbits(dim)
    return np.array([1.0 if bits >> column & 1 else -1.0 for column in range(dim)], dtype=np.float32)


def likeness_of(signatures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Likeness of all pairs of tokens: cosines times `LENGTH` squared, whole numbers.

    Args:
        signatures: `[num_tokens, width]`.

    Returns:
        float32 `[num_tokens, num_tokens]`: 44 MB for a full memory of the paper's size.
    """
    likeness = torch.empty(len(signatures), len(signatures))
    for start, block in likeness_blocks(torch.from_numpy(signatures)):
        end = start + len(block)
        likeness[start:end, start:] = block
        likeness[end:, start:end] = block[:, len(block) :].T
    return likeness.numpy()


def likeness_blocks(rows: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Likeness of each token to itself and all later ones, in blocks that stay in the cache.

    Args:
        rows: signatures, float32 `[num_tokens, width]`.

    Returns:
        First row of each block, and its likeness, float32 `[block_rows, num_tokens - first]`.
    """
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield start, rows[start : start + _BLOCK_ROWS] @ rows[start:].T
