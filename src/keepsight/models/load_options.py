"""What a model is loaded with, settled before any weight is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


LARGE_MODEL_PARAMETERS = 100_000_000
"""On a CPU with bfloat16, a model of this size is faster in it than in float32 (`benchmarks/number_formats.py`)."""

DTYPE_DEFAULT = (
    "on a GPU float16 for a float16 checkpoint, else bfloat16, or float32 if the GPU lacks that; on a CPU float32, or "
    f"bfloat16 from {LARGE_MODEL_PARAMETERS // 10**6} million parameters with AVX512-BF16 or AMX"
)
"""What `keepsight.models.hardware.number_formats` chooses, for help texts."""


@dataclass(frozen=True)
class LoadRequest:
    """What a user asks for with a model: the arguments of `load_model`.

    Attributes:
        model: bundled name, folder or hub id.
        device: device of the weights; None for the best here.
        dtype: number format; None for the model's own.
        quantization: `int8` or `int4`; None for none.
        tokens_per_frame: visual tokens of a large square frame; None for the default.
        repetition_penalty: penalty of tokens that were there before; None for the model's own.
        compile_passes: compile the generation of captions and answers.
        score_layers: layers that score tokens, 1-based; None for the paper's, scaled to the model's depth.
    """

    model: str
    device: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    tokens_per_frame: int | None = None
    repetition_penalty: float | None = None
    compile_passes: bool = False
    score_layers: tuple[int, ...] | None = None

    @property
    def keywords(self) -> dict[str, Any]:
        """Arguments of `load_model` besides the model's name."""
        return {name: value for name, value in vars(self).items() if name != "model"}


@dataclass(frozen=True)
class LoadOptions:
    """How an adapter loads a checkpoint folder.

    Attributes:
        name: name given by the user.
        checkpoint: what `name` stands for, wherever it is used from: a bundled name, an absolute folder, or a hub id
            with its commit, such as `owner/name@0a1b2c3`.
        device: device of the weights; the first of several.
        dtype: type of the weights.
        score_layers: layers that score tokens, 1-based; None for the paper's, scaled to the model's depth.
        quantization: quantisation of the decoder, see `keepsight.models.quantization`; None for none.
        tokens_per_frame: visual tokens of a large square frame, for models with a choice; None for the default.
        repetition_penalty: penalty of tokens that were there before, 0.01 to 100; None for the checkpoint's.
        compile_passes: compile the passes after prompts, see `keepsight.models.decoding.compiled_passes`.
        layer_devices: device of each decoder layer, see `keepsight.models.split_plan`; empty for all on `device`.
        fingerprint: digest of configuration and weights (`naming.fingerprint_of`).
    """

    name: str
    checkpoint: str
    device: "torch.device"
    dtype: "torch.dtype"
    score_layers: tuple[int, ...] | None = None
    quantization: str | None = None
    tokens_per_frame: int | None = None
    repetition_penalty: float | None = None
    compile_passes: bool = False
    layer_devices: "tuple[torch.device, ...]" = ()
    fingerprint: str = ""

    @property
    def devices(self) -> "tuple[torch.device, ...]":
        """All devices with weights, the first one first."""
        return tuple(dict.fromkeys((self.device, *self.layer_devices)))

    @property
    def device_names(self) -> str:
        """Names of all devices with weights, such as `cuda:0, cuda:1`."""
        return ", ".join(str(device) for device in self.devices)

    @property
    def choices(self) -> tuple[tuple[str, float], ...]:
        """Settings that captions depend on, other than the defaults (`ModelIdentity.choices`)."""
        return choices_of(self.tokens_per_frame, self.repetition_penalty)


def choices_of(tokens_per_frame: int | None, repetition_penalty: float | None) -> tuple[tuple[str, float], ...]:
    """Settings of a model that captions depend on, as `ModelIdentity.choices` has them."""
    given = {"repetition_penalty": repetition_penalty, "tokens_per_frame": tokens_per_frame}
    return tuple((name, value) for name, value in given.items() if value is not None)
