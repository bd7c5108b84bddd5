"""Qwen3-VL with a mixture of experts (arXiv 2511.21631): Qwen3-VL's tower and prompt, another decoder.

A router sends each token through a few experts of a layer. All experts' weights are in memory; only the chosen ones
compute. They are not `torch.nn.Linear` layers, so quantisation leaves them as they are.
"""

from transformers import Qwen3VLMoeForConditionalGeneration

from keepsight.models.adapters.qwen3_vl import Qwen3VLAdapter


class Qwen3VLMoeAdapter(Qwen3VLAdapter):
    """A Qwen3-VL model with experts as a `VideoModel`."""

    model_class = Qwen3VLMoeForConditionalGeneration
