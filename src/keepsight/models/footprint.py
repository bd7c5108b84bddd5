"""Memory footprint of a model, computed before loading it.

The terms are those of describing a clip, the largest operation: weights, key-value cache, the largest set of
activations alive at once, and the last position's logits. `docs/memory.md` has a worked example.
"""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from keepsight.models.checkpoint import quiet_transformers
from keepsight.models.linear_attention import LinearAttention
from keepsight.models.vision.batches import frames_per_batch_on_cpu

FLOAT32_BYTES = 4
FRAMES_PER_CLIP = 16
PROMPT_AND_CAPTION_TOKENS = 256
"""Tokens for chat and caption besides visual tokens, in `describe_footprint`'s default context."""


QUANTIZATION_BITS = {"int8": 8, "int4": 4}
"""Bits per weight by quantisation name, without what `quantized_bits` adds."""

GROUP_SIZE = 32
"""Consecutive weights that share a scale with 4 bits; with 8 bits a whole row does."""


@dataclass(frozen=True)
class ModelShape:
    """Sizes that determine a video model's memory.

    Attributes:
        num_parameters: exact number of weights.
        num_layers: decoder layers.
        hidden_size: width of the decoder.
        num_heads: query heads.
        num_key_value_heads: key and value heads.
        head_dim: width of one head.
        intermediate_size: width of the decoder's feed-forward part; of one expert if it has experts.
        vocab_size: tokens in the vocabulary.
        vision_hidden_size: width of the tower.
        vision_intermediate_size: width of the tower's feed-forward part.
        frame_height: height of resized frames.
        frame_width: width of resized frames.
        patches_per_frame: patches per frame in the tower.
        token_grid: rows and columns of visual tokens per step.
        frames_per_step: consecutive frames merged into one step.
        deepstack_levels: DeepStack features per visual token besides the embedding.
        experts_per_token: experts that compute a token in each layer; 0 for a decoder without experts.
        num_linear_weights: weights of the decoder's linear layers, which quantisation rounds.
        linear_attention: sizes of linear attention, which some layers have in place of keys and values; None for none.
    """

    num_parameters: int
    num_layers: int
    hidden_size: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    vision_hidden_size: int
    vision_intermediate_size: int
    frame_height: int
    frame_width: int
    patches_per_frame: int
    token_grid: tuple[int, int]
    frames_per_step: int = 1
    deepstack_levels: int = 0
    experts_per_token: int = 0
    num_linear_weights: int = 0
    linear_attention: LinearAttention | None = None

    @classmethod
    def of(
        cls,
        model_class: type[PreTrainedModel],
        config: Any,
        *,
        frame_size: tuple[int, int],
        patches_per_frame: int,
        token_grid: tuple[int, int],
        frames_per_step: int = 1,
        deepstack_levels: int = 0,
    ) -> "ModelShape":
        """Sizes from a transformers configuration; counts weights without allocating them."""
        text, vision = config.get_text_config(), config.vision_config
        head_dim, num_key_value_heads = _widest_attention(text)
        experts_per_token = getattr(text, "num_experts_per_tok", None) or 0
        tower_width, tower_feed_forward = _tower_widths(vision)
        num_parameters, num_linear_weights = count_weights(model_class, config)
        return cls(
            num_parameters=num_parameters,
            num_layers=text.num_hidden_layers,
            hidden_size=text.hidden_size,
            num_heads=text.num_attention_heads,
            num_key_value_heads=num_key_value_heads,
            head_dim=head_dim,
            intermediate_size=getattr(text, "moe_intermediate_size", None) or text.intermediate_size,
            vocab_size=text.vocab_size,
            vision_hidden_size=tower_width,
            vision_intermediate_size=tower_feed_forward,
            frame_height=frame_size[0],
            frame_width=frame_size[1],
            patches_per_frame=patches_per_frame,
            token_grid=token_grid,
            frames_per_step=frames_per_step,
            deepstack_levels=deepstack_levels,
            experts_per_token=experts_per_token,
            num_linear_weights=num_linear_weights,
            linear_attention=LinearAttention.of(text),
        )

    @property
    def tokens_per_step(self) -> int:
        """Visual tokens per step."""
        return self.token_grid[0] * self.token_grid[1]

    @property
    def visual_dim(self) -> int | None:
        """Width of a visual token; None if equal to the decoder's."""
        return self.hidden_size * (1 + self.deepstack_levels) if self.deepstack_levels else None


