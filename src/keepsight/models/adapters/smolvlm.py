"""SmolVLM2 (arXiv 2504.05299).

Every frame is one image, squeezed to the settings' square and never tiled; adjacent patches are folded into one token
(pixel shuffle). With 512 pixels, patches of 16, folded four by four, a frame has 64 tokens. The prompt is

    [chat opening] You are provided the following series of ... frames from a 0:00:30 [H:MM:SS] video.
    <fake_token_around_image><global-img>[memory]<fake_token_around_image>

    Frame from 00:00:<fake_token_around_image><global-img>[frame]<fake_token_around_image>
    Frame from 00:02:<fake_token_around_image><global-img>[frame]<fake_token_around_image>

    [instruction and chat closing]

Texts and chat template are those of transformers' processor. Two things differ: times count from the clip's first
frame, and frames are resized in one step, where the processor first resizes the longer side.
"""

import copy
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.processing_smolvlm import (
    DEFAULT_CHAT_TEMPLATE,
    DEFAULT_MEDIA_OUTTRO,
    DEFAULT_VIDEO_INTRO,
    FRAME_TIMESTAMP_MESSAGE,
)

from keepsight.method.protocol import ModelInfo, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.vision.preprocessing import FramePreprocessor

MARK = "<fake_token_around_image>"

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


class SmolVLMAdapter(VideoAdapter):
    """A SmolVLM2 model as a `VideoModel`."""

    model_class = SmolVLMForConditionalGeneration
    place = VideoPlace("<video>")

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        with_template = copy.copy(tokenizer)
        with_template.chat_template = DEFAULT_CHAT_TEMPLATE  # a checkpoint's own may support images only
        super().__init__(model, with_template, preprocessor, info)

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Square frames of the image size, with folded patches."""
        vision = config.vision_config
        side = int((settings.get("max_image_size") or {}).get("longest_edge", vision.image_size))
        patches = side // vision.patch_size
        return ModelShape.of(
            cls.model_class,
            config,
            frame_size=(side, side),
            patches_per_frame=patches**2,
            token_grid=(patches // config.scale_factor, patches // config.scale_factor),
        )

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        tokens: Tensor = self._model.get_image_features(self._pixels(frames)).pooler_output[0]
        return tokens

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Number of frames and duration, then memory, then each frame after its time."""
        num_frames = count_steps(visual, self._info.tokens_per_step)
        seconds = step_seconds(visual, num_frames)
        marks = FrameMarks(
            opening=f"{MARK}<global-img>",
            closing=MARK,
            labels=[FRAME_TIMESTAMP_MESSAGE.format(timestamp=clock(at)) for at in seconds],
            intro=intro(num_frames, seconds[-1]) if seconds else "",
            outro=DEFAULT_MEDIA_OUTTRO,
        )
        return lay_out_frames(self._prompts, ids.text, visual, marks, self._info.tokens_per_step)


def intro(num_frames: int, last_seconds: float) -> str:
    """Text before all frames; their duration is the last frame's time, as for videos of unknown length."""
    return DEFAULT_VIDEO_INTRO.format(
        frame_count=in_words(num_frames), video_duration=timedelta(seconds=int(last_seconds))
    )


def clock(seconds: float) -> str:
    """Minutes and seconds as the processor writes them: `61:01` after an hour."""
    return f"{int(seconds // 60):02d}:{int(seconds % 60):02d}"


def in_words(number: int) -> str:
    """A number in words, such as `thirty-two`; in digits from a thousand on, more than any context window holds."""
    if number < len(_UNITS):
        return _UNITS[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return f"{_TENS[tens]}-{_UNITS[units]}" if units else _TENS[tens]
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_UNITS[hundreds]} hundred" + (f" and {in_words(rest)}" if rest else "")
    return str(number)
