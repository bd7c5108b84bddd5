"""How much memory a model needs, computed before a byte of it is loaded.

The terms are those of describing a clip, the largest thing that Keepsight asks of a model: weights, keys and values of
the context, the largest set of activations alive at once, and the logits of the last position. `docs/memory.md` works
an example.
"""

from dataclasses import dataclass
from typing import Any

FLOAT32_BYTES = 4
FRAMES_PER_CLIP = 16
PROMPT_AND_CAPTION_TOKENS = 256
"""Room for the chat around the visual tokens and for the caption, in `describe_footprint`'s default context."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes that decide the memory of a LLaVA-OneVision model with a SigLIP tower and a Qwen2 text model.

    Attributes:
        num_layers: decoder layers.
        hidden_size: width of the decoder.
        num_heads: query heads.
        num_key_value_heads: key and value heads.
        head_dim: width of one head.
        intermediate_size: width of the decoder's feed-forward part.
        vocab_size: tokens in the vocabulary.
        ties_embeddings: the language head shares the input embedding's weights.
        vision_layers: layers of the tower.
        vision_hidden_size: width of the tower.
        vision_intermediate_size: width of the tower's feed-forward part.
        vision_has_head: the tower carries SigLIP's pooling head, which LLaVA-OneVision never runs.
        image_size: pixels of a frame's side.
        patch_size: pixels of a patch's side.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    ties_embeddings: bool
    vision_layers: int
    vision_hidden_size: int
    vision_intermediate_size: int
    vision_has_head: bool
    image_size: int
    patch_size: int

    @classmethod
    def from_config(cls, config: Any) -> "ModelShape":
        """Read the sizes off a transformers configuration."""
        text, vision = config.text_config, config.vision_config
        return cls(
            num_layers=text.num_hidden_layers,
            hidden_size=text.hidden_size,
            num_heads=text.num_attention_heads,
            num_key_value_heads=text.num_key_value_heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
            intermediate_size=text.intermediate_size,
            vocab_size=text.vocab_size,
            ties_embeddings=bool(config.tie_word_embeddings),
            vision_layers=vision.num_hidden_layers,
            vision_hidden_size=vision.hidden_size,
            vision_intermediate_size=vision.intermediate_size,
            vision_has_head=bool(getattr(vision, "vision_use_head", False)),
            image_size=vision.image_size,
            patch_size=vision.patch_size,
        )

    @property
    def num_patches(self) -> int:
        """Patches of one frame, as the tower sees them."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def tokens_per_frame(self) -> int:
        """Visual tokens of one frame, after pooling two by two, sides rounded up."""
        return (-(-(self.image_size // self.patch_size) // 2)) ** 2

    @property
    def num_parameters(self) -> int:
        """Weights of the whole model, exact."""
        return self._decoder_parameters() + self._tower_parameters() + self._projector_parameters()

    def _decoder_parameters(self) -> int:
        query, key_value = self.num_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        projections = (self.hidden_size + 1) * (query + 2 * key_value) + query * self.hidden_size  # q, k, v have biases
        feed_forward = 3 * self.hidden_size * self.intermediate_size
        norms = 2 * self.hidden_size
        vocabularies = 1 if self.ties_embeddings else 2
        layers = self.num_layers * (projections + feed_forward + norms)
        return layers + self.hidden_size + vocabularies * self.vocab_size * self.hidden_size

    def _tower_parameters(self) -> int:
        width, inner = self.vision_hidden_size, self.vision_intermediate_size
        attention = 4 * (width + 1) * width
        feed_forward = (width + 1) * inner + (inner + 1) * width
        norm = 2 * width
        embeddings = (3 * self.patch_size**2 + 1) * width + self.num_patches * width
        head = width + attention + feed_forward + norm if self.vision_has_head else 0
        return embeddings + self.vision_layers * (attention + feed_forward + 2 * norm) + norm + head

    def _projector_parameters(self) -> int:
        newline = self.hidden_size
        return (self.vision_hidden_size + 1) * self.hidden_size + (self.hidden_size + 1) * self.hidden_size + newline


@dataclass(frozen=True)
class Footprint:
    """Bytes that describing one clip takes at its peak.

    Attributes:
        weight_bytes: all weights.
        key_value_bytes: keys and values of the whole context.
        activation_bytes: the larger of the tower's and the decoder's largest set of tensors alive at once.
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


def key_value_bytes(shape: ModelShape, num_tokens: int, bytes_per_value: int) -> int:
    """Bytes of the key-value cache for a context."""
    return 2 * shape.num_layers * shape.num_key_value_heads * shape.head_dim * bytes_per_value * num_tokens


def default_context_tokens(shape: ModelShape) -> int:
    """Context of the paper's setting: a clip of 16 frames, as many memory tokens, the chat and the caption."""
    return 2 * FRAMES_PER_CLIP * shape.tokens_per_frame + 1 + PROMPT_AND_CAPTION_TOKENS


def decoder_activation_bytes(shape: ModelShape, num_tokens: int, bytes_per_value: int) -> int:
    """Activations of the prompt in one decoder layer, where the feed-forward part is the widest point.

    Alive at once per token: the prompt's embeddings, the layer's input, the residual and the normalised input
    (hidden_size each), the rotary cosines and sines (head_dim each), and of the feed-forward part the activated gate,
    the other projection and their product (intermediate_size each).
    """
    beside = 4 * shape.hidden_size + 2 * shape.head_dim
    feed_forward = 3 * shape.intermediate_size
    query, key_value = shape.num_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim
    attention = 4 * query + 4 * key_value
    return (beside + max(feed_forward, attention)) * num_tokens * bytes_per_value


def tower_activation_bytes(shape: ModelShape, num_frames: int, bytes_per_value: int) -> int:
    """Activations of a batch of frames in one tower layer, and the projected tokens before they are pooled."""
    patches = num_frames * shape.num_patches
    layer = 2 * shape.vision_intermediate_size + 3 * shape.vision_hidden_size
    projection = 3 * shape.hidden_size + shape.vision_hidden_size
    pixels = num_frames * 3 * shape.image_size**2
    return (patches * max(layer, projection) + pixels) * bytes_per_value + pixels * FLOAT32_BYTES


def describe_footprint(shape: ModelShape, bytes_per_value: int, num_tokens: int | None = None) -> Footprint:
    """Peak memory of encoding a clip of 16 frames and describing it.

    Args:
        shape: the model's sizes.
        bytes_per_value: 2 for half precision, 4 for float32; weights, cache and activations alike.
        num_tokens: length of the context, `default_context_tokens` if None.
    """
    length = default_context_tokens(shape) if num_tokens is None else num_tokens
    return Footprint(
        weight_bytes=shape.num_parameters * bytes_per_value,
        key_value_bytes=key_value_bytes(shape, length, bytes_per_value),
        activation_bytes=max(
            decoder_activation_bytes(shape, length, bytes_per_value),
            tower_activation_bytes(shape, FRAMES_PER_CLIP, bytes_per_value),
        ),
        logit_bytes=shape.vocab_size * bytes_per_value,
    )
