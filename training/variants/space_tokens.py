"""What kept tokens say of their place by themselves, and what M-RoPE's axes of rows and columns add: no training."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from keepsight.errors import SettingError
from training.encoded_stories import SHOWN_WEIGHT, EncodedStory, encode_story, random_memory
from training.packing import Packed, packed_embeddings
from training.qwen_blueprint import SIDE
from training.reading import Reader
from training.variants.held_out import FIRST_SEED
from training.variants.space import positioned, space_item

PROBED_FROM, NUM_PROBED, NUM_FITTED = FIRST_SEED + 1_000, 40, 25
"""Seed of the first story of the probe, stories of three clips, and how many of them it is fitted to."""
NUM_MOVED = 12
FAR_APART = 300


def readable_places(model: Any) -> dict[str, float]:
    """Share of held-out tokens on things whose column and row a linear map of the token tells (ridge regression on all
    tokens of other stories). A third is chance.
    """
    stories = [encode_story(model, seed, "default", 3) for seed in range(PROBED_FROM, PROBED_FROM + NUM_PROBED)]
    (fitted, cells, _), (held_out, others, on_things) = map(_tokens_of, (stories[:NUM_FITTED], stories[NUM_FITTED:]))
    shares = {}
    for name, place, known in (("column", cells % SIDE, others % SIDE), ("row", cells // SIDE, others // SIDE)):
        right = _told(fitted, place, held_out) == known
        shares[name] = float(right[on_things].float().mean())
    return {**shares, "tokens on things": int(on_things.sum())}


def _tokens_of(stories: Sequence[EncodedStory]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens `[n, dim]`, their cells, and whether they show a thing."""
    tokens = torch.cat([story.tokens.float().flatten(0, 2) for story in stories])
    weights = torch.cat([story.weights.flatten() for story in stories])
    return tokens, torch.arange(SIDE**2).repeat(len(tokens) // SIDE**2), weights >= SHOWN_WEIGHT


def column_map(model: Any) -> Callable[[Tensor], float]:
    """How far right a token says it was, by a linear map fitted to other stories; negative on the left."""
    stories = [encode_story(model, seed, "default", 3) for seed in range(PROBED_FROM, PROBED_FROM + NUM_FITTED)]
    fitted, cells, _ = _tokens_of(stories)
    mean, weights = fitted.mean(0), _fit(fitted, cells % SIDE)

    def told(token: Tensor) -> float:
        scores = _padded(token - mean) @ weights
        return float(scores[-1] - scores[0])

    return told


def _told(fitted: Tensor, place: Tensor, tokens: Tensor) -> Tensor:
    """Place of each token by a linear map that was fitted to others."""
    return (_padded(tokens - fitted.mean(0)) @ _fit(fitted, place)).argmax(1)


def _fit(tokens: Tensor, place: Tensor) -> Tensor:
    """Weights `[dim + 1, 3]` of a ridge regression from tokens, less their mean, to their place."""
    known = _padded(tokens - tokens.mean(0))
    squares = known.T @ known + torch.eye(known.shape[1])
    weights: Tensor = torch.linalg.solve(squares, known.T @ one_hot(place, SIDE).float())
    return weights


def _padded(tokens: Tensor) -> Tensor:
    return torch.nn.functional.pad(tokens, (0, 1), value=1.0)


def axis_effects(model: Any, reader: Reader) -> dict[str, float]:
    """How much answers change when kept tokens move on one axis: the largest change of a word's log-probability, mean
    over the words of answers.

    Args:
        model: `tiny-qwen`, or a variant of it.
        reader: of its prompts.
    """
    rule = positioned(random_memory, "picture")
    changes: dict[str, list[float]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + NUM_MOVED):
        story = encode_story(model, seed, "default", 3)
        item = space_item(reader, model, story, 0, 3, rule, random.Random(1))
        if item is None:
            continue
        packed = item[0]
        far = _moved(packed, 2, lambda place: place * FAR_APART)
        for name, one, other in (
            ("columns mirrored", packed, _moved(packed, 2, lambda place: SIDE - 1 - place)),
            ("rows mirrored", packed, _moved(packed, 1, lambda place: SIDE - 1 - place)),
            ("every second token one later in time", packed, _moved(packed, 0, lambda at: at + at % 2)),
            ("columns 300 apart, mirrored", far, _moved(packed, 2, lambda place: (SIDE - 1 - place) * FAR_APART)),
        ):
            difference = (_log_chances(model, reader, one) - _log_chances(model, reader, other)).abs()
            changes.setdefault(name, []).append(float(difference.amax(-1).mean()))
    return {name: sum(values) / len(values) for name, values in changes.items()}


def _moved(packed: Packed, axis: int, move: Callable[[Tensor], Tensor]) -> Packed:
    """A prompt whose kept tokens have other positions on an axis, counted from the first one's."""
    if packed.positions is None or packed.visual is None:
        raise SettingError("the model must have positions on three axes")
    positions, start = packed.positions.clone(), packed.visual_start
    kept = slice(start, start + len(packed.visual))
    positions[axis, kept] = start + move(positions[axis, kept] - start)
    return replace(packed, positions=positions)


@torch.no_grad()
def _log_chances(model: Any, reader: Reader, packed: Packed) -> Tensor:
    """Log-probabilities of all words at each word of the answers, `[num_words, vocabulary]`."""
    batch, embeds = packed_embeddings(model, [packed], reader.tokenizer.pad_token_id)
    hidden = model.model.language_model(
        inputs_embeds=embeds, attention_mask=batch.attention_mask, position_ids=batch.position_ids, use_cache=False
    ).last_hidden_state
    picked = hidden[batch.predict_from[:, 0], batch.predict_from[:, 1]]
    chances: Tensor = model.lm_head(picked).float().log_softmax(-1)
    return chances
