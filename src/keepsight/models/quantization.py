"""Weights of fewer bits, through torchao: a choice, for models that would not fit otherwise.

Only the decoder's linear layers are changed. Embeddings stay as they are, since captions are compared by them, and so
does the vision tower, which is a twentieth of a large model. Attention rows are computed as before: keys, queries and
the softmax are not quantised, they only come from rounded weights. `benchmarks/quantization.py` measures what that
does to captions, scores and selection.
"""

import logging
import warnings
from typing import Any

import torch

from keepsight.errors import SettingError
from keepsight.models.footprint import QUANTIZATION_BITS

GROUP_SIZE = 32
"""Neighbouring weights that share a scale with 4 bits; with 8 bits a whole row does."""


def check_quantization(quantization: str | None) -> None:
    """Check the name, and that torchao is there.

    Raises:
        SettingError: the name is none of `QUANTIZATION_BITS`, or torchao is not installed.
    """
    if quantization is None:
        return
    if quantization not in QUANTIZATION_BITS:
        raise SettingError(f"quantization is {quantization!r}; allowed are {', '.join(QUANTIZATION_BITS)}")
    _torchao()


def quantize_decoder(decoder: Any, quantization: str, device: torch.device) -> None:
    """Change the decoder's linear layers in place, one after another, each on the device it will run on.

    With 4 bits, CUDA gets torchao's packed kernels. The CPU has none: there a weight takes a byte and is
    expanded at every use, so 4 bits save nothing over 8 and are slower; they show what the rounding does.

    Args:
        decoder: a module; its `torch.nn.Linear` are changed.
        quantization: key of `QUANTIZATION_BITS`.
        device: where it will run.

    Raises:
        SettingError: torchao is not installed.
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
    """torchao's quantisation, imported without the remarks it makes about kernels that this machine lacks."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao import quantization
    except ImportError as error:
        raise SettingError("quantization needs torchao: pip install 'keepsight[quantization]'") from error
    finally:
        logging.disable(before)
    return quantization
