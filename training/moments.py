"""Single frames with a dense label per visual token: things, colours, place."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from keepsight.toyworld.render import BOX_SIZE, FIXTURE_SIZE, THING_SIZE, render_frame
from keepsight.toyworld.simulate import COLUMNS, ROWS
from keepsight.toyworld.story import Appearance, Difficulty, Layer, Scene, Story, Thing
from keepsight.toyworld.vocabulary import COLOURS, COLOURS_OF, NOUNS, PLACES
from training.blueprint import PICTURE_PIXELS, PIXEL_MEAN, PIXEL_STD

GRID = 3
"""Visual tokens per side of the frame."""

SHAPE_WORDS: tuple[str, ...] = (*NOUNS, *PLACES.values(), "empty", "closed", "nothing")
"""What a token can show, one vocabulary word each; boxes by their state."""

COLOUR_WORDS: tuple[str, ...] = tuple(COLOURS)
PLACE_WORDS: tuple[str, ...] = tuple(PLACES)


@dataclass(frozen=True)
class DenseLabels:
    """Targets of frames: shares over the words that sum to one, and colours where present.

    Attributes:
        shapes: `[frames, GRID * GRID, len(SHAPE_WORDS)]`.
        colours: `[frames, GRID * GRID, len(COLOUR_WORDS)]`, zeros without a colour.
        places: `[frames]`, index into `PLACE_WORDS`.
    """

    shapes: Tensor
    colours: Tensor
    places: Tensor


def random_moment(rng: random.Random) -> Story:
    """A story of one moment: a few things in their slots, moving, in the box or behind the fixture."""
    place = rng.choice(list(PLACES))
    slots = [(x, y) for x in COLUMNS for y in ROWS]
    fixture = rng.choice([slot for slot in slots if slot[1] > 0.4])
    slots.remove(fixture)
    rng.shuffle(slots)
    shown: list[Appearance] = []
    nouns = rng.sample(NOUNS, rng.randint(1, 5))
    things = [Thing(noun, rng.choice(COLOURS_OF[noun]) if noun in COLOURS_OF else None) for noun in nouns]
    if rng.random() < 0.45:
        box = slots.pop()
        state = rng.choice(("open box", "closed box"))
        shown.append(_still(state, None, place, Layer.FLOOR, _shifted(box, rng, 0.1)))
        if state == "open box" and rng.random() < 0.5:
            thing, at = things.pop(), shown[0].position(0.0)
            shown.append(_still(thing.phrase, thing, place, Layer.IN_BOX, (at[0], at[1] - 0.13)))
    if things and rng.random() < 0.2:
        thing, side = things.pop(), 0.15 if fixture[0] < 0.6 else -0.15
        shown.append(_still(thing.phrase, thing, place, Layer.BEHIND_FIXTURE, (fixture[0] + side, fixture[1])))
    for thing in things:
        shown.append(_still(thing.phrase, thing, place, Layer.FLOOR, _shifted(slots.pop(), rng, 0.25)))
    difficulty = Difficulty(clutter=rng.choice((0, 4, 10)))
    scene = Scene(0.0, 1.0, place)
    return Story(rng.getrandbits(32), difficulty, 1.0, (scene,), tuple(shown), (), {place: fixture})


def _shifted(slot: tuple[float, float], rng: random.Random, chance: float) -> tuple[float, float]:
    """The slot, or by chance a point on the way to it from the side."""
    return (slot[0] + rng.uniform(-0.3, 0.3), slot[1]) if rng.random() < chance else slot


def _still(picture: str, thing: Thing | None, place: str, layer: Layer, at: tuple[float, float]) -> Appearance:
    return Appearance(picture, thing, place, layer, ((0.0, *at), (1.0, *at)))


def label_story(story: Story, seconds: float) -> tuple[Tensor, Tensor, int]:
    """Dense labels of one frame: shapes `[cells, words]`, colours `[cells, words]`, place index."""
    place = story.place_at(seconds)
    shapes = torch.zeros(GRID * GRID, len(SHAPE_WORDS))
    colours = torch.zeros(GRID * GRID, len(COLOUR_WORDS))
    shapes[:, SHAPE_WORDS.index(PLACES[place])] += cell_cover(story.fixture_positions[place], FIXTURE_SIZE)
    for one in story.visible_at(seconds):
        cover = cell_cover(one.position(seconds), THING_SIZE if one.thing else BOX_SIZE)
        word = one.thing.noun if one.thing else {"open box": "empty", "closed box": "closed"}[one.picture]
        shapes[:, SHAPE_WORDS.index(word)] += cover
        if one.thing and one.thing.colour:
            colours[:, COLOUR_WORDS.index(one.thing.colour)] += cover
    shapes[:, SHAPE_WORDS.index("nothing")] += (0.3 - shapes.sum(-1)).clamp(min=0.0)
    return _normalised(shapes), _normalised(colours), PLACE_WORDS.index(place)


def cell_cover(middle: tuple[float, float], side: float) -> Tensor:
    """Share of each cell `[GRID * GRID]` covered by a square; less than a sixth of a cell does not count."""
    edges = torch.arange(GRID + 1) / GRID
    shares = []
    for centre in middle:
        low, high = centre - side / 2, centre + side / 2
        shares.append((torch.clamp(edges[1:], max=high) - torch.clamp(edges[:-1], min=low)).clamp(min=0.0) * GRID)
    cover = (shares[1].unsqueeze(1) * shares[0].unsqueeze(0)).flatten()
    return torch.where(cover > 0.16, cover, 0.0)


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-6)


def to_pixels(frames: np.ndarray, rng: random.Random) -> Tensor:
    """Frames uint8 `[n, height, width, 3]` as pixel values `[n, 3, height, width]`, slightly augmented."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    if rng.random() < 0.3:
        pixels = torch.nn.functional.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    pixels = pixels * rng.uniform(0.95, 1.05) + rng.uniform(-0.03, 0.03)
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(rng.getrandbits(32)))
    pixels = (pixels + noise * rng.uniform(0.0, 0.03)).clamp(0.0, 1.0)
    return ((pixels - PIXEL_MEAN) / PIXEL_STD).contiguous()


def moment_batch(rng: random.Random, num_frames: int) -> tuple[Tensor, DenseLabels]:
    """Pixel values `[num_frames, 3, height, width]` of random moments, and their labels."""
    stories = [random_moment(rng) for _ in range(num_frames)]
    frames = np.stack([render_frame(story, 0.5, PICTURE_PIXELS) for story in stories])
    shapes, colours, places = zip(*(label_story(story, 0.5) for story in stories), strict=True)
    labels = DenseLabels(torch.stack(shapes), torch.stack(colours), torch.tensor(places))
    return to_pixels(frames, rng), labels
