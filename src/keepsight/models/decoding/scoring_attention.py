"""The attention function that captures rows, as transformers calls it."""

from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from keepsight.models.decoding.attention_rows import ATTENTION_NAME, StepRows, row_weights


def _attention_with_rows(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    score_rows: StepRows | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Stock SDPA; in a captured layer, also report the queries' rows."""
    output: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )
    if score_rows is not None and int(module.layer_idx) + 1 in score_rows.rule.layers:  # type: ignore[arg-type]
        rule = score_rows.rule
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        score_rows.add(row_weights(query, key, attention_mask, scale, rule.span, rule.heads))
    return output


def register_attention() -> str:
    """Register `ATTENTION_NAME` with transformers, masks included, and return it. Idempotent."""
    AttentionInterface.register(ATTENTION_NAME, _attention_with_rows)
    AttentionMaskInterface.register(ATTENTION_NAME, sdpa_mask)
    return ATTENTION_NAME
