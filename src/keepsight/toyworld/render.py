"""Rendering of a story at a time."""

import numpy as np
from PIL import Image

from keepsight.toyworld.art import picture
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
    canvas = background(place, size_pixels, story.seed, story.difficulty.clutter).copy()
    shown = story.visible_at(seconds)
    _draw(canvas, [one for one in shown if one.layer == Layer.BEHIND_FIXTURE], seconds)
    _paste(canvas, PLACES[place], story.fixture_positions[place], FIXTURE_SIZE)
    boxes = [one for one in shown if one.picture in _BOXES]
    _draw(canvas, boxes, seconds)
    inside = [one for one in shown if one.layer == Layer.IN_BOX]
    _draw(canvas, inside, seconds)
    if inside:
        for box in boxes:
            _paste(canvas, "box front", box.position(seconds), BOX_SIZE)
    _draw(canvas, [one for one in shown if one.layer == Layer.FLOOR and one.picture not in _BOXES], seconds)
    return np.asarray(canvas)


def _draw(canvas: Image.Image, shown: list[Appearance], seconds: float) -> None:
    for one in sorted(shown, key=lambda one: one.start_seconds):
        _paste(canvas, one.picture, one.position(seconds), BOX_SIZE if one.picture in _BOXES else THING_SIZE)


def _paste(canvas: Image.Image, name: str, middle: tuple[float, float], share: float) -> None:
    size = round(share * canvas.width)
    left, top = (round(part * canvas.width - size / 2) for part in middle)
    sprite = picture(name, size)
    canvas.paste(sprite, (left, top), sprite)
