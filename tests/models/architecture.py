"""What the contract of adapters needs to know of an architecture: random checkpoints, and transformers' own path.

Everything here is written without the adapters: prompts are written out by hand and tokenised in one piece, and the
stock model runs with eager attention over whole sequences, without a cache.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from keepsight.models.checkpoint import quiet_transformers

IMAGE_MEAN = [0.5, 0.4, 0.3]
IMAGE_STD = [0.5, 0.25, 0.2]
FRAME_SIZES = ((24, 40), (40, 24), (24, 24), (8, 8))
"""Heights and widths in pixels of the frames that the contract shows; the first is the usual one."""


@dataclass(frozen=True)
class StockPrompt:
    """A whole chat, tokenised in one piece.

    Attributes:
        ids: token ids with placeholders.
        memory: indices of the memory's placeholders.
        clip: indices of the placeholders of the clip's own tokens.
        positions: int64 `[3, length]`; None for 0, 1, 2 ...
        blocks: indices of tokens that see each other in both directions, if any do.
    """

    ids: list[int]
    memory: list[int]
    clip: list[int]
    positions: Tensor | None = None
    blocks: tuple[tuple[int, ...], ...] = ()

    @property
    def next_position(self) -> int:
        return len(self.ids) if self.positions is None else int(self.positions.max()) + 1


class Architecture(ABC):
    """An architecture in the table of models; one module `arch_<name>.py` each."""

    model_type: ClassVar[str]
    variant: ClassVar[str | None] = None
    """Name among the models of one `model_type`; None for the first."""

    model_class: ClassVar[type[PreTrainedModel]]

    placeholder: ClassVar[str]
    """The token that stands in a whole chat for one visual token."""

    half_dtypes: ClassVar[tuple[str, ...]] = ("bfloat16", "float16")
    """Formats of half precision in which it runs."""

    turn_end: ClassVar[str | None] = None
    """The token that ends a reply beside the tokenizer's own."""

    def __str__(self) -> str:
        return self.variant or self.model_type

    @abstractmethod
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """With the control tokens and a chat template that renders as the published one does."""

    @abstractmethod
    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> Any:
        """A small configuration."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What stands in the preprocessor's file."""

    @abstractmethod
    def num_tokens(self, num_frames: int, height: int, width: int) -> int:
        """Visual tokens of that many frames of a size in pixels."""

    @abstractmethod
    def stock_features(self, stock: "Stock", frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens `[num_tokens, visual_dim]` by transformers' own path."""

    @abstractmethod
    def stock_prompt(
        self,
        stock: "Stock",
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        """The chat written out by hand; without memory and clip, a chat without video."""

    def stock_embeds(self, stock: "Stock", prompt: StockPrompt, visual: Tensor) -> Tensor:
        """`[length, dim]`: the placeholders' places taken by the visual tokens, memory before clip."""
        embeds = stock.embed(prompt.ids)
        embeds[[*prompt.memory, *prompt.clip]] = visual[:, : embeds.shape[1]].to(embeds)
        return embeds

    def stock_forward(self, stock: "Stock", prompt: StockPrompt, visual: Tensor, embeds: Tensor, **inputs: Any) -> Any:
        """The model over prompt and reply; where there is DeepStack, its features go in with them."""
        return stock.model(inputs_embeds=embeds, **inputs)

    def stock_mask(self, stock: "Stock", prompt: StockPrompt, length: int) -> Any:
        """What the model takes as its mask over `length` tokens, prompt and reply; None is causal."""
        return None

    def write(self, folder: Path, *, seed: int = 0, num_layers: int = 4, window: int = 2048) -> Path:
        """Write a whole checkpoint and return its folder; weights are wide, so that attention is far from uniform."""
        tokenizer = self.tokenizer()
        torch.manual_seed(seed)
        with quiet_transformers():
            model = self.model_class(self.config(tokenizer, num_layers, window))
            _fill_constant_weights(model)
            ends = [tokenizer.eos_token, *([self.turn_end] if self.turn_end else [])]
            model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(ends)
            model.generation_config.pad_token_id = tokenizer.pad_token_id
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(self.settings()), encoding="utf-8")
        return folder


class Stock:
    """A checkpoint run by transformers' own classes."""

    def __init__(self, architecture: Architecture, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        self.architecture, self.folder = architecture, folder
        with quiet_transformers():
            self.model: Any = architecture.model_class.from_pretrained(
                folder, attn_implementation="eager", dtype=dtype
            ).eval()
            self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        self.placeholder_id: int = self.tokenizer.convert_tokens_to_ids(architecture.placeholder)

    def ids(self, chat: str, *, add_special_tokens: bool = False) -> list[int]:
        return list(self.tokenizer(chat, add_special_tokens=add_special_tokens)["input_ids"])

    @torch.no_grad()
    def embed(self, ids: Sequence[int]) -> Tensor:
        return self.model.get_input_embeddings()(torch.tensor(ids, dtype=torch.int64)).clone()

    @torch.no_grad()
    def features(self, frames: Sequence[np.ndarray]) -> Tensor:
        return self.architecture.stock_features(self, frames)

    def prompt(
        self,
        text: str,
        num_memory: int,
        clip: Sequence[np.ndarray],
        frame_seconds: Sequence[float] | None = None,
    ) -> StockPrompt:
        return self.architecture.stock_prompt(self, text, num_memory, clip, frame_seconds)

    @torch.no_grad()
    def embeds(self, prompt: StockPrompt, visual: Tensor) -> Tensor:
        """`[length, dim]`: the prompt as the decoder should see it."""
        return self.architecture.stock_embeds(self, prompt, visual)

    @torch.no_grad()
    def run(self, prompt: StockPrompt, visual: Tensor, reply: Sequence[int], **options: Any) -> Any:
        """One pass over prompt and reply with the whole attention matrices of every layer."""
        prompt_embeds = self.embeds(prompt, visual)
        embeds = torch.cat([prompt_embeds, self.embed(reply)]) if reply else prompt_embeds
        positions = None
        if prompt.positions is not None:
            after = (prompt.next_position + torch.arange(len(reply))).expand(len(prompt.positions), -1)
            positions = torch.cat([prompt.positions, after], dim=1).unsqueeze(1)
        return self.architecture.stock_forward(
            self,
            prompt,
            visual,
            embeds.unsqueeze(0),
            position_ids=positions,
            attention_mask=self.architecture.stock_mask(self, prompt, len(embeds)),
            output_attentions=True,
            **options,
        )

    def states(self, prompt: StockPrompt, visual: Tensor) -> Tensor:
        """`[length, dim]`: what the decoder's last layer and norm make of the prompt."""
        return self.run(prompt, visual, [], output_hidden_states=True).hidden_states[-1][0]

    def reply(self, prompt: StockPrompt, visual: Tensor, max_new_tokens: int) -> list[int]:
        """Ids of the reply, greedily, running the whole sequence for every token."""
        ends = self.model.generation_config.eos_token_id
        reply: list[int] = []
        while len(reply) < max_new_tokens and not (reply and reply[-1] in ends):
            reply.append(int(self.run(prompt, visual, reply).logits[0, -1].argmax()))
        return reply

    def text(self, reply: Sequence[int]) -> str:
        return str(self.tokenizer.decode(reply, skip_special_tokens=True)).strip()

    def scores(self, prompt: StockPrompt, visual: Tensor, reply: Sequence[int], layers: Sequence[int]) -> Tensor:
        """Scores by definition, float64: rows of the reply that were fed back, at the clip's own columns."""
        fed = reply[:-1] or reply
        attentions = self.run(prompt, visual, fed).attentions
        first = len(prompt.ids)
        rows = torch.stack([attentions[layer - 1][0, :, first:].double() for layer in layers])
        return rows[..., prompt.clip].mean(dim=(0, 1, 2))


def random_frames(num_frames: int, seed: int = 0, height: int = 24, width: int = 40) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(num_frames)]


def _fill_constant_weights(model: PreTrainedModel) -> None:
    """Give zeros, and scales that are all one, values that matter: a part left out must be seen."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and float(parameter.float().std()) == 0:
                parameter.add_(torch.randn_like(parameter) * 0.2)
