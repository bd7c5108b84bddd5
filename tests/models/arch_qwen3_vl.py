"""Qwen3-VL, as transformers' modelling and processing files have it."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tests.models.arch_qwen2_5_vl import CONTROLS, FRAMES_PER_STEP, GRIDS, MERGE, PATCH_PIXELS, Qwen25VL
from tests.models.architecture import Stock, StockPrompt
from tests.models.word_tokenizer import word_tokenizer

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
START, PAD, END = "<|vision_start|>", "<|video_pad|>", "<|vision_end|>"


class Qwen3VL(Qwen25VL):
    model_type = "qwen3_vl"
    model_class: ClassVar[type[PreTrainedModel]] = Qwen3VLForConditionalGeneration
    reply_opening = ""

    def tokenizer(self) -> PreTrainedTokenizerFast:
        return word_tokenizer(CONTROLS, TEMPLATE, eos="<|im_end|>", pad="<|endoftext|>")

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        return Qwen3VLConfig(
            vision_config=tower_sizes() | {"deepstack_visual_indexes": [0, 1]},
            text_config=decoder_sizes(tokenizer, num_layers, window),
            **token_ids(tokenizer),
        )

    def stock_features(self, stock: Stock, frames: Sequence[np.ndarray]) -> Tensor:
        features = self.stock_video(stock, frames)
        return torch.cat([features.pooler_output[0], *(level[0] for level in features.deepstack_features)], dim=1)

    def stock_prompt(
        self,
        stock: Stock,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        rows, columns = GRIDS[clip[0].shape[:2]] if len(clip) else (0, 0)
        whole = -(-len(clip) // FRAMES_PER_STEP) * FRAMES_PER_STEP  # where no time is known, nor is the last step's end
        times = list(frame_seconds or [2.0 * index for index in range(whole)])
        video = f"{START}{PAD * num_memory}{END}" if num_memory else ""
        for step in range(0, len(clip), FRAMES_PER_STEP):
            pair = times[step : step + FRAMES_PER_STEP]
            video += f"<{(pair[0] + pair[-1]) / 2 - times[0]:.1f} seconds>{START}{PAD * rows * columns}{END}"
        ids = stock.ids(f"<|im_start|>user\n{video}{text}<|im_end|>\n<|im_start|>assistant\n{self.reply_opening}")
        places = [place for place, token in enumerate(ids) if token == stock.placeholder_id]
        shown = set(places[num_memory:])
        triples: list[tuple[int, int, int]] = []
        here = 0
        while len(triples) < len(ids):
            if len(triples) in shown:
                triples += [(here, here + row, here + column) for row in range(rows) for column in range(columns)]
                here += max(rows, columns)
            else:
                triples.append((here, here, here))
                here += 1
        return StockPrompt(ids, places[:num_memory], places[num_memory:], torch.tensor(triples).T)

    def stock_forward(self, stock: Stock, prompt: StockPrompt, visual: Tensor, embeds: Tensor, **inputs: Any) -> Any:
        """The decoder is called by itself: the whole model takes features of DeepStack from pictures only."""
        dim = embeds.shape[2]
        if len(visual):
            everywhere = torch.zeros(embeds.shape[:2], dtype=torch.bool)
            everywhere[0, [*prompt.memory, *prompt.clip]] = True
            levels = list(visual[:, dim:].split(dim, dim=1))
            inputs |= {"visual_pos_masks": everywhere, "deepstack_visual_embeds": levels}
        output = stock.model.model.language_model(inputs_embeds=embeds, **inputs)
        return SimpleNamespace(
            logits=stock.model.lm_head(output.last_hidden_state),
            attentions=output.attentions,
            hidden_states=output.hidden_states,
        )


def tower_sizes() -> dict[str, Any]:
    return {
        "depth": 3,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": PATCH_PIXELS,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": FRAMES_PER_STEP,
        "num_position_embeddings": 16,
        "initializer_range": 0.2,
    }


def decoder_sizes(tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "max_position_embeddings": window,
        "initializer_range": 0.2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 2, 2]},
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    ids = tokenizer.get_vocab()
    return {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids[PAD],
        "vision_start_token_id": ids[START],
        "vision_end_token_id": ids[END],
    }
