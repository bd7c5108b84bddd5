"""GLM-4.1V and GLM-4.6V-Flash (arXiv 2507.01006), with tower and positions like Qwen2.5-VL's.

Each step of two frames is an image with a grid of positions of its own, followed by the time of its first frame:

    [chat opening]<|begin_of_video|><|begin_of_image|>[memory]<|end_of_image|>
    <|begin_of_image|>[step]<|end_of_image|>0.0 seconds<|begin_of_image|>[step]<|end_of_image|>4.0 seconds ...
    <|end_of_video|>[instruction and chat closing]

This is the output of transformers' processors, apart from the line breaks above. GLM-4.6V's writes tenths of a second,
the older one whole seconds; a checkpoint names the one that it was trained with. Memory is an image without a time.

The templates of GLM-4.5V and GLM-4.6V are rendered without thinking. GLM-4.1V-9B-Thinking has no such switch: its
replies begin with its thoughts.

The decoder is that of GLM-4, which vLLM refuses in float16 as numerically unstable; so does this adapter.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from transformers import Glm4vForConditionalGeneration, PreTrainedModel, PreTrainedTokenizerFast

from keepsight.method.protocol import DEFAULT_FRAME_SPACING_SECONDS, ModelInfo, VisualInput
from keepsight.models.adapters.qwen2_5_vl import Qwen25VLAdapter
from keepsight.models.footprint import ModelShape
from keepsight.models.load_options import LoadOptions
from keepsight.models.prompting.chat import PromptIds, VideoPlace
from keepsight.models.prompting.framed_layout import FrameMarks, count_steps, lay_out_frames, step_seconds
from keepsight.models.prompting.layout import Piece
from keepsight.models.prompting.positions import GridRule
from keepsight.models.vision.preprocessing import FramePreprocessor, read_processor_class

OPENING, CLOSING = "<|begin_of_image|>", "<|end_of_image|>"


class Glm4vAdapter(Qwen25VLAdapter):
    """A GLM-4.1V or GLM-4.6V-Flash model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Glm4vForConditionalGeneration
    place = VideoPlace("<|video|>")
    overflows_float16 = True

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        super().__init__(model, tokenizer, preprocessor, info)
        self._has_tenths = False

    @classmethod
    def load(cls, folder: Path, options: LoadOptions) -> Self:
        """As every adapter, with times as the checkpoint's processor writes them."""
        adapter = super().load(folder, options)
        adapter._has_tenths = read_processor_class(folder) == "Glm46VProcessor"
        return adapter

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """As Qwen2.5-VL; the tower's feed-forward part is as wide as the decoder, only its merger is wider."""
        return replace(super().shape(config, settings), vision_intermediate_size=config.vision_config.out_hidden_size)

    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Memory, then each step before its time."""
        rows, columns = visual.token_grid or self._info.token_grid
        starts = self._step_starts(visual, count_steps(visual, rows * columns))
        times = [self._time_label(seconds) for seconds in starts]
        labels = ["", *times[:-1]] if times else []  # a time follows its step, so it stands before the next one
        marks = FrameMarks(OPENING, CLOSING, labels, outro=times[-1] if times else "")
        return lay_out_frames(self._prompts, ids.text, visual, marks, rows * columns)

    def grid(self, visual: VisualInput) -> GridRule | None:
        """Rows and columns; a step takes as many positions as its longer side and its marks."""
        rows, columns = visual.token_grid or self._info.token_grid
        num_marks = len(self._prompts.template_ids(OPENING + CLOSING + self._time_label(0)))
        return GridRule(rows, columns, step_interval=max(rows, columns) + num_marks, moves_all=True)

    def _time_label(self, seconds: float) -> str:
        return f"{seconds:.1f} seconds" if self._has_tenths else str(int(seconds))

    def _step_starts(self, visual: VisualInput, num_steps: int) -> list[float]:
        """Time of each step's first frame since the clip's."""
        per_step = self._info.frames_per_step
        seconds = visual.frame_seconds
        if seconds is None:
            seconds = tuple(DEFAULT_FRAME_SPACING_SECONDS * index for index in range(num_steps * per_step))
        return step_seconds(replace(visual, frame_seconds=seconds[::per_step]), num_steps)
