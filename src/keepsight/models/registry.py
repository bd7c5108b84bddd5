"""Which models there are: the bundled ones, and the adapter of each architecture.

An architecture more is one adapter file and one line in `ADAPTERS`. Nothing heavy is imported until a model is loaded.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from keepsight.errors import ModelError

if TYPE_CHECKING:
    import torch

    from keepsight.models.footprint import ModelShape
    from keepsight.models.protocol import BatchModel

ADAPTERS = {
    "gemma3": "keepsight.models.adapters.gemma3:Gemma3Adapter",
    "internvl": "keepsight.models.adapters.internvl:InternVLAdapter",
    "llava_next_video": "keepsight.models.adapters.llava_next_video:LlavaNextVideoAdapter",
    "llava_onevision": "keepsight.models.adapters.llava_onevision:LlavaOnevisionAdapter",
    "qwen2_5_vl": "keepsight.models.adapters.qwen2_5_vl:Qwen25VLAdapter",
    "qwen3_vl": "keepsight.models.adapters.qwen3_vl:Qwen3VLAdapter",
    "smolvlm": "keepsight.models.adapters.smolvlm:SmolVLMAdapter",
}
"""Adapter class, as `module:name`, by the `model_type` in a checkpoint's config.json."""


class AdapterClass(Protocol):
    """What a class named in `ADAPTERS` offers."""

    overflows_float16: bool
    """Whether float16 cannot hold the numbers inside."""

    def load(
        self,
        folder: Path,
        *,
        name: str,
        device: "torch.device",
        dtype: "torch.dtype",
        score_layers: tuple[int, ...] | None,
        quantization: str | None,
        compile_passes: bool,
    ) -> "BatchModel":
        """Read a checkpoint folder: see `VideoAdapter.load`."""

    def settings(self, folder: Path) -> Mapping[str, Any]:
        """The settings of a checkpoint's preprocessor: see `VideoAdapter.settings`."""

    def shape(self, config: Any, settings: Mapping[str, Any]) -> "ModelShape":
        """The sizes of a model, before any weight is read: see `VideoAdapter.shape`."""


def adapter_class(model_type: str) -> AdapterClass:
    """The adapter of an architecture that is in `ADAPTERS`."""
    module, _, name = ADAPTERS[model_type].partition(":")
    found: AdapterClass = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class BundledModel:
    """A model that comes with the package.

    Attributes:
        name: what `load_model` takes.
        folder: where its files are.
        description: one line on what it knows.
    """

    name: str
    folder: Path
    description: str

    @property
    def is_installed(self) -> bool:
        """Whether the weights are there."""
        return (self.folder / "model.safetensors").is_file()

    @property
    def weight_file_bytes(self) -> int:
        """Size of the weights on disk."""
        return (self.folder / "model.safetensors").stat().st_size

    @property
    def num_parameters(self) -> int:
        """Weights in the file, counted from its header."""
        return count_parameters(self.folder / "model.safetensors")


BUNDLED = (
    BundledModel(
        name="tiny",
        folder=Path(__file__).parent / "tiny",
        description="knows the toy world of `keepsight toyworld` and nothing else",
    ),
    BundledModel(
        name="tiny-qwen",
        folder=Path(__file__).parent / "tiny_qwen",
        description="knows the toy world and nothing else: a Qwen2.5-VL on the decoder of tiny",
    ),
)
"""Models in the package."""


def list_models() -> tuple[BundledModel, ...]:
    """The bundled models whose weights are installed."""
    return tuple(model for model in BUNDLED if model.is_installed)


def count_parameters(path: Path) -> int:
    """Numbers held by a safetensors file, read from its header alone.

    Raises:
        ModelError: the file is not safetensors.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, path.stat().st_size)))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a safetensors file") from error
