"""The same checkpoint run by transformers' own path, as an oracle that shares no code with the adapter."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from keepsight.models.checkpoint import quiet_transformers


class StockModel:
    """Tokenises whole prompts, lets the model expand `<video>` placeholders, and records full attention."""

    def __init__(self, folder: Path, attention: str = "eager", dtype: torch.dtype = torch.float32) -> None:
        with quiet_transformers():
            self.model = LlavaOnevisionForConditionalGeneration.from_pretrained(
                folder, attn_implementation=attention, dtype=dtype
            ).eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.video_id = self.model.config.video_token_id

    def prompt_ids(self, text: str, num_placeholders: int) -> Tensor:
        """`[1, length]`: the chat written out by hand and tokenised in one piece."""
        video = "<video>" * num_placeholders
        chat = f"<|im_start|>user {video}\n{text}<|im_end|><|im_start|>assistant\n"
        return torch.tensor([self.tokenizer(chat, add_special_tokens=False)["input_ids"]])

    def embeds(self, ids: Tensor, visual: Tensor) -> Tensor:
        """`[1, length, dim]`: the placeholders' places taken by visual tokens and one newline after them."""
        filled = self.model.get_input_embeddings()(ids).clone()
        filled[ids == self.video_id] = torch.cat([visual, self.model.model.image_newline[None]]).to(filled)
        return filled

    @torch.inference_mode()
    def generate(self, max_new_tokens: int, **inputs: Tensor) -> list[int]:
        """Ids of the reply alone, greedily."""
        produced = self.model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
        prompt = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
        return [int(token) for token in produced[0, prompt:]]

    @torch.inference_mode()
    def scores(self, embeds: Tensor, reply: list[int], layers: tuple[int, ...], columns: list[int]) -> Tensor:
        """Scores by definition: one pass over prompt and reply with the whole attention matrices of every layer."""
        fed = reply[:-1] or reply
        tail = self.model.get_input_embeddings()(torch.tensor([fed]))
        attentions = self.model(inputs_embeds=torch.cat([embeds, tail], dim=1), output_attentions=True).attentions
        first = embeds.shape[1]
        rows = torch.stack([attentions[layer - 1][0, :, first:, :].double() for layer in layers])
        return rows[..., columns].mean(dim=(0, 1, 2))

    @torch.inference_mode()
    def scores_over_cache(
        self, embeds: Tensor, reply: list[int], layers: tuple[int, ...], columns: list[int]
    ) -> Tensor:
        """The same, by one teacher-forced pass of the reply over the prompt's key-value cache."""
        fed = torch.tensor([reply[:-1] or reply])
        cache = self.model(inputs_embeds=embeds, use_cache=True).past_key_values
        attentions = self.model(input_ids=fed, past_key_values=cache, output_attentions=True).attentions
        rows = torch.stack([attentions[layer - 1][0].double() for layer in layers])
        return rows[..., columns].mean(dim=(0, 1, 2))


def random_frames(num_frames: int, seed: int = 0, height: int = 30, width: int = 40) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(num_frames)]
