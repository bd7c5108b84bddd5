"""The least time that a piece of work can take: its arithmetic and its bytes over the rates of the hardware.

Counted are multiplications of matrices (two operations a weight and token), attention (half of the square, since it is
causal) and what must be read at least once: weights once a pass, keys and values once for each token generated.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch

from keepsight.models.hardware.number_formats import DTYPES

from .measuring import now


@dataclass(frozen=True)
class Rates:
    """What hardware does at best.

    Attributes:
        flops: operations a second in products of matrices.
        bytes_a_second: of memory, read or written.
    """

    flops: float
    bytes_a_second: float


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one part."""

    flops: float
    num_bytes: float

    def seconds(self, rates: Rates) -> float:
        """What takes longer, if arithmetic and memory overlap."""
        return max(self.flops / rates.flops, self.num_bytes / rates.bytes_a_second)

    def times(self, count: float) -> "Work":
        """The same so many times."""
        return Work(count * self.flops, count * self.num_bytes)


class ClipArithmetic:
    """Operations and bytes of describing clips with a LLaVA-OneVision model.

    Args:
        config: transformers configuration.
        bytes_a_value: of weights, keys and values.
    """

    def __init__(self, config: Any, bytes_a_value: int) -> None:
        text, self._vision = config.text_config, config.vision_config
        self._text = text
        self._bytes = bytes_a_value
        self._head_dim = text.hidden_size // text.num_attention_heads
        attention = 2 * text.hidden_size * (text.num_attention_heads + text.num_key_value_heads) * self._head_dim
        self.block_weights = text.num_hidden_layers * (attention + 3 * text.hidden_size * text.intermediate_size)
        self.head_weights = text.hidden_size * text.vocab_size
        vision = self._vision
        inner = 4 * vision.hidden_size**2 + 2 * vision.hidden_size * vision.intermediate_size
        self.tower_weights = vision.num_hidden_layers * inner
        self.projector_weights = vision.hidden_size * text.hidden_size + text.hidden_size**2

    @property
    def key_value_bytes(self) -> int:
        """Of one token in all layers."""
        text = self._text
        return 2 * text.num_hidden_layers * text.num_key_value_heads * self._head_dim * self._bytes

    def encoding(self, num_frames: int) -> Work:
        """Frames through the tower, the weights read once."""
        vision = self._vision
        patches = (vision.image_size // vision.patch_size) ** 2
        weights = self.tower_weights + self.projector_weights
        attention = 4 * vision.num_hidden_layers * patches**2 * vision.hidden_size
        return Work(num_frames * (2 * weights * patches + attention), weights * self._bytes)

    def prompt(self, num_prompts: int, num_tokens: int) -> Work:
        """One pass over prompts side by side; the head at the last position only."""
        flops = 2 * self.block_weights * num_tokens + 2 * self.head_weights + self._attention(num_tokens**2 / 2)
        weights = self.block_weights + self.head_weights
        return Work(num_prompts * flops, weights * self._bytes + num_prompts * num_tokens * self.key_value_bytes)

    def step(self, num_prompts: int, num_tokens: float) -> Work:
        """One pass over one new token of each of several prompts."""
        weights = self.block_weights + self.head_weights
        flops = 2 * weights + self._attention(num_tokens)
        return Work(num_prompts * flops, weights * self._bytes + num_prompts * num_tokens * self.key_value_bytes)

    def _attention(self, num_pairs: float) -> float:
        """Products of queries with keys and of weights with values, in all layers."""
        return 4 * self._text.num_hidden_layers * self._text.num_attention_heads * self._head_dim * num_pairs


def measured_rates(device: str, dtype: str, working_bytes: int) -> Rates:
    """What this device does in products of large matrices and in copying, best of a few.

    Args:
        device: torch device.
        dtype: name of the number format.
        working_bytes: size of what is copied, so that caches help as they do the model whose weights are as large;
            1 GB at most.
    """
    side = 8192 if device.startswith("cuda") else 1024
    left, right = (torch.randn(side, side, device=device).to(DTYPES[dtype]) for _ in range(2))
    source = torch.empty(min(1 << 30, max(1 << 20, working_bytes)), dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    products = _best_seconds(device, lambda: torch.mm(left, right))
    copies = _best_seconds(device, lambda: target.copy_(source))
    return Rates(2 * side**3 / products, 2 * len(source) / copies)


def _best_seconds(device: str, call: Any) -> float:
    """Shortest of a few calls after one that warms up: CPU time on one thread of a CPU, as others use it, too."""
    call()
    clock = time.thread_time if device == "cpu" and torch.get_num_threads() == 1 else lambda: now(device)
    times = []
    for _ in range(10):
        started = clock()
        call()
        times.append(clock() - started)
    return min(times)
