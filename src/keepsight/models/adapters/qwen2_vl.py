"""Qwen2-VL (arXiv 2409.12191), with Qwen2.5-VL's prompt.

Its tower attends to the whole frame in every layer. Each step of two frames is one position after the step before, so
the model does not know the speed of events.
"""

from typing import ClassVar

from transformers import PreTrainedModel, Qwen2VLForConditionalGeneration

from keepsight.method.protocol import VisualInput
from keepsight.models.adapters.qwen2_5_vl import Qwen25VLAdapter
from keepsight.models.prompting.positions import GridRule


class Qwen2VLAdapter(Qwen25VLAdapter):
    """A Qwen2-VL model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen2VLForConditionalGeneration

    def grid(self, visual: VisualInput) -> GridRule | None:
        """Rows and columns, and one position per step."""
        rows, columns = visual.token_grid or self._info.token_grid
        return GridRule(rows, columns, step_interval=1)
