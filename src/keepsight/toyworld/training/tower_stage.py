"""Stages 2 and 3: the picture side learns what is where, first through heads of its own, then in the decoder's words.

From captions alone a tower of this size never learns shapes in the time there is; with an answer for every
visual token it does within minutes. In the second half the answers are read off with the decoder's own word
embeddings, so that the decoder meets visual tokens that already resemble the words for what they show.
"""

import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.tokenizer import build_tokenizer
from keepsight.toyworld.training.blueprint import MODEL_DIM, build_model
from keepsight.toyworld.training.initialisation import new_model
from keepsight.toyworld.training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from keepsight.toyworld.training.moments import COLOUR_WORDS, PLACE_WORDS, SHAPE_WORDS, DenseLabels, moment_batch
from keepsight.toyworld.training.word_vectors import cell_vectors

FRAMES_A_STEP = 48
WORD_SCALE = 14.0
"""Sharpness of the word read-out: logits are this times a cosine."""
CELL_STRENGTH = 9.0
"""Length of the part of a visual token that says where in the frame it is; a word's vector has length 16."""


def visual_tokens(model: LlavaOnevisionForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Visual tokens of frames, without the newline: `[num_frames, tokens_per_frame, dim]`."""
    features = model.model.get_video_features(pixels.unsqueeze(0), vision_feature_layer=-1).pooler_output
    tokens = features[0] if isinstance(features, (list, tuple)) else features.squeeze(0)
    frames: Tensor = tokens[:-1].unflatten(0, (len(pixels), -1))
    return frames


def picture_parameters(model: LlavaOnevisionForConditionalGeneration) -> list[nn.Parameter]:
    """Weights of tower, projector and newline."""
    parts = [model.model.vision_tower, model.model.multi_modal_projector]
    return [parameter for part in parts for parameter in part.parameters()] + [model.model.image_newline]


def word_vectors(model: LlavaOnevisionForConditionalGeneration, words: tuple[str, ...]) -> Tensor:
    """The decoder's input embeddings of words: `[len(words), dim]`."""
    tokenizer = build_tokenizer()
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(f"▁{word}") for word in words])
    embedding: Any = model.get_input_embeddings()
    weight: Tensor = embedding.weight
    return weight[ids]


class OwnHeads(nn.ModuleDict):
    """Linear read-outs of shape, colour and place from a visual token."""

    def __init__(self, dim: int) -> None:
        words = {"shapes": SHAPE_WORDS, "colours": COLOUR_WORDS, "places": PLACE_WORDS}
        super().__init__({name: nn.Linear(dim, len(named)) for name, named in words.items()})

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of shapes, colours and places for visual tokens `[..., dim]`."""
        return self["shapes"](tokens), self["colours"](tokens), self["places"](tokens)


def read_words(model: LlavaOnevisionForConditionalGeneration, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same read-outs through the decoder's word embeddings."""
    pointed = normalize(tokens, dim=-1) * WORD_SCALE

    def pointing_at(words: tuple[str, ...]) -> Tensor:
        return pointed @ normalize(word_vectors(model, words).detach(), dim=-1).T

    return pointing_at(SHAPE_WORDS), pointing_at(COLOUR_WORDS), pointing_at(PLACE_WORDS)


def dense_loss(logits: tuple[Tensor, Tensor, Tensor], labels: DenseLabels) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the three read-outs, and how often each one's favourite is the label's."""
    shapes, colours, places = logits
    shape_loss = -(labels.shapes * log_softmax(shapes, -1)).sum(-1)
    thing = labels.shapes[..., -1] < 0.5
    shape_loss = (shape_loss * torch.where(thing, 1.0, 0.25)).mean()  # most tokens show nothing
    coloured = labels.colours.sum(-1) > 0
    colour_loss = -(labels.colours * log_softmax(colours, -1)).sum(-1)[coloured].sum() / coloured.sum().clamp(min=1)
    wanted = labels.places.unsqueeze(1).expand(places.shape[:-1])
    place_loss = torch.nn.functional.cross_entropy(places.flatten(0, 1), wanted.flatten())
    figures = {
        "shape": _agreement(shapes[thing], labels.shapes[thing]),
        "colour": _agreement(colours[coloured], labels.colours[coloured]),
        "place": float((places.argmax(-1) == wanted).float().mean()),
    }
    return 2 * shape_loss + 0.5 * colour_loss + 0.25 * place_loss, figures


def cell_loss(tokens: Tensor) -> tuple[Tensor, float]:
    """How far tokens `[frames, cells, dim]` are from carrying their own cell's vector, and how often it is the nearest.

    A squared error, not a cross-entropy, so that the vector stands there in one strength whatever else is to be seen.
    """
    num_cells, dim = tokens.shape[1:]
    carried = tokens @ cell_vectors(num_cells, dim).T
    wanted = CELL_STRENGTH * torch.eye(num_cells)
    nearest = float((carried.argmax(-1) == torch.arange(num_cells)).float().mean())
    return ((carried - wanted) / CELL_STRENGTH).square().mean() * num_cells, nearest


def _agreement(logits: Tensor, shares: Tensor) -> float:
    return float((logits.argmax(-1) == shares.argmax(-1)).float().mean())


def tower_step(model: LlavaOnevisionForConditionalGeneration, heads: OwnHeads | None) -> StepFunction:
    """One step: through own heads, or through the words when there are none."""

    def step(_: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        pixels, labels = moment_batch(rng, FRAMES_A_STEP)
        tokens = visual_tokens(model, pixels)
        if heads is not None:
            return dense_loss(heads.read(tokens), labels)
        loss, figures = dense_loss(read_words(model, tokens), labels)
        cells, figures["cell"] = cell_loss(tokens)
        size = tokens.norm(dim=-1).mean()
        usual = word_vectors(model, SHAPE_WORDS).detach().norm(dim=-1).mean()
        figures["length"] = float((size / usual).detach())
        return loss + cells + (size / usual - 1.5).square(), figures

    return step


def train_tower(settings: LoopSettings) -> int:
    """Shapes, colours and places through heads of the tower's own."""
    model = build_model(settings.seed)
    heads = OwnHeads(MODEL_DIM)
    modules = nn.ModuleDict({"model": model, "heads": heads})
    trained = [*picture_parameters(model), *heads.parameters()]
    return run_stage(settings, modules, trained, tower_step(model, heads))


def train_alignment(settings: LoopSettings) -> int:
    """The same answers, read off through the decoder's word embeddings, which later stages move but little."""
    model = new_model(settings.seed)
    modules = nn.ModuleDict({"model": model})
    if not checkpoint_path(settings.folder, settings.name).exists():
        take_picture_side(settings, model)
    return run_stage(settings, modules, picture_parameters(model), tower_step(model, None))


def take_picture_side(settings: LoopSettings, model: LlavaOnevisionForConditionalGeneration) -> None:
    """Load tower and projector of the tower stage, and leave the decoder as it is."""
    seeing = build_model(settings.seed)
    load_modules(settings.folder, "tower", nn.ModuleDict({"model": seeing}))
    with torch.no_grad():
        for mine, learned in zip(picture_parameters(model), picture_parameters(seeing), strict=True):
            mine.copy_(learned)
