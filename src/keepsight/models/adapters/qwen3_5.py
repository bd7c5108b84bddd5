"""Qwen3.5, with Qwen3-VL's prompt, its tower without DeepStack, and a decoder of two kinds of layers.

Three of four layers are a gated delta network (arXiv 2412.06464): linear attention, with one state for all tokens so
far. Only the others attend to single tokens, so only they score, and only they have keys and values. A state cannot
forget its last tokens, so nothing is drafted. Padding of a batch does not enter it: transformers sets the inputs of
padded places to zero, which leaves a state of zeros as it is.

The larger checkpoints write thoughts before a reply; the chat template is rendered without (`prompting.chat`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel, Qwen3_5ForConditionalGeneration

from keepsight.models.adapters.qwen3_vl import Qwen3VLAdapter
from keepsight.models.footprint import ModelShape


class Qwen35Adapter(Qwen3VLAdapter):
    """A Qwen3.5 model as a `VideoModel`."""

    model_class: ClassVar[type[PreTrainedModel]] = Qwen3_5ForConditionalGeneration
    can_draft = False
    can_compile = False

    @classmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """As Qwen2.5-VL."""
        return super(Qwen3VLAdapter, cls).shape(config, settings)

    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        return super(Qwen3VLAdapter, self).encode_batch(frames)
