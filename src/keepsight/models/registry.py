"""Registry of bundled models, and of adapters by architecture.

To add an architecture, write an adapter file and a line in `ADAPTERS`, or a plug-in in the entry point group
`keepsight.architectures`, named by its `model_type`. Nothing heavy is imported until a model is loaded.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from keepsight.errors import ModelError, SettingError
from keepsight.plugins import Group

if TYPE_CHECKING:
    from keepsight.method.model_info import JudgingStyle
    from keepsight.method.protocol import BatchModel
    from keepsight.models.footprint import ModelShape
    from keepsight.models.load_options import LoadOptions

ADAPTERS = {
    "gemma3": "keepsight.models.adapters.gemma3:Gemma3Adapter",
    "gemma4": "keepsight.models.adapters.gemma4:Gemma4Adapter",
    "gemma4_unified": "keepsight.models.adapters.gemma4_unified:Gemma4UnifiedAdapter",
    "glm4v": "keepsight.models.adapters.glm4v:Glm4vAdapter",
    "glm4v_moe": "keepsight.models.adapters.glm4v_moe:Glm4vMoeAdapter",
    "internvl": "keepsight.models.adapters.internvl:InternVLAdapter",
    "llava_next_video": "keepsight.models.adapters.llava_next_video:LlavaNextVideoAdapter",
    "llava_onevision": "keepsight.models.adapters.llava_onevision:LlavaOnevisionAdapter",
    "qwen2_5_vl": "keepsight.models.adapters.qwen2_5_vl:Qwen25VLAdapter",
    "qwen2_vl": "keepsight.models.adapters.qwen2_vl:Qwen2VLAdapter",
    "qwen3_5": "keepsight.models.adapters.qwen3_5:Qwen35Adapter",
    "qwen3_5_moe": "keepsight.models.adapters.qwen3_5_moe:Qwen35MoeAdapter",
    "qwen3_vl": "keepsight.models.adapters.qwen3_vl:Qwen3VLAdapter",
    "qwen3_vl_moe": "keepsight.models.adapters.qwen3_vl_moe:Qwen3VLMoeAdapter",
    "smolvlm": "keepsight.models.adapters.smolvlm:SmolVLMAdapter",
    "video_llama_3": "keepsight.models.adapters.video_llama_3:VideoLlama3Adapter",
}
"""Built-in adapter class, as `module:name`, by `model_type` of config.json."""

ADAPTER_GROUP = Group(
    "keepsight.architectures", "architecture", tuple(ADAPTERS), ("load", "settings", "shape"), is_dataclass=False
)
"""All adapters, including plug-ins."""


class AdapterClass(Protocol):
    """Interface of an adapter class."""

    overflows_float16: bool
    """Whether its numbers overflow float16."""

    def load(self, folder: Path, options: "LoadOptions") -> "BatchModel":
        """Load a checkpoint folder: see `VideoAdapter.load`."""

    def settings(self, folder: Path) -> Mapping[str, Any]:
        """Preprocessor settings of a checkpoint: see `VideoAdapter.settings`."""

    def with_tokens_per_frame(self, settings: Mapping[str, Any], tokens_per_frame: int) -> Mapping[str, Any]:
        """Preprocessor settings with another resolution: see `VideoAdapter.with_tokens_per_frame`."""

    def shape(self, config: Any, settings: Mapping[str, Any]) -> "ModelShape":
        """Sizes of a model, before reading any weight: see `VideoAdapter.shape`."""


def adapter_class(model_type: str) -> AdapterClass:
    """Adapter of an architecture.

    Raises:
        SettingError: there is none, or its plug-in cannot be loaded.
    """
    found: AdapterClass
    plug_in = ADAPTER_GROUP.find(model_type)
    if plug_in is not None:
        found = ADAPTER_GROUP.load(plug_in)
        return found
    module, _, name = ADAPTERS[model_type].partition(":")
    found = getattr(import_module(module), name)
    return found


def settings_for(adapter: AdapterClass, folder: Path, tokens_per_frame: int | None) -> Mapping[str, Any]:
    """Preprocessor settings of a checkpoint, with the resolution that the user chose, if any.

    Raises:
        ModelError: a preprocessor file is not JSON.
        SettingError: all frames of the architecture have one size.
        PlugInError: the adapter is a plug-in that fails.
    """
    with ADAPTER_GROUP.calling(adapter, "settings"):
        settings = adapter.settings(folder)
    if tokens_per_frame is None:
        return settings
    with ADAPTER_GROUP.calling(adapter, "with_tokens_per_frame", expected=(SettingError,)):
        return adapter.with_tokens_per_frame(settings, tokens_per_frame)


@dataclass(frozen=True)
class BundledModel:
    """A model in the package.

    Attributes:
        name: name for `load_model`.
        folder: its files.
        description: one line on what it knows.
        judging_style: prompt form that it was trained to judge captions with.
    """

    name: str
    folder: Path
    description: str
    judging_style: "JudgingStyle" = "plain"

    @property
    def is_installed(self) -> bool:
        """Whether its weights are installed."""
        return (self.folder / "model.safetensors").is_file()

    @property
    def weight_file_bytes(self) -> int:
        """Size of its weights on disk."""
        return (self.folder / "model.safetensors").stat().st_size

    @property
    def num_parameters(self) -> int:
        """Number of weights, from the file's header."""
        return count_parameters(self.folder / "model.safetensors")


BUNDLED = (
    BundledModel(
        name="tiny",
        folder=Path(__file__).parent / "tiny",
        description="knows only the toy world of `keepsight toyworld`",
        judging_style="toy-world",
    ),
    BundledModel(
        name="tiny-qwen",
        folder=Path(__file__).parent / "tiny_qwen",
        description="knows only the toy world: a Qwen2.5-VL on the decoder of tiny",
        judging_style="toy-world",
    ),
)
"""Models in the package."""


def list_models() -> tuple[BundledModel, ...]:
    """Bundled models whose weights are installed."""
    return tuple(model for model in BUNDLED if model.is_installed)


def judging_style_of(folder: Path) -> "JudgingStyle":
    """Judging style of a model: its own for a bundled one, else plain.

    Args:
        folder: the model's folder.
    """
    there = folder.resolve()
    return next((model.judging_style for model in BUNDLED if model.folder.resolve() == there), "plain")


def count_parameters(path: Path) -> int:
    """Number of weights in a safetensors file, from its header.

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
