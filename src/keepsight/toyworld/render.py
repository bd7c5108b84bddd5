"""Rendering of a story at a time."""

import numpy as np
from PIL import Image

from keepsight.toyworld.art import picture
from keepsight.toyworld.looks import USUAL, Look
from keepsight.toyworld.scenery import background
from keepsight.toyworld.story import Appearance, Layer, Story
from keepsight.toyworld.vocabulary import PLACES

THING_SIZE = 0.31
FIXTURE_SIZE = 0.36
BOX_SIZE = 0.33
"""Sizes as fractions of the frame's side."""

_BOXES = ("open box", "closed box")


def render_frame(story: Story, seconds: float, size_pixels: int = 192) -> np.ndarray:
    """Frame at a time: uint8 RGB `[size_pixels, size_pixels, 3]`.

    Drawn back to front: background, things behind the fixture, fixture, things on the floor, things in the box, box.
    """
    place = story.place_at(seconds)
    difficulty = story.difficulty
    canvas = background(
        place, size_pixels, story.seed, difficulty.clutter, is_other=difficulty.looks.other_places
    ).copy()
    shown = story.visible_at(seconds)
    _draw(canvas, story, [one for one in shown if one.layer == Layer.BEHIND_FIXTURE], seconds)
    _paste(canvas, PLACES[place], story.fixture_positions[place], FIXTURE_SIZE)
    boxes = [one for one in shown if one.picture in _BOXES]
    _draw(canvas, story, boxes, seconds)
    inside = [one for one in shown if one.layer == Layer.IN_BOX]
    _draw(canvas, story, inside, seconds)
    if inside:
        for box in boxes:
            _paste(canvas, "box front", box.position(seconds), BOX_SIZE)
    _draw(canvas, story, [one for one in shown if one.layer == Layer.FLOOR and one.picture not in _BOXES], seconds)
    return np.asarray(canvas)


def drawn_size(story: Story, shown: Appearance) -> float:
    """Side of what is drawn, as a fraction of the frame's."""
    return BOX_SIZE if shown.picture in _BOXES else THING_SIZE * story.look_of(shown).size


def _draw(canvas: Image.Image, story: Story, shown: list[Appearance], seconds: float) -> None:
    for one in sorted(shown, key=lambda one: one.start_seconds):
        _paste(canvas, one.picture, one.position(seconds), drawn_size(story, one), story.look_of(one))


def _paste(canvas: Image.Image, name: str, middle: tuple[float, float], share: float, look: Look = USUAL) -> None:
    size = round(share * canvas.width)
    left, top = (round(part * canvas.width - size / 2) for part in middle)
    sprite = picture(name, size, look)
    canvas.paste(sprite, (left, top), sprite)
