"""Qwen3.5, as transformers' modelling and processing files have it, with the switch for thinking of its template."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3_5Config, Qwen3_5ForConditionalGeneration

from tests.models.arch_qwen2_5_vl import CONTROLS
from tests.models.arch_qwen3_vl import TEMPLATE, Qwen3VL, decoder_sizes, token_ids, tower_sizes
from tests.models.architecture import Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

THINKING_TEMPLATE = TEMPLATE + (
    "{% if add_generation_prompt %}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}"
    "{% else %}{{ '<think>\\n' }}{% endif %}{% endif %}"
)


class Qwen35(Qwen3VL):
    model_type = "qwen3_5"
    model_class: ClassVar[type[PreTrainedModel]] = Qwen3_5ForConditionalGeneration
    reply_opening = "<think>\n\n</think>\n\n"

    def tokenizer(self) -> PreTrainedTokenizerFast:
        thoughts = ("<think>", "</think>")
        return word_tokenizer(CONTROLS, THINKING_TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>", added=thoughts)

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return Qwen3_5Config(
            vision_config=tower_sizes(),
            text_config=hybrid_sizes(tokenizer, num_layers, window),
            **token_ids(tokenizer),
        )

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        return self.stock_video(stock, frames).pooler_output[0]

    def stock_forward(self, stock: Stock, prompt: StockPrompt, visual: Tensor, embeds: Tensor, **inputs: Any) -> Any:
        """Attention is recorded in the layers that have any; the others' places stay empty."""
        output = stock.model.model.language_model(inputs_embeds=embeds, **inputs)
        found = iter(output.attentions)
        kinds = stock.model.config.text_config.layer_types
        return SimpleNamespace(
            logits=stock.model.lm_head(output.last_hidden_state),
            attentions=[next(found) if kind == "full_attention" else None for kind in kinds],
            hidden_states=output.hidden_states,
        )


def hybrid_sizes(tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> dict[str, Any]:
    return decoder_sizes(tokenizer, num_layers, window) | {
        "layer_types": [("linear_attention", "full_attention")[layer % 2] for layer in range(num_layers)],
        "head_dim": 16,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [2, 1, 1],
            "partial_rotary_factor": 0.5,
        },
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 12,
    }
