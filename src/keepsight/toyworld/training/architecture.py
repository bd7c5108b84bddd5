"""The two architectures that the recipe trains, behind one interface: what differs between them is all in here.

LLaVA-OneVision makes visual tokens of single frames and puts one newline embedding behind them; Qwen2.5-VL makes them
of steps of two frames, closes them with a word of its vocabulary and lays a clip's tokens on a grid of positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from keepsight.errors import SettingError
from keepsight.toyworld.tokenizer import build_tokenizer
from keepsight.toyworld.training import blueprint, qwen_blueprint


@dataclass(frozen=True)
class VideoPrefix:
    """The start of a user's turn with visual tokens in it, up to where the text behind them begins.

    Attributes:
        ids: token ids, placeholders where visual tokens stand.
        visual: embeddings `[num_visual, dim]` for the placeholders, with the newline where there is one.
        visual_start: index of the first placeholder.
        positions: `[3, len(ids)]` on the axes of time, row and column; None for positions that count from 0.
    """

    ids: tuple[int, ...]
    visual: Tensor
    visual_start: int
    positions: Tensor | None = None


class Architecture(Protocol):
    """What the stages need to know of a model class."""

    @property
    def name(self) -> str:
        """The `model_type` of its checkpoints."""

    @property
    def frames_per_step(self) -> int:
        """Frames that make one set of visual tokens."""

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer that its prompts need."""

    def build_model(self, seed: int = 0) -> Any:
        """A model with random weights."""

    def picture_parameters(self, model: Any) -> list[nn.Parameter]:
        """Weights of the picture side."""

    def visual_tokens(self, model: Any, pixels: Tensor) -> Tensor:
        """Visual tokens `[num_steps, tokens_per_step, dim]` of frames `[num_frames, 3, height, width]`."""

    def video_prefix(
        self, tokenizer: PreTrainedTokenizerFast, model: Any, memory: Tensor, clip: Tensor, step_seconds: float
    ) -> VideoPrefix:
        """A turn's start with memory tokens `[n, dim]` and a clip's tokens `[num_steps, tokens_per_step, dim]`."""

    def save_bundle(self, model: Any, folder: Path) -> None:
        """Write model and tokenizer in Hugging Face format."""


@dataclass(frozen=True)
class LlavaOnevision:
    """The first bundled model."""

    name: str = "llava_onevision"
    frames_per_step: int = 1

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """One token a word."""
        return build_tokenizer()

    def build_model(self, seed: int = 0) -> Any:
        """See `blueprint.build_model`."""
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
        """Memory, clip and newline, one after another."""
        *opening, placeholder = tokenizer("<|im_start|>user <video>", add_special_tokens=False).input_ids
        visual = torch.cat([memory, clip.flatten(0, 1), model.model.image_newline.unsqueeze(0)])
        return VideoPrefix((*opening, *[placeholder] * len(visual)), visual, len(opening))

    def save_bundle(self, model: Any, folder: Path) -> None:
        """See `blueprint.save_bundle`."""
        blueprint.save_bundle(model, folder)


@dataclass(frozen=True)
class Qwen25VL:
    """The second bundled model."""

    name: str = "qwen2_5_vl"
    frames_per_step: int = qwen_blueprint.FRAMES_PER_STEP

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """One token a word, and the tokens around a video."""
        return build_tokenizer(vision_tokens=True)

    def build_model(self, seed: int = 0) -> Any:
        """See `qwen_blueprint.build_model`."""
        return qwen_blueprint.build_model(seed)

    def picture_parameters(self, model: Any) -> list[nn.Parameter]:
        """Weights of the tower and its merger."""
        return list(model.model.visual.parameters())

    def visual_tokens(self, model: Any, pixels: Tensor) -> Tensor:
        """See `qwen_blueprint.visual_tokens`."""
        return qwen_blueprint.visual_tokens(model, pixels)

    def video_prefix(
        self, tokenizer: PreTrainedTokenizerFast, model: Any, memory: Tensor, clip: Tensor, step_seconds: float
    ) -> VideoPrefix:
        """Memory counts on like text, the clip lies on a grid, and `<|vision_end|>` comes behind."""
        text = "<|im_start|>user <|vision_start|><|video_pad|><|vision_end|>"
        *opening, placeholder, closing = tokenizer(text, add_special_tokens=False).input_ids
        visual = torch.cat([memory, clip.flatten(0, 1)])
        interval = round(model.config.vision_config.tokens_per_second * step_seconds)
        before = len(opening) + len(memory)
        positions = qwen_blueprint.prefix_positions(before, clip.shape[:2], interval, 1)
        return VideoPrefix((*opening, *[placeholder] * len(visual), closing), visual, len(opening), positions)

    def save_bundle(self, model: Any, folder: Path) -> None:
        """See `qwen_blueprint.save_bundle`."""
        qwen_blueprint.save_bundle(model, folder)


LLAVA_ONEVISION, QWEN2_5_VL = LlavaOnevision(), Qwen25VL()
ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (LLAVA_ONEVISION, QWEN2_5_VL)}


def architecture_of(model: Any) -> Architecture:
    """The architecture that a model is of.

    Raises:
        SettingError: the recipe does not train such models.
    """
    name = model.config.model_type
    if name not in ARCHITECTURES:
        raise SettingError(f"the model is a {name!r}; allowed are {sorted(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def whole_steps(times: Sequence[float], frames_per_step: int) -> list[float]:
    """Times of frames, the last one repeated until they fill whole steps."""
    return [*times, *[times[-1]] * (-len(times) % frames_per_step)]
