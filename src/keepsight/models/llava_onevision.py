"""Adapter of LLaVA-OneVision (arXiv 2408.03326) over `LlavaOnevisionForConditionalGeneration`.

The prompt is the checkpoint's own chat with the visual tokens in the place of its video token. After the last visual
token stands one newline embedding, as the model class itself puts one after a whole video, however many frames it has:

    [chat opening][memory tokens][clip tokens][newline][instruction and chat closing]

Positions are contiguous unless the memory comes with offsets (`positions.py`). The scored columns are the clip's own
tokens, neither memory nor newline.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from keepsight.errors import PromptTooLongError, SettingError
from keepsight.models.attention_rows import ScoreAccumulator, register_attention
from keepsight.models.chat import ChatPrompts, PromptIds
from keepsight.models.checkpoint import load_tokenizer, load_weights
from keepsight.models.decoding import greedy_tokens, stream_text
from keepsight.models.footprint import ModelShape, describe_footprint
from keepsight.models.language_side import LanguageSide
from keepsight.models.layers import check_layers, resolve_layers, scale_layers
from keepsight.models.positions import positions_with_gaps
from keepsight.models.preprocessing import FramePreprocessor, load_preprocessor
from keepsight.models.protocol import PAPER_SCORING, Description, ModelInfo, ScoreRule
from keepsight.prompts import DESCRIBE_PROMPT, question_text

FRAMES_PER_BATCH = 16
"""Frames that go through the vision tower at once."""


class LlavaOnevisionAdapter:
    """A LLaVA-OneVision model as a `VideoModel`.

    Args:
        model: weights on their device; its text attention is set to the scoring one here.
        tokenizer: with the chat template that the checkpoint wants.
        preprocessor: makes pixels of frames.
        info: what the model is; `score_layers` names the layers that make the scores.

    Raises:
        SettingError: `score_layers` names layers that the model does not have.
        ModelError: the chat template is not one of a video model.
    """

    def __init__(
        self,
        model: LlavaOnevisionForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        preprocessor: FramePreprocessor,
        info: ModelInfo,
    ) -> None:
        text_config: Any = model.config.text_config
        layers = check_layers(info.score_layers, text_config.num_hidden_layers)
        self._num_layers: int = text_config.num_hidden_layers
        model.set_attn_implementation({"text_config": register_attention(), "vision_config": "sdpa"})
        self._model: Any = model
        self._model.requires_grad_(False).train(False)
        self._tokenizer = tokenizer
        self._preprocessor = preprocessor
        self._info = replace(info, score_layers=layers)
        self._prompts = ChatPrompts(tokenizer, str(tokenizer.convert_ids_to_tokens(model.config.video_token_id)))
        self._end_ids = _end_ids(model, tokenizer) | self._prompts.turn_end_ids

    @classmethod
    def load(
        cls, folder: Path, *, name: str, device: torch.device, dtype: torch.dtype, score_layers: tuple[int, ...] | None
    ) -> "LlavaOnevisionAdapter":
        """Read a checkpoint folder in Hugging Face format; weights from safetensors, no code from the checkpoint.

        Args:
            folder: holds config, weights, tokenizer, chat template and preprocessor settings.
            name: what the user called the model.
            device: where the weights go.
            dtype: type of the weights.
            score_layers: layers that make the scores, 1-based; None scales the paper's to the model's depth.

        Raises:
            ModelError: a file is missing or does not fit the others.
            SettingError: `score_layers` names layers that the model does not have.
        """
        model: Any = load_weights(LlavaOnevisionForConditionalGeneration, folder, dtype)
        model.to(device)
        shape = ModelShape.from_config(model.config)
        text_config = model.config.text_config
        rows = -(-(shape.image_size // shape.patch_size) // 2)  # pooled two by two, rounded up
        info = ModelInfo(
            name=name,
            architecture=type(model).__name__,
            num_parameters=sum(parameter.numel() for parameter in model.parameters()),
            device=str(device),
            dtype=str(dtype).removeprefix("torch."),
            memory_bytes=describe_footprint(shape, dtype.itemsize).total_bytes,
            dim=text_config.hidden_size,
            context_window_tokens=text_config.max_position_embeddings,
            frame_size_pixels=(shape.image_size, shape.image_size),
            token_grid=(rows, rows),
            score_layers=scale_layers(text_config.num_hidden_layers) if score_layers is None else score_layers,
        )
        return cls(model, load_tokenizer(folder), load_preprocessor(folder, shape.image_size), info)

    @property
    def info(self) -> ModelInfo:
        """What the model is and needs."""
        return self._info

    @property
    def language_side(self) -> LanguageSide:
        """The language model with its prompts, for methods that work on keys and values themselves."""
        newline = self._model.model.image_newline.unsqueeze(0)
        return LanguageSide(self._model, self._prompts, self._end_ids, self._decode, newline)

    @torch.inference_mode()
    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order: see `VideoModel.encode`."""
        parts = []
        for start in range(0, len(frames), FRAMES_PER_BATCH):
            pixels = self._preprocessor(frames[start : start + FRAMES_PER_BATCH])
            features = self._model.get_video_features(pixels.to(self._model.device, self._model.dtype))
            parts.append(features.pooler_output[0, :-1])  # the last one is the newline embedding
        if not parts:
            raise SettingError("frames is empty; at least one frame is needed")
        return torch.cat(parts)

    def describe(
        self,
        memory: Tensor,
        tokens: Tensor,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        memory_offsets: Tensor | None = None,
    ) -> Description:
        """Caption a clip greedily and score its tokens: see `VideoModel.describe`."""
        if len(tokens) == 0:
            raise SettingError("tokens is empty; a clip has at least one visual token")
        ids = self._prompts.ids(prompt, with_video=True)
        embeds = self._prompt_embeds(ids, torch.cat([memory.to(tokens), tokens]), max_new_tokens)
        first = len(ids.before) + len(memory)
        positions = None
        if memory_offsets is not None:
            if len(memory_offsets) != len(memory):
                raise SettingError(f"memory_offsets are {len(memory_offsets)} for {len(memory)} memory tokens")
            positions = positions_with_gaps(len(ids.before), memory_offsets.to(embeds.device), embeds.shape[1])
        layers = resolve_layers(scoring.layers, self._info.score_layers, self._num_layers)
        with ScoreAccumulator(layers, slice(first, first + len(tokens)), scoring.heads) as accumulator:
            generated = list(
                greedy_tokens(
                    self._model, embeds, self._end_ids, max_new_tokens, feed_single=True, position_ids=positions
                )
            )
        return Description(
            caption=self._decode(generated).strip(),
            scores=accumulator.scores(),
            num_caption_tokens=len(generated),
        )

    def answer(
        self, context: str, question: str, visual_tokens: Tensor | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """Answer a question in pieces of text: see `VideoModel.answer`. A prompt too long raises at once."""
        ids = self._prompts.ids(question_text(context, question), with_video=_is_given(visual_tokens))
        embeds = self._prompt_embeds(ids, visual_tokens if _is_given(visual_tokens) else None, max_new_tokens)
        return stream_text(greedy_tokens(self._model, embeds, self._end_ids, max_new_tokens), self._decode)

    @torch.inference_mode()
    def embed(self, text: str) -> Tensor:
        """Mean input embedding of a text: see `VideoModel.embed`."""
        ids = self._prompts.text_ids(text)
        if not ids:
            return torch.zeros(self._info.dim)
        return self._embed_ids(ids).float().mean(dim=0).cpu()

    def count_tokens(self, text: str) -> int:
        """Tokens of a text as it would stand in a prompt."""
        return len(self._prompts.text_ids(text))

    def count_prompt_tokens(self, context: str, question: str, num_visual_tokens: int = 0) -> int:
        """Exact length of the prompt that `answer` would send."""
        ids = self._prompts.ids(question_text(context, question), with_video=num_visual_tokens > 0)
        return _length(ids, num_visual_tokens)

    def max_memory_tokens(
        self, num_visual_tokens: int, prompt: str = DESCRIBE_PROMPT, *, max_new_tokens: int = 128
    ) -> int:
        """Memory tokens that still fit before a clip in `describe`."""
        used = _length(self._prompts.ids(prompt, with_video=True), num_visual_tokens) + max_new_tokens
        return max(0, self._info.context_window_tokens - used)

    @torch.inference_mode()
    def _prompt_embeds(self, ids: PromptIds, visual_tokens: Tensor | None, max_new_tokens: int) -> Tensor:
        """Embeddings of the whole prompt, `[1, length, dim]`.

        Raises:
            SettingError: `max_new_tokens` is below 1, or the tokens have another width than the model.
            PromptTooLongError: prompt plus `max_new_tokens` exceed the context window.
        """
        num_visual_tokens = 0 if visual_tokens is None else len(visual_tokens)
        self._check_length(_length(ids, num_visual_tokens), max_new_tokens)
        if visual_tokens is None:
            return self._embed_ids(ids.before).unsqueeze(0)
        if visual_tokens.shape[1:] != (self._info.dim,):
            raise SettingError(f"visual tokens are {list(visual_tokens.shape)}; allowed is [count, {self._info.dim}]")
        newline = self._model.model.image_newline.unsqueeze(0)
        visual = visual_tokens.to(newline)
        parts = [self._embed_ids(ids.before), visual, newline, self._embed_ids(ids.after)]
        return torch.cat(parts).unsqueeze(0)

    def _check_length(self, length: int, max_new_tokens: int) -> None:
        window = self._info.context_window_tokens
        if max_new_tokens < 1:
            raise SettingError(f"max_new_tokens is {max_new_tokens}; allowed are 1 and more")
        if length + max_new_tokens > window:
            raise PromptTooLongError(
                f"the prompt has {length} tokens and the reply up to {max_new_tokens}, "
                f"but the model's window is {window} tokens"
            )

    def _embed_ids(self, ids: Sequence[int]) -> Tensor:
        embeddings: Tensor = self._model.get_input_embeddings()(torch.tensor(ids, device=self._model.device))
        return embeddings

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def _is_given(visual_tokens: Tensor | None) -> bool:
    return visual_tokens is not None and len(visual_tokens) > 0


def _length(ids: PromptIds, num_visual_tokens: int) -> int:
    """Tokens of a prompt; visual tokens bring one newline embedding with them."""
    return len(ids) + (num_visual_tokens + 1 if num_visual_tokens else 0)


def _end_ids(model: LlavaOnevisionForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """Ids that end a reply by the generation settings and the tokenizer."""
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token_id for token_id in (*ids, tokenizer.eos_token_id) if token_id is not None)
