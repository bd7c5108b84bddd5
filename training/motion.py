"""Pairs of neighbouring frames with a dense label per visual token of both.

Half of the pairs are static, like most of a clip; in the others something happens, or at least time passes. A pair's
target mixes its frames' labels, weighting the later frame more, which distinguishes arriving from leaving.
"""

import random

import numpy as np
import torch
from torch import Tensor

from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Story
from training.blueprint import PICTURE_PIXELS
from training.moments import DenseLabels, label_story, random_moment, to_pixels
from training.reading import FIRST_SEED

FRAME_SHARES = (1 / 3, 2 / 3)
"""Weights of the earlier and the later frame in a pair's target."""
STILL_SHARE = 0.5
PAIRS_OF_A_STORY = 4
SECONDS_BETWEEN = (1.0, 2.0, 2.0, 2.0)


def mixed(frames: Tensor) -> Tensor:
    """Targets of pairs: `[num_pairs * 2, ...]`, one row per frame, to `[num_pairs, ...]`."""
    earlier, later = frames[::2], frames[1::2]
    return FRAME_SHARES[0] * earlier + FRAME_SHARES[1] * later


def pair_batch(rng: random.Random, num_pairs: int) -> tuple[Tensor, DenseLabels]:
    """Pixel values `[num_pairs * 2, 3, height, width]` of frame pairs, and their labels."""
    num_still = round(STILL_SHARE * num_pairs)
    pairs = [(random_moment(rng), (0.5, 0.5)) for _ in range(num_still)]
    while len(pairs) < num_pairs:
        pairs += moving_pairs(rng, min(PAIRS_OF_A_STORY, num_pairs - len(pairs)))
    frames, labels = [], []
    for story, times in pairs:
        drawn = {seconds: render_frame(story, seconds, PICTURE_PIXELS) for seconds in set(times)}
        told = {seconds: label_story(story, seconds) for seconds in set(times)}
        frames += [drawn[seconds] for seconds in times]
        labels += [told[seconds] for seconds in times]
    shapes, colours, places = zip(*labels, strict=True)
    coloured = mixed(torch.stack(colours))
    coloured = coloured / coloured.sum(-1, keepdim=True).clamp(min=1e-6)
    return to_pixels(np.stack(frames), rng), DenseLabels(
        mixed(torch.stack(shapes)), coloured, torch.tensor(places[1::2])
    )


def moving_pairs(rng: random.Random, num_pairs: int) -> list[tuple[Story, tuple[float, float]]]:
    """Pairs of moments of a new story around its events."""
    story = make_story(FIRST_SEED + rng.getrandbits(48), 2, DIFFICULTIES[rng.choice(list(DIFFICULTIES))])
    pairs = []
    for _ in range(num_pairs):
        between = rng.choice(SECONDS_BETWEEN)
        since, until = 0.0, story.duration_seconds
        if story.events:
            event = rng.choice(story.events)
            since, until = event.start_seconds, event.end_seconds
        later = min(max(rng.uniform(since, until + between), between), story.duration_seconds - 0.1)
        pairs.append((story, (later - between, later)))
    return pairs
