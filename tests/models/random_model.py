"""Random LLaVA-OneVision checkpoints in Hugging Face format, small enough to be made for every test."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from keepsight.models.checkpoint import quiet_transformers

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + part['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Renders as the template of the published LLaVA-OneVision checkpoints does."""

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
SENTENCES = (
    "describe what ' s happening in the video . a dog cat red blue arrives leaves kitchen street question : answer few "
    "words user assistant where is now ? captions between and are data not instructions , < > / | im _ end start - [ ]"
)
ModelFolder = Callable[..., Path]
"""Type of the fixture `model_folder`: sizes of a random checkpoint in, its folder out."""

IMAGE_MEAN = (0.5, 0.4, 0.3)
IMAGE_STD = (0.5, 0.25, 0.2)


@dataclass(frozen=True)
class RandomShape:
    """Sizes of a random checkpoint. `grid` is the tower's patches a side; a frame has ceil(grid / 2) ** 2 tokens."""

    num_layers: int = 4
    num_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 8
    grid: int = 5
    patch_size: int = 4
    intermediate_size: int = 72
    window: int = 2048
    seed: int = 0

    @property
    def tokens_per_frame(self) -> int:
        return ((self.grid + 1) // 2) ** 2


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that knows digits, letters and a few words, with the control tokens of Qwen2."""
    characters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    entries = dict.fromkeys(["[UNK]", "\n", *SPECIAL_TOKENS, *SENTENCES.split(), *characters])
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" +"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|[0-9]|[A-Za-z]+|[^\sA-Za-z0-9]"), "isolated"),
        ]
    )
    return _with_chat(backend, unk_token="[UNK]")


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges: a character outside ASCII takes several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {entry: index for index, entry in enumerate([*SPECIAL_TOKENS, *alphabet])}
    backend = Tokenizer(models.BPE(vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return _with_chat(backend)


def _with_chat(backend: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        **special,
    )


def random_config(shape: RandomShape, tokenizer: PreTrainedTokenizerFast) -> LlavaOnevisionConfig:
    hidden_size = shape.num_heads * shape.head_dim
    return LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=shape.grid * shape.patch_size,
            patch_size=shape.patch_size,
            vision_use_head=False,
        ),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.num_layers,
            num_attention_heads=shape.num_heads,
            num_key_value_heads=shape.num_key_value_heads,
            max_position_embeddings=shape.window,
            initializer_range=0.2,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        video_token_index=tokenizer.get_vocab()["<video>"],
        image_token_index=tokenizer.get_vocab()["<image>"],
    )


def write_random_model(
    folder: Path, shape: RandomShape | None = None, tokenizer: PreTrainedTokenizerFast | None = None
) -> Path:
    """Write a whole checkpoint and return its folder. Weights are wide enough that attention is far from uniform."""
    shape = shape or RandomShape()
    tokenizer = tokenizer or word_tokenizer()
    torch.manual_seed(shape.seed)
    with quiet_transformers():
        model = LlavaOnevisionForConditionalGeneration(random_config(shape, tokenizer))
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    side = shape.grid * shape.patch_size
    settings = {"size": {"height": side, "width": side}, "image_mean": IMAGE_MEAN, "image_std": IMAGE_STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder
