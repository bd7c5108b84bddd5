"""Stages 2 and 3: the vision side learns what is where, first through its own heads, then through the decoder's words.

From captions alone a tower of this size does not learn shapes in the available time; with a label per visual token it
takes minutes. In the second half the labels are read with the decoder's word embeddings, so visual tokens resemble the
words for what they show.
"""

import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize

from keepsight.toyworld.tokenizer import build_tokenizer
from training.architecture import architecture_of
from training.blueprint import MODEL_DIM
from training.initialisation import new_model
from training.loop import LoopSettings, StepFunction, checkpoint_path, load_modules, run_stage
from training.moments import COLOUR_WORDS, PLACE_WORDS, SHAPE_WORDS, DenseLabels, moment_batch
from training.motion import pair_batch
from training.muon import muon_and_adamw
from training.transfer import first_model, take_decoder, teacher_loss, teacher_tokens
from training.word_vectors import cell_vectors

FRAMES_A_STEP, PAIRS_A_STEP = 48, 32
WORD_SCALE = 14.0
"""Sharpness of the word read-out: logits are this times a cosine."""
CELL_STRENGTH = 9.0
"""Length of a visual token's position part; a word's vector has length 16."""
TEACHER_SHARE = 3.0
"""Weight of the distance from the first model's visual tokens, if there is a first model."""


def word_vectors(model: Any, words: tuple[str, ...]) -> Tensor:
    """Input embeddings of words in the decoder: `[len(words), dim]`."""
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


def read_words(model: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same read-outs through the decoder's word embeddings."""
    pointed = normalize(tokens, dim=-1) * WORD_SCALE

    def pointing_at(words: tuple[str, ...]) -> Tensor:
        return pointed @ normalize(word_vectors(model, words).detach(), dim=-1).T

    return pointing_at(SHAPE_WORDS), pointing_at(COLOUR_WORDS), pointing_at(PLACE_WORDS)


def dense_loss(logits: tuple[Tensor, Tensor, Tensor], labels: DenseLabels) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the three read-outs, and the accuracy of each one's top choice."""
    shapes, colours, places = logits
    shape_loss = -(labels.shapes * log_softmax(shapes, -1)).sum(-1)
    thing = labels.shapes[..., -1] < 0.5
    shape_loss = (shape_loss * torch.where(thing, 1.0, 0.25)).mean()  # most tokens are empty
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
    """Distance of tokens `[frames, cells, dim]` from their cell's vector, and how often that one is the nearest.

    A squared error, not a cross-entropy, so the vector has the same length whatever is visible.
    """
    num_cells, dim = tokens.shape[1:]
    carried = tokens @ cell_vectors(num_cells, dim).T
    wanted = CELL_STRENGTH * torch.eye(num_cells)
    nearest = float((carried.argmax(-1) == torch.arange(num_cells)).float().mean())
    return ((carried - wanted) / CELL_STRENGTH).square().mean() * num_cells, nearest


def _agreement(logits: Tensor, shares: Tensor) -> float:
    return float((logits.argmax(-1) == shares.argmax(-1)).float().mean())


def tower_step(model: Any, heads: OwnHeads | None, first: Any = None) -> StepFunction:
    """One step through own heads, or through words if there are none; towards the first model's tokens if given."""
    architecture = architecture_of(model)

    def step(_: int, rng: random.Random) -> tuple[Tensor, dict[str, float]]:
        single = architecture.frames_per_step == 1
        pixels, labels = moment_batch(rng, FRAMES_A_STEP) if single else pair_batch(rng, PAIRS_A_STEP)
        tokens = architecture.visual_tokens(model, pixels)
        if heads is not None:
            loss, figures = dense_loss(heads.read(tokens), labels)
        else:
            loss, figures = dense_loss(read_words(model, tokens), labels)
            cells, figures["cell"] = cell_loss(tokens)
            size = tokens.norm(dim=-1).mean()
            usual = word_vectors(model, SHAPE_WORDS).detach().norm(dim=-1).mean()
            figures["length"] = float((size / usual).detach())
            loss = loss + cells + (size / usual - 1.5).square()
        if first is not None:
            unlike = teacher_loss(tokens, teacher_tokens(first, pixels))
            figures["unlike the first"] = float(unlike.detach())
            loss = loss + TEACHER_SHARE * unlike
        return loss, figures

    return step


def train_tower(settings: LoopSettings) -> int:
    """Train shapes, colours and places through the tower's own heads."""
    architecture = settings.architecture
    model = architecture.build_model(settings.seed)
    heads = OwnHeads(MODEL_DIM)
    modules = nn.ModuleDict({"model": model, "heads": heads})
    trained = [*architecture.picture_parameters(model), *heads.parameters()]
    return _run(settings, modules, trained, heads)


def train_alignment(settings: LoopSettings) -> int:
    """Train the same labels through the decoder's word embeddings, which later stages barely change."""
    model = new_model(settings.seed) if settings.first_folder is None else settings.architecture.build_model()
    modules = nn.ModuleDict({"model": model})
    if not checkpoint_path(settings.folder, settings.name).exists():
        take_picture_side(settings, model)
        if settings.first_folder is not None:
            take_decoder(model, first_model(settings.first_folder)[0])
    return _run(settings, modules, settings.architecture.picture_parameters(model), None)


def _run(settings: LoopSettings, modules: nn.ModuleDict, trained: list[nn.Parameter], heads: OwnHeads | None) -> int:
    if settings.first_folder is None:
        return run_stage(settings, modules, trained, tower_step(modules["model"], heads))
    step = tower_step(modules["model"], heads, first_model(settings.first_folder)[0])
    return run_stage(settings, modules, trained, step, muon_and_adamw)


def take_picture_side(settings: LoopSettings, model: Any) -> None:
    """Load tower and projector of the tower stage, leaving the decoder unchanged."""
    architecture = settings.architecture
    seeing = architecture.build_model(settings.seed)
    load_modules(settings.folder, "tower", nn.ModuleDict({"model": seeing}))
    mine, learned = architecture.picture_parameters(model), architecture.picture_parameters(seeing)
    with torch.no_grad():
        for parameter, value in zip(mine, learned, strict=True):
            parameter.copy_(value)
