"""Muon: orthogonalised steps of a weight matrix, so rare directions learn as fast as frequent ones.

After Jordan and others, "Muon: an optimizer for hidden layers in neural networks" (2024), with the step size of Liu and
others, "Muon is scalable for LLM training" (arXiv 2502.16982): a step has the size of AdamW's. Lookup consists of many
rare associations, one per noun, which is the reason to use it. PyTorch's own Muon iterates in bfloat16, which takes ten
times as long as float32 on processors without instructions for it.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iterated quintic: it moves singular values between 0 and 1 to about 1 in five rounds."""
ROUNDS = 5
MOMENTUM = 0.95
WEIGHT_DECAY = 0.02
ADAMW_BETAS = (0.9, 0.98)
MOST_ROWS = 512
"""Matrices with more rows are embeddings, one row per word."""
MATCH_ADAMW = 0.2
"""Root mean square of AdamW's steps in units of the learning rate, from arXiv 2502.16982."""


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices `[..., rows, columns]` with their singular values moved close to 1 (Newton-Schulz iteration)."""
    a, b, c = COEFFICIENTS
    turned = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if turned else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    result: Tensor = x.mT if turned else x
    return result


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum, for weight matrices of hidden layers only."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002 - PyTorch's signature
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - MOMENTUM)
                direction = orthogonalised(parameter.grad.lerp(momentum, MOMENTUM))
                parameter.mul_(1 - group["lr"] * WEIGHT_DECAY)
                parameter.add_(direction, alpha=-group["lr"] * MATCH_ADAMW * max(parameter.shape) ** 0.5)


class Optimizers:
    """Several optimizers as one, each with its own parameters and learning rate."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        self._peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]

    def step_at(self, share: float) -> None:
        """Take one step at a share of each peak rate, then clear the gradients."""
        for optimizer, peaks in zip(self.optimizers, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """State of each optimizer, by number."""
        return {str(number): optimizer.state_dict() for number, optimizer in enumerate(self.optimizers)}

    def load_state_dict(self, states: dict[str, Any]) -> None:
        """Restore a saved state."""
        for number, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(states[str(number)])


def adamw(parameters: Iterable[Tensor], rate: float) -> Optimizers:
    """AdamW for everything."""
    return Optimizers(torch.optim.AdamW(parameters, rate, betas=ADAMW_BETAS, weight_decay=WEIGHT_DECAY))


def muon_and_adamw(parameters: Iterable[Tensor], rate: float) -> Optimizers:
    """Muon at `2 * rate` for the matrices of hidden layers; AdamW for embeddings, biases and others."""
    every = list(parameters)
    hidden = [one for one in every if one.ndim == 2 and len(one) <= MOST_ROWS]
    others = [one for one in every if one.ndim != 2 or len(one) > MOST_ROWS]
    return Optimizers(Muon(hidden, 2 * rate), *adamw(others, rate).optimizers)
