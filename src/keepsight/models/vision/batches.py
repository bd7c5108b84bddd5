"""Frames through the vision tower in batches; a batch equal to the one before is encoded once.

Repeated frames are not taken out of a batch. The last bits of a product of matrices depend on its number of rows, and
on a CPU in float32 also on a row's place among them, so the other frames would get other tokens. A repeated batch takes
the tokens of the one before, which are equal to the last bit on any hardware. On a CPU a batch is as small as it can be
without taking longer, for a large tower one step, so that almost all repeated frames are saved.
"""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from keepsight.method.protocol import ModelInfo

logger = logging.getLogger(__name__)

MIN_BATCH_TOKENS = 64
"""Visual tokens per batch on a CPU. Larger batches are hardly faster; in smaller ones, calls cost more than arithmetic
(`benchmarks/tower.py`)."""


def frames_in_batch(info: ModelInfo, most_frames: int) -> int:
    """Frames per batch on a model's device.

    Args:
        info: properties of the model.
        most_frames: frames per batch on a GPU, and the maximum on a CPU; a multiple of `info.frames_per_step`.
    """
    if torch.device(info.devices[0]).type != "cpu":
        return most_frames
    return frames_per_batch_on_cpu(info.tokens_per_step, info.frames_per_step, most_frames)


def frames_per_batch_on_cpu(tokens_per_step: int, frames_per_step: int, most_frames: int) -> int:
    """Frames per batch on a CPU.

    Args:
        tokens_per_step: visual tokens per step.
        frames_per_step: consecutive frames merged into one step.
        most_frames: maximum.
    """
    num_steps = -(-MIN_BATCH_TOKENS // tokens_per_step)
    return min(most_frames, num_steps * frames_per_step)


def encode_batches(
    frames: Sequence[np.ndarray], size: int, encode_batch: Callable[[Sequence[np.ndarray]], Tensor]
) -> Tensor:
    """Visual tokens of frames in time order, encoded in batches.

    Args:
        frames: uint8 RGB `[height, width, 3]`, at least one.
        size: frames per batch, at least 1; the last batch may have fewer.
        encode_batch: `[num_tokens, visual_dim]` of one batch.

    Returns:
        `[num_tokens, visual_dim]` of all frames: bit for bit what `encode_batch` gives for one batch after another.
    """
    batches = [frames[start : start + size] for start in range(0, len(frames), size)]
    tokens: list[Tensor] = []
    num_encoded = 0
    for before, batch in zip([None, *batches], batches, strict=False):
        if before is not None and _are_equal(before, batch):
            tokens.append(tokens[-1])
        else:
            tokens.append(encode_batch(batch))
            num_encoded += len(batch)
    logger.debug("encoded %d of %d frames; the others repeat the batch before", num_encoded, len(frames))
    return torch.cat(tokens)


def _are_equal(frames: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Whether two batches have the same bytes. They are compared before resizing, which is thus saved as well."""
    return len(frames) == len(others) and all(
        one is other or (one.dtype == other.dtype and np.array_equal(one, other))
        for one, other in zip(frames, others, strict=True)
    )
