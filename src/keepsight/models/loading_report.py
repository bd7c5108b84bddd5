"""What transformers reports of a loaded checkpoint, and when that is an error.

transformers fills tensors that are missing with noise, leaves out those that it has no place for, and casts numbers of
any format; each gives wrong text without an error.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from keepsight.errors import ModelError, UnsupportedModelError

logger = logging.getLogger(__name__)

_REMEDY = "download the model again"


def check_report(model: nn.Module, report: Mapping[str, Any], other_formats: Mapping[str, str], folder: Path) -> None:
    """Check that a model has the whole checkpoint; tensors that are not used, if harmless, are logged.

    Args:
        model: as loaded, with `ignore_mismatched_sizes`.
        report: transformers' `loading_info`.
        other_formats: by name in the files, the format of tensors that are not floating-point numbers of 16 to 64 bits.
        folder: the checkpoint's.

    Raises:
        UnsupportedModelError: a weight is stored in such a format; integer buffers may be.
        ModelError: tensors are missing, have another shape, or belong to layers that the configuration does not have.
    """
    _check_formats(model, other_formats, folder)
    if mismatched := sorted(report["mismatched_keys"]):
        name, stored, wanted = mismatched[0]
        raise ModelError(
            f"{len(mismatched)} tensors in {folder} have another shape than its config.json says: {name} must be "
            f"{_shape(wanted)}, got {_shape(stored)}; {_REMEDY}"
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"the weights in {folder} lack {len(missing)} tensors, first {missing[0]}; {_REMEDY}")
    unused = sorted(report["unexpected_keys"])
    _check_depth(model, unused, folder)
    if unused:
        logger.warning("%s: %d tensors of the files are not used, first %s", folder, len(unused), unused[0])


def check_expert_shapes(shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Check that all experts of a layer have the same shapes, since transformers stacks them.

    Args:
        shapes: by name in the files.
        folder: the checkpoint's.

    Raises:
        ModelError: they do not.
    """
    firsts: dict[str, str] = {}
    for name, shape in shapes.items():
        first = firsts.setdefault(re.sub(r"\.experts\.\d+\.", ".experts.*.", name), name)
        if shape != shapes[first]:
            raise ModelError(
                f"all experts of a layer in {folder} must have one shape, got {_shape(shapes[first])} for {first} and "
                f"{_shape(shape)} for {name}; {_REMEDY}"
            )


def _check_formats(model: nn.Module, other_formats: Mapping[str, str], folder: Path) -> None:
    # By the last part of the name, since files may have other names before it than the model.
    whole = {name.rpartition(".")[2] for name, buffer in model.named_buffers() if not buffer.is_floating_point()}
    wrong = sorted(name for name in other_formats if name.rpartition(".")[2] not in whole)
    if wrong:
        raise UnsupportedModelError(
            f"the weights in {folder} must be stored as F64, F32, F16 or BF16, got {other_formats[wrong[0]]} for "
            f"{wrong[0]}; give a model that is not quantized, with --quantization int8 or int4 if memory is short"
        )


def _check_depth(model: nn.Module, unused: list[str], folder: Path) -> None:
    stacks = {name: len(module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    for name in unused:
        for match in re.finditer(r"\.(\d+)\.", name):
            stack, layer = name[: match.start()], int(match[1])
            if stack in stacks and layer >= stacks[stack]:
                raise ModelError(
                    f"the configuration in {folder} must have all layers of the weights, got {stacks[stack]} in "
                    f"{stack}, of which the files have {name}; {_REMEDY}"
                )


def _shape(sizes: Any) -> str:
    return str(list(sizes))
