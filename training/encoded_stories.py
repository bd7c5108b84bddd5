"""A pool of stories encoded as visual tokens, and memories drawn from them."""

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keepsight.method.selection.base import count_kept
from keepsight.spans import Span
from keepsight.toyworld.captions import clip_spans
from keepsight.toyworld.render import BOX_SIZE, THING_SIZE, render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Appearance, Story
from training.architecture import architecture_of
from training.blueprint import PICTURE_PIXELS
from training.clip_labels import entering_cells
from training.moments import GRID, cell_cover, to_pixels
from training.reading import FIRST_SEED

FRAMES_PER_CLIP = 16
CLIPS_PER_STORY = 18
FEWEST_STORIES = 10
EMPTY_WEIGHT, SHOWN_WEIGHT, EVENT_WEIGHT = 1.0, 5.0, 25.0
"""Relative chance of remembering a token that shows nothing, a thing, or a thing in an event."""
PLAIN_SHARE = 0.1
"""Share of memories in which all tokens are equally likely."""


@dataclass(frozen=True)
class EncodedStory:
    """A story and its clips as visual tokens.

    Attributes:
        story: the story.
        spans: spans of the clips.
        tokens: float16 `[clips, steps, tokens_per_step, dim]`; a step is the model's unit of encoding.
        weights: relative chance of remembering each token, `[clips, steps, tokens_per_step]`.
        entering: clip and index in the clip of tokens that show a thing entering a box -> its noun.
        scores: attention of each clip's true caption on its tokens, `[clips, steps, tokens_per_step]`; None unless
            computed (`variants.attention`).
    """

    story: Story
    spans: tuple[Span, ...]
    tokens: Tensor
    weights: Tensor
    entering: dict[tuple[int, int], str]
    scores: Tensor | None = None

    @property
    def tokens_per_clip(self) -> int:
        """Number of visual tokens per clip."""
        return self.weights[0].numel()


@dataclass(frozen=True)
class Memory:
    """Remembered tokens in temporal order.

    Attributes:
        tokens: `[n, dim]`.
        places: clip and index in the clip of each.
        offsets: int64 `[n]`, distance of each to the next clip in the stream, as `VisualInput.memory_offsets`; None for
            contiguous positions.
        bias: `[n]`, added to the logit of all attention on each, through which a learned selection gets its gradient;
            None for none.
        in_picture: whether each has its row and column on the axes of a grid, where positions have three axes and
            `offsets` is None.
    """

    tokens: Tensor
    places: list[tuple[int, int]]
    offsets: Tensor | None = None
    bias: Tensor | None = None
    in_picture: bool = False


MemoryRule = Callable[[EncodedStory, int, int, float, random.Random], Memory]
"""From a story, its clips from `first` to `last - 1`, a retention and random numbers: what is remembered of them."""


class StoryPool:
    """Pool of encoded stories, renewed gradually: the tower is frozen while the decoder learns to watch."""

    def __init__(self, model: Any, size: int, num_clips: int = CLIPS_PER_STORY) -> None:
        self.model, self.num_clips = model, num_clips
        self.kept: deque[EncodedStory] = deque(maxlen=size)

    def renew(self, rng: random.Random) -> None:
        """Add a story, dropping the oldest if the pool is full."""
        difficulty = rng.choices(("easy", "default", "hard"), (0.15, 0.7, 0.15))[0]
        self.kept.append(encode_story(self.model, FIRST_SEED + rng.getrandbits(48), difficulty, self.num_clips))

    def draw(self, rng: random.Random) -> EncodedStory:
        """A random story of the pool."""
        while len(self.kept) < min(FEWEST_STORIES, self.kept.maxlen or FEWEST_STORIES):
            self.renew(rng)
        return rng.choice(self.kept)


def encode_story(model: Any, seed: int, difficulty: str, num_clips: int = CLIPS_PER_STORY) -> EncodedStory:
    """Generate, draw and encode a story."""
    story = make_story(seed, num_clips, DIFFICULTIES[difficulty])
    spans = clip_spans(story.duration_seconds, story.difficulty.beat_seconds)
    times = [moment for span in spans for moment in frame_times(span)]
    tokens = seen_tokens(model, [(story, moment) for moment in times], random.Random(seed))
    per_step = architecture_of(model).frames_per_step
    shape = (len(spans), FRAMES_PER_CLIP // per_step)
    weights = torch.stack([remembering_weights(story, moment) for moment in times])
    weights = weights.unflatten(0, (-1, per_step)).amax(1)  # a step gets the higher weight of its frames
    entering = {
        (number // FRAMES_PER_CLIP, number % FRAMES_PER_CLIP // per_step * GRID * GRID + cell): noun
        for number, moment in enumerate(times)
        for cell, noun in entering_cells(story, moment).items()
    }
    return EncodedStory(story, tuple(spans), tokens.unflatten(0, shape).half(), weights.unflatten(0, shape), entering)


def seen_tokens(model: Any, moments: Sequence[tuple[Story, float]], rng: random.Random) -> Tensor:
    """Draw and encode each moment, a story at a time in seconds: `[num_steps, tokens_per_step, dim]`.

    The moments fill whole steps (`architecture.whole_steps`).
    """
    frames = np.stack([render_frame(story, seconds, PICTURE_PIXELS) for story, seconds in moments])
    with torch.no_grad():
        return architecture_of(model).visual_tokens(model, to_pixels(frames, rng))


def frame_times(span: Span) -> list[float]:
    """Times of a clip's sampled frames: evenly spaced from its start, as in a sampler."""
    step = span.duration_seconds / FRAMES_PER_CLIP
    return [span.start_seconds + number * step for number in range(FRAMES_PER_CLIP)]


def remembering_weights(story: Story, seconds: float) -> Tensor:
    """Relative chance `[tokens_per_frame]` of remembering each token of a frame."""
    weights = torch.full((GRID * GRID,), EMPTY_WEIGHT)
    for shown in story.visible_at(seconds):
        cover = cell_cover(shown.position(seconds), THING_SIZE if shown.thing else BOX_SIZE)
        weight = EVENT_WEIGHT if _in_event(story, shown, seconds) else SHOWN_WEIGHT
        weights = torch.where(cover > 0, weights.clamp(min=weight), weights)
    return weights


def _in_event(story: Story, shown: Appearance, seconds: float) -> bool:
    around = story.difficulty.beat_seconds / FRAMES_PER_CLIP  # the frames just before and after also count
    return any(
        event.thing == shown.thing
        and event.place == shown.place
        and event.start_seconds - around <= seconds <= event.end_seconds + around
        for event in story.events
    )


def random_memory(encoded: EncodedStory, first: int, last: int, retention: float, rng: random.Random) -> Memory:
    """Random tokens of the clips `first` to `last - 1`, in temporal order, the same share of each clip."""
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    plain = rng.random() < PLAIN_SHARE
    weights = torch.ones_like(encoded.weights) if plain else encoded.weights
    return remembered(
        encoded, {clip: drawn(weights[clip].flatten(), retention, generator) for clip in range(first, last)}
    )


def drawn(weights: Tensor, retention: float, generator: torch.Generator) -> Tensor:
    """Indices of a share of a clip's tokens, in order, drawn without replacement by weights `[num_tokens]`."""
    return torch.multinomial(weights, count_kept(len(weights), retention), generator=generator).sort().values


def remembered(encoded: EncodedStory, chosen: Mapping[int, Tensor]) -> Memory:
    """Memory of the chosen tokens: clip, in order -> increasing indices in the clip."""
    kept = [encoded.tokens.new_zeros(0, encoded.tokens.shape[-1])]
    kept += [encoded.tokens[clip].flatten(0, 1)[indices] for clip, indices in chosen.items()]
    return Memory(torch.cat(kept), [(clip, index) for clip, indices in chosen.items() for index in indices.tolist()])