def _widest_attention(text_config: Any) -> tuple[int, int]:
    """Width of the widest head, and how many such heads have the widest keys; layers may differ."""
    layers = text_config.per_layer_config
    widths = [getattr(one, "head_dim", None) or one.hidden_size // one.num_attention_heads for one in layers]
    keys = max(one.num_key_value_heads * width for one, width in zip(layers, widths, strict=True))
    return max(widths), -(-keys // max(widths))


def _tower_widths(vision_config: Any) -> tuple[int, int]:
    """Width of the tower and of its feed-forward part; Qwen2-VL calls the width of its merged output `hidden_size`."""
    if embed_dim := getattr(vision_config, "mm_embed_dim", None):  # no tower, but a projection of patches
        return embed_dim, 3 * vision_config.model_patch_size**2
    if embed_dim := getattr(vision_config, "embed_dim", None):
        return embed_dim, embed_dim * vision_config.mlp_ratio
    return vision_config.hidden_size, vision_config.intermediate_size


def count_weights(model_class: type[PreTrainedModel], config: Any) -> tuple[int, int]:
    """Number of weights of a configuration, and of those in its decoder's linear layers.

    They are counted on torch's meta device without allocation.
    """
    with quiet_transformers(), torch.device("meta"):
        model: Any = model_class(config)
    model.tie_weights()
    linear = [module for module in model.get_decoder().modules() if isinstance(module, torch.nn.Linear)]
    return sum(weight.numel() for weight in model.parameters()), sum(module.weight.numel() for module in linear)


@dataclass(frozen=True)
class Footprint:
    """Peak bytes of describing one clip.

    Attributes:
        weight_bytes: all weights.
        key_value_bytes: key-value cache of the whole context.
        activation_bytes: the larger of the tower's and decoder's peak activations.
        logit_bytes: logits of the last position.
    """

    weight_bytes: int
    key_value_bytes: int
    activation_bytes: int
    logit_bytes: int

    @property
    def total_bytes(self) -> int:
        """Sum of all terms."""
        return self.weight_bytes + self.key_value_bytes + self.activation_bytes + self.logit_bytes


def weight_bytes(
    shape: ModelShape, bytes_per_value: int, quantization: str | None = None, device_type: str = "cuda"
) -> int:
    """Bytes of all weights, the scales of quantised ones included.

    Args:
        shape: the model's sizes.
        bytes_per_value: bytes of an unquantised weight.
        quantization: of the decoder's linear layers, key of `QUANTIZATION_BITS`; None for none.
        device_type: `cpu`, `cuda` or `mps`.
    """
    whole = shape.num_parameters * bytes_per_value
    if quantization is None:
        return whole
    bits = quantized_bits(quantization, bytes_per_value, device_type)
    return whole - int(shape.num_linear_weights * (8 * bytes_per_value - bits)) // 8


def quantized_bits(quantization: str, bytes_per_value: int, device_type: str) -> float:
    """Bits that a quantised weight takes.

    With 8 bits a whole row shares its scale. With 4 bits, `GROUP_SIZE` weights do: packed on CUDA, with scale and zero
    point of 16 bits each; anywhere else a weight takes a byte, with a scale in the model's format and a zero point of a
    byte.
    """
    if quantization == "int8":
        return 8
    if device_type == "cuda":
        return 4 + (16 + 16) / GROUP_SIZE
    return 8 + (8 * bytes_per_value + 8) / GROUP_SIZE


def key_value_bytes(shape: ModelShape, num_tokens: int, bytes_per_value: int) -> int:
    """Bytes of the key-value cache for a context, and of the states of linear attention."""
    linear = shape.linear_attention
    num_layers = shape.num_layers - (linear.num_layers if linear else 0)
    states = linear.state_bytes(bytes_per_value) if linear else 0
    return 2 * num_layers * shape.num_key_value_heads * shape.head_dim * bytes_per_value * num_tokens + states


def default_context_tokens(shape: ModelShape) -> int:
    """Context of the paper's setting: a clip of 16 frames, as many memory tokens, chat and caption."""
    num_steps = -(-FRAMES_PER_CLIP // shape.frames_per_step)
    return 2 * num_steps * shape.tokens_per_step + 1 + PROMPT_AND_CAPTION_TOKENS


def decoder_activation_bytes(
    shape: ModelShape, num_tokens: int, bytes_per_value: int, *, sums_apart: bool = False
) -> int:
    """Prompt activations in one decoder layer, at the feed-forward part, the widest point.

    Alive at once per token: prompt embeddings, layer input, residual and normalised input (hidden_size each), rotary
    cosines and sines (head_dim each), and in the feed-forward part the activated gate, the up projection and their
    product (intermediate_size each). With DeepStack also its features. With experts, the feed-forward part holds copies
    of the token for each of its experts. With linear attention, that is often the widest point.

    Args:
        shape: the model's sizes.
        num_tokens: length of the prompt.
        bytes_per_value: bytes of a value.
        sums_apart: whether the output of a matrix product has a float32 copy while it is computed
            (`hardware.number_formats.sums_apart`). That of the up projection counts; those of experts, which compute a
            part of the tokens each, do not.
    """
    beside = (4 + shape.deepstack_levels) * shape.hidden_size + 2 * shape.head_dim
    feed_forward = _feed_forward_bytes(shape, bytes_per_value, sums_apart)
    query, key_value = shape.num_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim
    attention = (4 * query + 4 * key_value) * bytes_per_value
    widest = max(feed_forward, attention) * num_tokens
    if shape.linear_attention is not None:
        widest = max(widest, shape.linear_attention.activation_bytes(num_tokens, bytes_per_value))
    return beside * num_tokens * bytes_per_value + widest


def _feed_forward_bytes(shape: ModelShape, bytes_per_value: int, sums_apart: bool) -> int:
    """Bytes per token alive at once in the feed-forward part.

    transformers gathers the input of each of a token's experts, and holds it to the end. With it are alive first the
    gate and up projections, the activated gate and its product (intermediate_size each), then the experts' outputs,
    these weighted, and these in the tokens' order (hidden_size each).
    """
    if not shape.experts_per_token:
        return shape.intermediate_size * _after_product(3, bytes_per_value, sums_apart)
    values = shape.hidden_size + max(4 * shape.intermediate_size, 3 * shape.hidden_size)
    return shape.experts_per_token * values * bytes_per_value


def _after_product(num_values: int, bytes_per_value: int, sums_apart: bool) -> int:
    """Bytes of values alive at once, all but the last of them at a product of matrices, which may have a float32 copy
    of its output."""
    while_summing = (num_values - 1) * bytes_per_value + FLOAT32_BYTES if sums_apart else 0
    return max(num_values * bytes_per_value, while_summing)


def tower_activation_bytes(
    shape: ModelShape, num_frames: int, bytes_per_value: int, *, sums_apart: bool = False
) -> int:
    """Activations of a batch of frames in one tower layer, and projected tokens before pooling.

    Args:
        shape: the model's sizes.
        num_frames: frames in the batch.
        bytes_per_value: bytes of a value.
        sums_apart: see `decoder_activation_bytes`.
    """
    patches = num_frames * shape.patches_per_frame
    of_two, of_three = (_after_product(number, bytes_per_value, sums_apart) for number in (2, 3))
    layer = shape.vision_intermediate_size * of_two + 3 * shape.vision_hidden_size * bytes_per_value
    projection = shape.hidden_size * of_three + shape.vision_hidden_size * bytes_per_value
    pixels = num_frames * 3 * shape.frame_height * shape.frame_width
    return patches * max(layer, projection) + pixels * (bytes_per_value + FLOAT32_BYTES)


def describe_footprint(
    shape: ModelShape,
    bytes_per_value: int,
    num_tokens: int | None = None,
    *,
    quantization: str | None = None,
    device_type: str = "cuda",
    frames_per_batch: int = FRAMES_PER_CLIP,
    sums_apart: bool = False,
) -> Footprint:
    """Peak memory of encoding a clip of 16 frames and describing it.

    Args:
        shape: the model's sizes.
        bytes_per_value: 2 for half precision, 4 for float32; for weights, cache and activations.
        num_tokens: context length; None for `default_context_tokens`.
        quantization: of the decoder's weights, key of `QUANTIZATION_BITS`; None for none.
        device_type: `cpu`, `cuda` or `mps`.
        frames_per_batch: most frames per batch in the vision tower; on a CPU batches are smaller.
        sums_apart: see `decoder_activation_bytes`.
    """
    num_frames = min(frames_per_batch, FRAMES_PER_CLIP)
    if device_type == "cpu":
        num_frames = frames_per_batch_on_cpu(shape.tokens_per_step, shape.frames_per_step, num_frames)
    length = default_context_tokens(shape) if num_tokens is None else num_tokens
    return Footprint(
        weight_bytes=weight_bytes(shape, bytes_per_value, quantization, device_type),
        key_value_bytes=key_value_bytes(shape, length, bytes_per_value),
        activation_bytes=max(
            decoder_activation_bytes(shape, length, bytes_per_value, sums_apart=sums_apart),
            tower_activation_bytes(shape, num_frames, bytes_per_value, sums_apart=sums_apart),
        ),
        logit_bytes=shape.vocab_size * bytes_per_value,
    )
