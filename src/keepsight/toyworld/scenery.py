"""Backgrounds of the places: walls, floors, sky and ground."""

import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
WALLS_AND_FLOORS: dict[str, tuple[Colour, Colour]] = {
    "kitchen": ((246, 238, 215), (192, 170, 140)),
    "street": ((168, 176, 188), (88, 90, 96)),
    "park": ((160, 210, 245), (122, 190, 96)),
    "beach": ((120, 200, 235), (240, 220, 165)),
    "bedroom": ((214, 198, 232), (170, 128, 96)),
    "bathroom": ((190, 232, 232), (226, 236, 240)),
    "desert": ((250, 200, 140), (228, 176, 100)),
    "farm": ((196, 226, 245), (164, 134, 82)),
}
HORIZON = 0.52
USUAL_SPREAD, OTHER_SPREAD = 8, 40
"""Largest change of walls and floors from their colours, in levels of 255."""


@lru_cache(maxsize=64)
def background(place: str, size_pixels: int, seed: int, clutter: int, *, is_other: bool = False) -> Image.Image:
    """RGB background of a place; the seed varies details and scatters the clutter.

    Args:
        place: a name in `WALLS_AND_FLOORS`.
        size_pixels: side of the picture.
        seed: of the story.
        clutter: pebbles and specks on the floor.
        is_other: shades far from the usual ones, and a pattern that no place usually has.
    """
    rng = random.Random(f"{seed}/{place}")
    scale = size_pixels / 96
    wall, floor = WALLS_AND_FLOORS[place]
    spread = OTHER_SPREAD if is_other else USUAL_SPREAD
    image = Image.new("RGB", (size_pixels, size_pixels), _shade(wall, rng, spread))
    draw = ImageDraw.Draw(image)
    horizon = int((HORIZON + rng.uniform(-0.03, 0.03)) * size_pixels)
    draw.rectangle((0, horizon, size_pixels, size_pixels), fill=_shade(floor, rng, spread))
    details = rng.choice(_OTHER_DETAILS) if is_other else _DETAILS[place]
    details(draw, size_pixels, horizon, scale)
    for _ in range(clutter):
        x, y, radius = rng.uniform(0, size_pixels), rng.uniform(horizon, size_pixels), rng.uniform(0.6, 1.6) * scale
        tone = rng.randint(70, 190)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(tone, tone, tone))
    return image


def _shade(colour: Colour, rng: random.Random, spread: int) -> Colour:
    change = rng.randint(-spread, spread)
    red, green, blue = (min(max(value + change, 0), 255) for value in colour)
    return red, green, blue


def _lines(draw: ImageDraw.ImageDraw, boxes: list[tuple[float, float, float, float]], fill: Colour, width: int) -> None:
    for box in boxes:
        draw.line(box, fill=fill, width=max(width, 1))


def _kitchen(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    step = size / 8
    tiles = [(number * step, 0.0, number * step, float(horizon)) for number in range(9)]
    tiles += [(0.0, row * step, float(size), row * step) for row in range(int(horizon / step) + 1)]
    _lines(draw, tiles, (228, 216, 190), int(scale))


def _street(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    y = horizon + (size - horizon) * 0.6
    _lines(draw, [(x, y, x + size / 8, y) for x in np.arange(0, size, size / 4)], (220, 216, 190), int(2 * scale))
    _lines(draw, [(0, horizon, size, horizon)], (150, 150, 150), int(3 * scale))


def _park(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    for x, y in ((0.2, 0.12), (0.7, 0.2)):
        box = (size * x - 8 * scale, size * y - 3 * scale, size * x + 8 * scale, size * y + 3 * scale)
        draw.ellipse(box, fill=(236, 245, 252))
    _lines(draw, [(0, horizon, size, horizon)], (98, 160, 78), int(2 * scale))


def _beach(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    draw.rectangle((0, horizon - 12 * scale, size, horizon), fill=(60, 140, 200))


def _bedroom(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    stripes = [(x, 0.0, x, float(horizon)) for x in np.arange(0, size, size / 10)]
    _lines(draw, stripes, (202, 184, 224), int(2 * scale))


def _bathroom(draw: ImageDraw.ImageDraw, size: int, _horizon: int, scale: float) -> None:
    step = size / 12
    grid = [(number * step, 0.0, number * step, float(size)) for number in range(13)]
    grid += [(0.0, number * step, float(size), number * step) for number in range(13)]
    _lines(draw, grid, (170, 214, 216), int(scale))


def _desert(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    draw.polygon([(0, horizon), (size * 0.3, horizon - 9 * scale), (size * 0.62, horizon)], fill=(222, 168, 92))
    draw.polygon([(size * 0.4, horizon), (size * 0.8, horizon - 7 * scale), (size, horizon)], fill=(214, 160, 86))


def _farm(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    rows = [(0.0, y, float(size), y) for y in np.arange(horizon + 4 * scale, size, 6 * scale)]
    _lines(draw, rows, (138, 108, 62), int(2 * scale))


def _diagonals(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    slanted = [(x, 0.0, x + horizon, float(horizon)) for x in np.arange(-horizon, size, size / 7)]
    _lines(draw, slanted, (150, 150, 170), int(scale))


def _dots(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    for x in np.arange(size / 12, size, size / 6):
        for y in np.arange(size / 12, horizon, size / 6):
            draw.ellipse((x - 2 * scale, y - 2 * scale, x + 2 * scale, y + 2 * scale), fill=(170, 150, 150))


def _boards(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    seams = [(0.0, y, float(size), y) for y in np.arange(size / 9, horizon, size / 9)]
    _lines(draw, seams, (140, 130, 110), int(2 * scale))


def _rays(draw: ImageDraw.ImageDraw, size: int, horizon: int, scale: float) -> None:
    spread = [(size / 2, float(horizon), x, float(size)) for x in np.arange(-size, 2 * size, size / 4)]
    _lines(draw, spread, (130, 130, 130), int(scale))


_OTHER_DETAILS = (_diagonals, _dots, _boards, _rays)

_DETAILS = {
    "kitchen": _kitchen,
    "street": _street,
    "park": _park,
    "beach": _beach,
    "bedroom": _bedroom,
    "bathroom": _bathroom,
    "desert": _desert,
    "farm": _farm,
}
