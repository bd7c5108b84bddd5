"""Attention rows of caption tokens, computed alongside the fast kernel.

Which rows count (paper, arXiv 2510.17364, section 3: the score of a visual token is the attention that caption tokens
pay to it as queries). A caption token is a query when it is fed back to predict the next, so there is:

- one row per caption token that was fed back, i.e. all but the last generated token (normally the end marker);
- one row for a caption of a single token (normally the bare end marker), which is fed back once for that purpose.

The row that merely *predicts* a token, such as the last row of the prompt, belongs to the prompt and does not count.

Every such row is computed at a decode step: `softmax(q K^T)` is one vector per head and caption token. It is reduced
over heads at once and added to a running vector over the visual columns; nothing of size length x length is ever
allocated. The softmax runs over the whole row in float32 and is not renormalised over the visual columns. Prompts may
be batched, and several tokens fed at once, including drafts; `commit` then selects the rows that count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from keepsight.errors import ModelError

ATTENTION_NAME = "keepsight_sdpa"
"""Name of the attention function in transformers; set on the text model only."""


@dataclass(frozen=True)
class RowRule:
    """Which attention rows to capture.

    Attributes:
        layers: decoder layers, 1-based.
        heads: `mean` or `max` over heads, within a row of a layer.
        first_column: first captured column.
        num_columns: number of captured columns.
    """

    layers: frozenset[int]
    heads: str
    first_column: int
    num_columns: int

    @classmethod
    def covering(cls, layers: tuple[int, ...], heads: str, columns: Sequence[Tensor]) -> "RowRule":
        """Rule that covers the columns of all prompts, from first to last."""
        first = min(int(one[0]) for one in columns)
        return cls(frozenset(layers), heads, first, max(int(one[-1]) for one in columns) + 1 - first)

    @property
    def span(self) -> slice:
        """Captured columns."""
        return slice(self.first_column, self.first_column + self.num_columns)


class StepRows:
    """Rows of one model pass, summed over layers.

    Passed to the decoder as the argument `score_rows`, which transformers forwards to the attention function.

    Args:
        rule: which rows to capture.
    """

    def __init__(self, rule: RowRule) -> None:
        self.rule = rule
        self.weights: Tensor | None = None

    def add(self, weights: Tensor) -> None:
        """Add the rows of one layer: float32 `[batch, num_queries, num_columns]`, heads combined."""
        self.weights = weights if self.weights is None else self.weights + weights.to(self.weights.device)


class ScoreAccumulator:
    """Sums rows over passes and computes scores.

    Args:
        rule: which rows to capture.
        columns: int64 `[num_clip_tokens]`, increasing, per prompt: columns of the clip's own tokens.
    """

    def __init__(self, rule: RowRule, columns: Sequence[Tensor]) -> None:
        self.rule = rule
        self._columns = columns
        self._sum: Tensor | None = None
        self._num_rows = torch.zeros(len(columns), dtype=torch.int64)

    def commit(self, weights: Tensor | None, counts: Sequence[int]) -> None:
        """Count the first rows of a pass, a number per prompt, and drop the rest.

        Args:
            weights: rows of `StepRows`, or None if no layer reported.
            counts: number of rows per prompt.

        Raises:
            ModelError: no layer reported, so the model does not run `ATTENTION_NAME`.
        """
        if weights is None:
            raise ModelError(f"no attention row was captured: the text model does not run {ATTENTION_NAME!r} attention")
        if len(counts) == 1:
            rows = weights[:, : counts[0]].sum(dim=1)
        else:
            wanted = torch.arange(weights.shape[1]) < torch.tensor(counts).unsqueeze(1)
            rows = (weights * wanted.unsqueeze(2).to(weights.device)).sum(dim=1)
        self._sum = rows if self._sum is None else self._sum + rows
        self._num_rows += torch.tensor(counts)

    def scores(self) -> list[Tensor]:
        """Mean over rows and layers per prompt: float32 `[num_clip_tokens]`.

        Raises:
            ModelError: a prompt has no row, since nothing was decoded after it.
        """
        if self._sum is None or int(self._num_rows.min()) == 0:
            raise ModelError("no attention row was captured: nothing was decoded")
        means = self._sum / (self._num_rows * len(self.rule.layers)).unsqueeze(1).to(self._sum.device)
        pairs = zip(means, self._columns, strict=True)
        return [mean[(columns - self.rule.first_column).to(mean.device)] for mean, columns in pairs]


def row_weights(
    query: Tensor, key: Tensor, attention_mask: Tensor | None, scaling: float, columns: slice, heads: str = "mean"
) -> Tensor:
    """Mean or maximum over heads of each query's softmax over all keys, at the given columns.

    Query heads that share a key head are folded into the row axis, so keys are not repeated. The query is scaled before
    the product, since unscaled products of Qwen2 overflow float16.

    Args:
        query: `[batch, num_heads, num_queries, head_dim]`.
        key: `[batch, num_key_value_heads, length, head_dim]`.
        attention_mask: None if every query sees every key, or broadcastable to `[batch, 1, num_queries, length]`:
            boolean (True attends) or additive.
        scaling: factor of the products, normally `head_dim ** -0.5`.
        columns: slice of the key axis.
        heads: `mean` or `max`.

    Returns:
        float32 `[batch, num_queries, num_columns]`.
    """
    batch, num_heads, num_queries, head_dim = query.shape
    num_key_value_heads = key.shape[1]
    rows = (query.float() * scaling).to(key.dtype).reshape(batch, num_key_value_heads, -1, head_dim)
    products = torch.matmul(rows, key.transpose(2, 3))  # [batch, key heads, heads a key head * queries, length]
    products = products.view(batch, num_heads, num_queries, -1)
    if attention_mask is not None:
        products = _apply_mask(products.float(), attention_mask)
    weights = products.softmax(dim=-1, dtype=torch.float32)[..., columns]
    return weights.amax(dim=1) if heads == "max" else weights.mean(dim=1)


def _apply_mask(products: Tensor, mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return products.masked_fill(~mask, -torch.inf)
    return products + mask
