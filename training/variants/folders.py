"""Weights of variants: the decoder alone is kept, since all else equals the bundled model."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from keepsight.errors import ModelError
from training.architecture import architecture_of
from training.blueprint import MODEL_DIM
from training.loop import load_modules
from training.variants.learning import head_of
from training.variants.rules import LEARNED
from training.variants.space import SPACE_VARIANTS
from training.variants.stage import STAGE, bundled_model

WEIGHTS_FOLDER = Path(__file__).parent
DECODER_NAME, HEAD_NAME = "decoder.safetensors", "head.safetensors"


def pack(run_folder: Path, variant: str, out: Path | None = None) -> int:
    """Keep a training's decoder (float16) and head (float32) in a folder; returns the training's steps."""
    out = WEIGHTS_FOLDER / variant if out is None else out
    out.mkdir(parents=True, exist_ok=True)
    decoder, head = _bundled(variant).model.language_model, head_of(MODEL_DIM)
    modules = nn.ModuleDict({"decoder": decoder} | ({"head": head} if variant == LEARNED else {}))
    steps = load_modules(run_folder, STAGE, modules)
    _save({name: value.half() for name, value in decoder.state_dict().items()}, out / DECODER_NAME)
    if variant == LEARNED:
        _save(head.state_dict(), out / HEAD_NAME)
    return steps


def make_folder(variant: str, out: Path, weights: Path | None = None) -> None:
    """Write the model folder of a variant: the bundled model that it was trained from, with its decoder.

    Args:
        variant: its name.
        out: folder to write, created if missing.
        weights: folder that `pack` wrote; None for the one in the repository.

    Raises:
        ModelError: the variant has no weights.
    """
    model = model_of(variant, weights)
    architecture_of(model).save_bundle(model, out)


def model_of(variant: str, weights: Path | None = None) -> Any:
    """The bundled model that a variant was trained from, with the variant's decoder.

    Args:
        variant: its name.
        weights: folder that `pack` wrote; None for the one in the repository.

    Raises:
        ModelError: the variant has no weights.
    """
    path = (WEIGHTS_FOLDER / variant if weights is None else weights) / DECODER_NAME
    if not path.is_file():
        raise ModelError(f"{variant} must have weights in {path}, got none; train it, then pack it")
    model = _bundled(variant)
    model.model.language_model.load_state_dict(load_file(path))
    return model


def _bundled(variant: str) -> Any:
    return bundled_model(SPACE_VARIANTS[variant].bundled if variant in SPACE_VARIANTS else "tiny")


def _save(state: dict[str, Any], path: Path) -> None:
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    path.chmod(0o644)
