"""Qwen3.5 with a mixture of experts: Qwen3.5's tower, prompt and layers, with experts as in `qwen3_vl_moe`.

One expert more, which is shared, computes every token.
"""

from typing import ClassVar

from transformers import PreTrainedModel, Qwen3_5MoeForConditionalGeneration

from keepsight.models.adapters.qwen3_5 import Qwen35Adapter


class Qwen35MoeAdapter(Qwen35Adapter):
    """A Qwen3.5 model with experts as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen3_5MoeForConditionalGeneration
