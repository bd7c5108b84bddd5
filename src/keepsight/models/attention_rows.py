"""Attention rows of caption tokens, taken beside the fast kernel.

Which rows count (paper, arXiv 2510.17364, section 3: the score of a visual token is the attention that caption tokens
pay to it as queries). A caption token is a query when it is fed back to predict the next one, so:

- one row for every caption token that was fed back, that is all but the last token generated (normally the end marker);
- a caption that is a single token (normally the bare end marker) has that token fed back once, so that it has its row.

The row that merely *predicts* a token, such as the last row of the prompt, belongs to the prompt and does not count.

Every such row is computed at a decode step, where the query is one token long: `softmax(q K^T)` is one vector per head.
It is reduced at once over heads and added to a running vector over the visual columns; nothing else is kept, and
nothing of size length x length is ever made. The softmax runs over the whole row in float32 and is not renormalised
over the visual columns.
"""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from keepsight.errors import ModelError

ATTENTION_NAME = "keepsight_sdpa"
"""Name of the attention function in transformers; set it on the text model only."""


class ScoreAccumulator:
    """Sums attention rows over decode steps, layers and heads while it is active as a context manager.

    Only the code that runs inside the `with` block, in the same thread or task, reports to it; streams that are
    described side by side each have their own. Works on one sequence at a time (batch size 1).

    Args:
        layers: decoder layers, 1-based, whose rows are taken.
        columns: positions of the clip's own tokens in the sequence, `start` and `stop` given, no step.
        heads: `mean` or `max` over heads, within a row of a layer.
    """

    def __init__(self, layers: tuple[int, ...], columns: slice, heads: str = "mean") -> None:
        self.layers = frozenset(layers)
        self.columns = columns
        self.heads = heads
        self._sum: Tensor | None = None
        self._num_rows = 0
        self._token: Token[ScoreAccumulator | None] | None = None

    @property
    def num_rows(self) -> int:
        """Rows added so far, counted once per layer."""
        return self._num_rows

    def add(self, weights: Tensor) -> None:
        """Add one row of one layer.

        Args:
            weights: float32 `[num_columns]`, mean or maximum over heads of the row's softmax at `columns`.
        """
        self._sum = weights if self._sum is None else self._sum + weights
        self._num_rows += 1

    def scores(self) -> Tensor:
        """Mean over rows and layers of the attention weights, heads put together: float32 `[num_columns]`.

        Raises:
            ModelError: no row was seen, because the model does not run `ATTENTION_NAME` or nothing was decoded.
        """
        if self._sum is None:
            raise ModelError(f"no attention row was seen: the text model does not run {ATTENTION_NAME!r} attention")
        return self._sum / self._num_rows

    def __enter__(self) -> "ScoreAccumulator":
        self._token = _active.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None


_active: ContextVar[ScoreAccumulator | None] = ContextVar("keepsight_active_scores", default=None)


def row_weights(
    query: Tensor, key: Tensor, attention_mask: Tensor | None, scaling: float, columns: slice, heads: str = "mean"
) -> Tensor:
    """Mean or maximum over heads of one query's softmax over all keys, at the given columns.

    The query heads that share a key head are folded into the row axis, so keys are never repeated. The query is scaled
    before the product: unscaled products of Qwen2 overflow float16.

    Args:
        query: `[1, num_heads, 1, head_dim]`.
        key: `[1, num_key_value_heads, length, head_dim]`.
        attention_mask: None, or broadcastable to `[1, 1, 1, length]`: boolean (True attends) or additive.
        scaling: factor of the products, normally `head_dim ** -0.5`.
        columns: slice of the key axis.
        heads: `mean` or `max`.

    Returns:
        float32 `[num_columns]`.
    """
    num_key_value_heads, head_dim = key.shape[1], key.shape[3]
    rows = (query[0].float() * scaling).to(key.dtype).view(num_key_value_heads, -1, head_dim)
    products = torch.matmul(rows, key[0].transpose(1, 2))  # [num_key_value_heads, heads per key head, length]
    if attention_mask is not None:
        products = _apply_mask(products.float(), attention_mask[0])
    weights = products.softmax(dim=-1, dtype=torch.float32)
    seen = weights[:, :, columns]
    return seen.amax(dim=(0, 1)) if heads == "max" else seen.mean(dim=(0, 1))


def _apply_mask(products: Tensor, mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return products.masked_fill(~mask, -torch.inf)
    return products + mask


def _attention_with_rows(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Stock SDPA; at a decode step of a wanted layer, also report the row to the active accumulator."""
    output: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )
    accumulator = _active.get()
    if accumulator is not None and query.shape[2] == 1 and int(module.layer_idx) + 1 in accumulator.layers:  # type: ignore[arg-type]
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        accumulator.add(row_weights(query, key, attention_mask, scale, accumulator.columns, accumulator.heads))
    return output


def register_attention() -> str:
    """Make `ATTENTION_NAME` known to transformers, masks included, and return it. Doing so again changes nothing."""
    AttentionInterface.register(ATTENTION_NAME, _attention_with_rows)
    AttentionMaskInterface.register(ATTENTION_NAME, sdpa_mask)
    return ATTENTION_NAME
