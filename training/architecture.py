"""The two architectures that the recipe trains, behind one interface.

LLaVA-OneVision encodes single frames and appends one newline embedding; Qwen2.5-VL encodes steps of two frames, ends
them with a vocabulary token and places a clip's tokens on a position grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from keepsight.errors import SettingError
from keepsight.models.prompting.positions import GridRule
from keepsight.toyworld.tokenizer import build_tokenizer
from training import blueprint, qwen_blueprint


@dataclass(frozen=True)
class VideoPrefix:
    """The start of a user's turn with visual tokens, up to the text after them.

    Attributes:
        ids: token ids, with placeholders for visual tokens.
        visual: embeddings `[num_visual, dim]` for the placeholders, including the newline, if any.
        visual_start: index of the first placeholder.
        positions: `[3, len(ids)]` on the axes of time, row and column; None for positions that count from 0.
    """

    ids: tuple[int, ...]
    visual: Tensor
    visual_start: int
    positions: Tensor | None = None


class Architecture(Protocol):
    """What the stages need of a model class."""

    @property
    def name(self) -> str:
        """The `model_type` of its checkpoints."""

    @property
    def frames_per_step(self) -> int:
        """Frames per set of visual tokens."""

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Tokenizer of its prompts."""

    def build_model(self, seed: int = 0) -> Any:
        """A model with random weights."""

    def picture_parameters(self, model: Any) -> list[nn.Parameter]:
        """Weights of the vision side."""

    def visual_tokens(self, model: Any, pixels: Tensor) -> Tensor:
        """Visual tokens `[num_steps, tokens_per_step, dim]` of frames `[num_frames, 3, height, width]`."""

    def video_prefix(
        self, tokenizer: PreTrainedTokenizerFast, model: Any, memory: Tensor, clip: Tensor, step_seconds: float
    ) -> VideoPrefix:
        """Start of a turn with memory tokens `[n, dim]` and a clip's tokens `[num_steps, tokens_per_step, dim]`."""

    def grid(self, model: Any, step_seconds: float) -> GridRule | None:
        """Position grid of frames whose steps are so far apart; None for positions on one axis."""

    def save_bundle(self, model: Any, folder: Path) -> None:
        """Write model and tokenizer in Hugging Face format."""


@dataclass(frozen=True)
class LlavaOnevision:
    """Architecture of the first bundled model."""

    name: str = "llava_onevision"
    frames_per_step: int = 1

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Tokenizer with one token per word."""
        return build_tokenizer()

    def build_model(self, seed: int = 0) -> Any:
        return blueprint.build_model(seed)

    def picture_parameters(self, model: Any) -> list[nn.Parameter]:
        """Weights of tower, projector and newline."""
        parts = [model.model.vision_tower, model.model.multi_modal_projector]
        return [parameter for part in parts for parameter in part.parameters()] + [model.model.image_newline]

    def visual_tokens(self, model: Any, pixels: Tensor) -> Tensor:
        """Visual tokens of frames, without the newline."""
        features = model.model.get_video_features(pixels.unsqueeze(0), vision_feature_layer=-1).pooler_output
        tokens = features[0] if isinstance(features, (list, tuple)) else features.squeeze(0)
        frames: Tensor = tokens[:-1].unflatten(0, (len(pixels), -1))
        return frames

    def video_prefix(
        self,
        tokenizer: PreTrainedTokenizerFast,
        model: Any,
        memory: Tensor,
        clip: Tensor,
        step_seconds: float,  # noqa: ARG002 - frames are told apart by their order alone
    ) -> VideoPrefix:
        """Memory, clip and newline in sequence."""
        *opening, placeholder = tokenizer("<|im_start|>user <video>", add_special_tokens=False).input_ids
        visual = torch.cat([memory, clip.flatten(0, 1), model.model.image_newline.unsqueeze(0)])
        return VideoPrefix((*opening, *[placeholder] * len(visual)), visual, len(opening))

    def grid(self, model: Any, step_seconds: float) -> GridRule | None:  # noqa: ARG002 - positions have one axis
        return None

    def save_bundle(self, model: Any, folder: Path) -> None:
        blueprint.save_bundle(model, folder)


@dataclass(frozen=True)
class Qwen25VL:
    """Architecture of the second bundled model."""

    name: str = "qwen2_5_vl"
    frames_per_step: int = qwen_blueprint.FRAMES_PER_STEP

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Tokenizer with one token per word, and the tokens around a video."""
        return build_tokenizer(vision_tokens=True)

    def build_model(self, seed: int = 0) -> Any:
        return qwen_blueprint.build_model(seed)

    def picture_parameters(self, model: Any) -> list[nn.Parameter]:
        """Weights of the tower and its merger."""
        return list(model.model.visual.parameters())

    def visual_tokens(self, model: Any, pixels: Tensor) -> Tensor:
        return qwen_blueprint.visual_tokens(model, pixels)

    def video_prefix(
        self, tokenizer: PreTrainedTokenizerFast, model: Any, memory: Tensor, clip: Tensor, step_seconds: float
    ) -> VideoPrefix:
        """Memory with text positions, the clip on a grid, then `<|vision_end|>`."""
        text = "<|im_start|>user <|vision_start|><|video_pad|><|vision_end|>"
        *opening, placeholder, closing = tokenizer(text, add_special_tokens=False).input_ids
        visual = torch.cat([memory, clip.flatten(0, 1)])
        before = len(opening) + len(memory)
        positions = qwen_blueprint.prefix_positions(before, clip.shape[:2], _interval(model, step_seconds), 1)
        return VideoPrefix((*opening, *[placeholder] * len(visual), closing), visual, len(opening), positions)

    def grid(self, model: Any, step_seconds: float) -> GridRule | None:
        return GridRule(qwen_blueprint.SIDE, qwen_blueprint.SIDE, _interval(model, step_seconds))

    def save_bundle(self, model: Any, folder: Path) -> None:
        qwen_blueprint.save_bundle(model, folder)


def _interval(model: Any, step_seconds: float) -> int:
    """Positions between steps."""
    return round(float(model.config.vision_config.tokens_per_second) * step_seconds)


LLAVA_ONEVISION, QWEN2_5_VL = LlavaOnevision(), Qwen25VL()
ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (LLAVA_ONEVISION, QWEN2_5_VL)}


def architecture_of(model: Any) -> Architecture:
    """Architecture of a model.

    Raises:
        SettingError: the recipe does not support the model.
    """
    name = model.config.model_type
    if name not in ARCHITECTURES:
        raise SettingError(f"the model must be one of {', '.join(sorted(ARCHITECTURES))}, got {name!r}")
    return ARCHITECTURES[name]


def whole_steps(times: Sequence[float], frames_per_step: int) -> list[float]:
    """Times of frames, repeating the last one to fill whole steps."""
    return [*times, *[times[-1]] * (-len(times) % frames_per_step)]
