"""LLaVA-OneVision models of random weights, made in memory, with a tokenizer that gives a token for each word.

What a model of a shape costs does not depend on its weights, as long as its replies are as long as they are meant to
be: the control tokens have embeddings of zero here, so none is ever the likeliest and no reply ends early.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.pre_tokenizers import Split
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from keepsight.method.protocol import ModelInfo
from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter
from keepsight.models.checkpoint import quiet_transformers
from keepsight.models.footprint import describe_footprint
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.vision.preprocessing import make_preprocessor

_CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + part['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_UNKNOWN = "[UNK]"
_NOT_WORDS = (*_CONTROLS, _UNKNOWN, "\n")


@dataclass(frozen=True)
class Shape:
    """Sizes of a model: those of the decoder, of the head and of the vision tower.

    Attributes:
        layers, hidden, heads, key_value_heads, intermediate: of the decoder.
        vocabulary: tokens.
        window: longest prompt plus reply.
        tower_layers, tower_hidden, tower_heads, tower_intermediate: of the vision tower.
        image_pixels: side of a frame.
        patch_pixels: side of a patch.
    """

    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int
    window: int
    tower_layers: int
    tower_hidden: int
    tower_heads: int
    tower_intermediate: int
    image_pixels: int
    patch_pixels: int

    @property
    def in_words(self) -> str:
        """One line for a table's head."""
        return (
            f"{self.layers} layers, width {self.hidden}, {self.heads} query heads over {self.key_value_heads} "
            f"key-value heads, feed-forward {self.intermediate}, vocabulary {self.vocabulary:,}"
        )


SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        # LLaVA-OneVision: Qwen2 (arXiv 2407.10671, table 1) behind SigLIP-SO400M/14 at 384 pixels, 26 of its layers.
        "7b": Shape(28, 3584, 28, 4, 18944, 152000, 32768, 26, 1152, 16, 4304, 384, 14),
        "0.5b": Shape(24, 896, 14, 2, 4864, 152000, 32768, 26, 1152, 16, 4304, 384, 14),
        # Sizes of SmolVLM2-256M (arXiv 2504.05299), a SmolLM2 of 135M behind SigLIP-B/16 at 512 pixels.
        "256m": Shape(30, 576, 9, 3, 1536, 49280, 8192, 12, 768, 12, 3072, 512, 16),
        # The tokens of a frame of those, and as few layers and as narrow as two cores want it.
        "narrow": Shape(8, 128, 2, 1, 696, 16384, 32768, 2, 64, 2, 128, 384, 14),
        # As the bundled model, with room for longer prompts.
        "small": Shape(6, 256, 8, 4, 512, 8192, 32768, 4, 160, 5, 480, 96, 16),
        "smallest": Shape(2, 32, 2, 1, 48, 512, 32768, 1, 16, 2, 24, 64, 16),
    }
)
"""Shapes by name."""


@dataclass(frozen=True, eq=False)
class RandomModel:
    """A model of random weights.

    Attributes:
        adapter: as Keepsight uses it.
        stock: the transformers model inside, whose weights it shares.
        config: of the transformers model.
    """

    adapter: LlavaOnevisionAdapter
    stock: Any
    config: LlavaOnevisionConfig


def config_of(name: str) -> LlavaOnevisionConfig:
    """The transformers configuration of a shape."""
    shape = SHAPES[name]
    return _config(shape, word_tokenizer(shape.vocabulary))


def words(count: int, first: int = 0) -> str:
    """A text of so many tokens."""
    return " ".join(f"w{number}" for number in range(first, first + count))


def random_model(name: str, device: str, dtype: str, shape: Shape | None = None) -> RandomModel:
    """A model of a shape, its weights made where they are to stay.

    Args:
        name: of the model, and of its shape in `SHAPES` unless another is given.
        device: torch device.
        dtype: name of the number format.
        shape: its sizes.
    """
    shape = shape or SHAPES[name]
    tokenizer = word_tokenizer(shape.vocabulary)
    config = _config(shape, tokenizer)
    model = _random_weights(config, device, DTYPES[dtype], len(_NOT_WORDS))
    settings = {"size": {"height": shape.image_pixels, "width": shape.image_pixels}, "image_mean": [0.5] * 3}
    settings["image_std"] = [0.5] * 3
    sizes = LlavaOnevisionAdapter.shape(config, settings)
    info = ModelInfo(
        name=f"random-{name}",
        architecture=type(model).__name__,
        num_parameters=sizes.num_parameters,
        device=device,
        dtype=dtype,
        memory_bytes=describe_footprint(sizes, DTYPES[dtype].itemsize).total_bytes,
        dim=shape.hidden,
        context_window_tokens=shape.window,
        frame_size_pixels=(shape.image_pixels, shape.image_pixels),
        token_grid=sizes.token_grid,
        score_layers=LlavaOnevisionAdapter.scored_layers(config),
    )
    preprocessor = make_preprocessor(settings, info.frame_size_pixels)
    return RandomModel(LlavaOnevisionAdapter(model, tokenizer, preprocessor, info), model, config)


def word_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer of so many tokens: controls, the unknown word, the line's end, and the words of `words`."""
    entries = [*_NOT_WORDS, *(f"w{number}" for number in range(vocabulary - len(_NOT_WORDS)))]
    backend = Tokenizer(WordLevel({entry: place for place, entry in enumerate(entries)}, unk_token=_UNKNOWN))
    backend.pre_tokenizer = Steps([Split(Regex(" +"), "removed"), Split(Regex("\n"), "isolated")])
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _CONTROLS])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=_UNKNOWN,
        chat_template=_CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _config(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> LlavaOnevisionConfig:
    return LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=shape.tower_hidden,
            intermediate_size=shape.tower_intermediate,
            num_hidden_layers=shape.tower_layers,
            num_attention_heads=shape.tower_heads,
            image_size=shape.image_pixels,
            patch_size=shape.patch_pixels,
            vision_use_head=False,
        ),
        text_config=Qwen2Config(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.key_value_heads,
            max_position_embeddings=shape.window,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        video_token_index=tokenizer.get_vocab()["<video>"],
        image_token_index=tokenizer.get_vocab()["<image>"],
    )


def _random_weights(config: LlavaOnevisionConfig, device: str, dtype: torch.dtype, num_silent: int) -> Any:
    """The model; the first tokens of its vocabulary are never the likeliest next one."""
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with quiet_transformers(), torch.device(device):
            model: Any = LlavaOnevisionForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(usual)
    with torch.no_grad():
        for part in (model.get_input_embeddings(), model.get_output_embeddings()):
            part.weight[:num_silent] = 0
    model.generation_config.eos_token_id = config.get_text_config().eos_token_id
    return model
