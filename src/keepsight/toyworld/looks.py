"""How things and places of the toy world are drawn: the usual way, or in ways that no bundled model was trained on."""

import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from keepsight.errors import SettingError

COVERED_SIDES = ("", "left", "right", "bottom")
"""Sides of a thing that a board can hide."""
_COVERED_SHARE = 0.35
_BOARD = (96, 84, 72, 255)


@dataclass(frozen=True)
class Look:
    """How one thing is drawn.

    Attributes:
        size: factor of the usual size.
        shade: factor of the brightness.
        is_mirrored: left and right exchanged.
        covered: side that a board hides, a third of the thing; empty for none.
        is_sketched: few flat colours with dark outlines.
    """

    size: float = 1.0
    shade: float = 1.0
    is_mirrored: bool = False
    covered: str = ""
    is_sketched: bool = False


USUAL = Look()
"""The look of everything that the bundled models were trained on."""


@dataclass(frozen=True)
class Looks:
    """Range of the looks in a story.

    Attributes:
        sizes: smallest and largest factor of the usual size.
        shades: smallest and largest factor of the usual brightness.
        mirror: mirror half of the things.
        cover: hide a third of three things in four behind a board.
        sketch: draw all things in few flat colours with dark outlines.
        change: a thing looks different each time that it comes; otherwise the same through the story.
        other_places: other walls, floors and patterns; a place keeps its fixture, by which it is known.

    Raises:
        SettingError: a range is not two numbers above 0, smaller first.
    """

    sizes: tuple[float, float] = (1.0, 1.0)
    shades: tuple[float, float] = (1.0, 1.0)
    mirror: bool = False
    cover: bool = False
    sketch: bool = False
    change: bool = False
    other_places: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in (("sizes", self.sizes), ("shades", self.shades)):
            if not 0 < low <= high < 2:
                raise SettingError(f"{name} must be two numbers above 0 and below 2, smaller first, got {(low, high)}")

    @property
    def are_usual(self) -> bool:
        """Whether every thing has the usual look."""
        return self == Looks(change=self.change, other_places=self.other_places)

    def draw(self, seed: int, phrase: str, coming: int) -> Look:
        """Look of a thing; equal arguments give equal looks.

        Args:
            seed: of the story.
            phrase: the thing.
            coming: how many times it has come, this time included.
        """
        if self.are_usual:
            return USUAL
        rng = random.Random(f"{seed}/{phrase}/{coming if self.change else 0}")
        return Look(
            size=rng.uniform(*self.sizes),
            shade=rng.uniform(*self.shades),
            is_mirrored=rng.random() < 0.5 and self.mirror,
            covered=rng.choice(COVERED_SIDES) if self.cover else "",
            is_sketched=self.sketch,
        )


USUAL_LOOKS = Looks()
"""Everything as the bundled models were trained on it."""


def apply_look(usual: Image.Image, look: Look) -> Image.Image:
    """RGBA image of a thing in a look; its size is left to the renderer."""
    drawn = _sketch(usual) if look.is_sketched else usual
    if look.shade != 1.0:
        alpha = drawn.getchannel("A")
        drawn = ImageEnhance.Brightness(drawn.convert("RGB")).enhance(look.shade).convert("RGBA")
        drawn.putalpha(alpha)
    if look.is_mirrored:
        drawn = ImageOps.mirror(drawn)
    return _cover(drawn, look.covered) if look.covered else drawn


def _sketch(usual: Image.Image) -> Image.Image:
    """Four levels of each primary colour, dark lines where the colour changes and around the thing."""
    alpha = usual.getchannel("A")
    flat = ImageOps.posterize(usual.convert("RGB").filter(ImageFilter.MedianFilter(5)), 2)
    inner = flat.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda level: 255 if level > 40 else 0)
    outline = ImageChops.subtract(alpha, alpha.filter(ImageFilter.MinFilter(5)))
    sketch = flat.convert("RGBA")
    sketch.paste((30, 30, 60, 255), mask=ImageChops.lighter(inner, outline))
    sketch.putalpha(alpha)
    return sketch


def _cover(drawn: Image.Image, side: str) -> Image.Image:
    """A board in front of one side, which moves with the thing."""
    width, height = drawn.size
    covered = drawn.copy()
    box = {
        "left": (0, 0, round(_COVERED_SHARE * width), height),
        "right": (round((1 - _COVERED_SHARE) * width), 0, width, height),
        "bottom": (0, round((1 - _COVERED_SHARE) * height), width, height),
    }[side]
    ImageDraw.Draw(covered).rectangle(box, fill=_BOARD)
    return covered
