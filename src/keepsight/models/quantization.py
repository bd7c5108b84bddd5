"""Quantised weights through torchao, optional, for models that would not fit otherwise.

Only the decoder's linear layers are quantised. Embeddings are not, since captions are compared by them, and neither is
the vision tower, a twentieth of a large model. Attention rows are computed as before: keys, queries and softmax are not
quantised, only derived from rounded weights. `benchmarks/quantization.py` measures the effect on captions, scores and
selection.
"""

import logging
import warnings
from collections.abc import Iterable
from typing import Any

import torch

from keepsight.errors import SettingError
from keepsight.extras import require_extra
from keepsight.models.footprint import GROUP_SIZE, QUANTIZATION_BITS


def check_quantization(quantization: str | None) -> None:
    """Check the name, and that torchao is installed.

    Raises:
        SettingError: the name is none of `QUANTIZATION_BITS`, or torchao is not installed.
    """
    if quantization is None:
        return
    if quantization not in QUANTIZATION_BITS:
        raise SettingError(f"must be one of {', '.join(QUANTIZATION_BITS)}, got {quantization!r}", "quantization")
    require_extra("quantization", "quantization")


def check_widths(linears: Iterable[torch.nn.Linear], quantization: str) -> None:
    """Check that the decoder's layers can be rounded, before any is.

    Args:
        linears: linear layers that will be quantised.
        quantization: key of `QUANTIZATION_BITS`.

    Raises:
        SettingError: with 4 bits, the width of a layer is no multiple of `GROUP_SIZE`.
    """
    odd = sorted({linear.in_features for linear in linears if linear.in_features % GROUP_SIZE})
    if quantization == "int4" and odd:
        raise SettingError(
            f"int4 needs layers whose width is a multiple of {GROUP_SIZE}, but this model has one of {odd[0]}; "
            "try --quantization int8"
        )


def quantize_decoder(decoder: Any, quantization: str, device: torch.device) -> None:
    """Quantise the decoder's linear layers in place, one at a time, each on its target device.

    With 4 bits, CUDA uses torchao's packed kernels. The CPU has none: a weight takes a byte and is expanded on every
    use, so 4 bits save nothing over 8 and are slower; they only show the effect of rounding.

    Args:
        decoder: module whose `torch.nn.Linear` layers are quantised.
        quantization: key of `QUANTIZATION_BITS`.
        device: target device.
    """
    torchao = _torchao()
    if quantization == "int8":
        config = torchao.Int8WeightOnlyConfig()
    elif device.type == "cuda":
        config = torchao.Int4WeightOnlyConfig(group_size=GROUP_SIZE)
    else:
        config = torchao.IntxWeightOnlyConfig(
            weight_dtype=torch.int4,  # type: ignore[attr-defined]
            granularity=torchao.PerGroup(GROUP_SIZE),
        )
    torchao.quantize_(decoder, config, device=device)


def _torchao() -> Any:
    """torchao's quantisation API, imported without its warnings about kernels that this machine lacks."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao import quantization
    finally:
        logging.disable(before)
    return quantization
