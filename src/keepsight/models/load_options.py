"""What a model is loaded with, settled before any weight is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LoadOptions:
    """How an adapter loads a checkpoint folder.

    Attributes:
        name: name given by the user.
        checkpoint: what `name` stands for, wherever it is used from: a bundled name, an absolute folder, or a hub id
            with its commit, such as `owner/name@0a1b2c3`.
        device: device of the weights.
        dtype: type of the weights.
        score_layers: layers that score tokens, 1-based; None for the paper's, scaled to the model's depth.
        quantization: quantisation of the decoder, see `keepsight.models.quantization`; None for none.
        compile_passes: compile the passes after prompts, see `keepsight.models.decoding.compiled_passes`.
    """

    name: str
    checkpoint: str
    device: "torch.device"
    dtype: "torch.dtype"
    score_layers: tuple[int, ...] | None = None
    quantization: str | None = None
    compile_passes: bool = False
