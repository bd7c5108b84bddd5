"""Guard against NaN and infinity: a model's results are checked before they enter a memory or a journal.

Visual tokens, scores and embeddings are reduced to one value on their device. Logits cost no transfer of their own: the
id of a pass whose largest logit is not finite is `NOT_FINITE`, and ids are read by the CPU anyway.
"""

import torch
from torch import Tensor

from keepsight.errors import ModelError

NOT_FINITE = -1
"""Token id in place of one that was chosen among NaN or infinity."""

_ADVICE = {
    torch.float16: ": the model's numbers overflow; try --dtype bfloat16 or --dtype float32",
    torch.bfloat16: "; try --dtype float32",
    torch.float32: ": the weights may be damaged; download the model again",
}


def greedy_ids(logits: Tensor) -> Tensor:
    """Most likely ids, `NOT_FINITE` where the largest logit is NaN or infinite; argmax counts NaN as the largest.

    Args:
        logits: `[..., vocabulary]`.

    Returns:
        int64 `[...]`.
    """
    ids = logits.argmax(dim=-1)
    largest = logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return torch.where(largest.isfinite(), ids, NOT_FINITE)


def check_finite(values: Tensor, what: str, dtype: torch.dtype) -> Tensor:
    """Check a result and return it.

    Args:
        values: any shape, at least one value.
        what: name of the values, in the plural.
        dtype: number format of the model, which may differ from that of the values.

    Raises:
        ModelError: a value is NaN or infinite.
    """
    ends = torch.stack([values.amin(), values.amax()])  # both propagate NaN; isfinite over all values costs far more
    if not bool(ends.isfinite().all()):
        raise not_finite(what, dtype)
    return values


def not_finite(what: str, dtype: torch.dtype) -> ModelError:
    """Error for results that are NaN or infinite; says which number format to try.

    Args:
        what: name of the values, in the plural.
        dtype: number format of the model.
    """
    name = str(dtype).removeprefix("torch.")
    return ModelError(f"{what} must be finite, got NaN or infinity in {name}{_ADVICE.get(dtype, '')}")
