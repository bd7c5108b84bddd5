"""How things and places of the toy world are drawn: the usual way, or in ways that no bundled model was trained on."""

import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from keepsight.errors import SettingError

COVERED_SIDES = ("left", "right", "bottom")
"""Sides of a thing that a board can hide."""
_COVERED_SHARE = 0.25
_BOARD = (96, 84, 72, 255)


@dataclass(frozen=True)
class Look:
    """How one thing is drawn.

    Attributes:
        size: factor of the usual size.
        shade: factor of the brightness.
        is_mirrored: left and right exchanged.
        covered: side that a board hides, a quarter of the thing; empty for none.
        is_outlined: a dark line around it.
    """

    size: float = 1.0
    shade: float = 1.0
    is_mirrored: bool = False
    covered: str = ""
    is_outlined: bool = False


USUAL = Look()
"""The look of everything that the bundled models were trained on."""


@dataclass(frozen=True)
class Looks:
    """Range of the looks in a story.

    Attributes:
        sizes: smallest and largest factor of the usual size.
        shades: smallest and largest factor of the usual brightness.
        mirror: mirror half of the things.
        cover: hide a quarter of half of the things behind a board.
        outline: draw all things with a dark line around them.
        change: a thing looks different each time that it comes; otherwise the same through the story.
        other_places: other shades and patterns of walls and floors; a place keeps its fixture.

    Raises:
        SettingError: a range is not two numbers above 0, smaller first.
    """

    sizes: tuple[float, float] = (1.0, 1.0)
    shades: tuple[float, float] = (1.0, 1.0)
    mirror: bool = False
    cover: bool = False
    outline: bool = False
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
            covered=rng.choice(COVERED_SIDES) if self.cover and rng.random() < 0.5 else "",
            is_outlined=self.outline,
        )


USUAL_LOOKS = Looks()
"""Everything as the bundled models were trained on it."""


def apply_look(usual: Image.Image, look: Look) -> Image.Image:
    """RGBA image of a thing in a look; its size is left to the renderer."""
    drawn = _outline(usual) if look.is_outlined else usual
    if look.shade != 1.0:
        alpha = drawn.getchannel("A")
        drawn = ImageEnhance.Brightness(drawn.convert("RGB")).enhance(look.shade).convert("RGBA")
        drawn.putalpha(alpha)
    if look.is_mirrored:
        drawn = ImageOps.mirror(drawn)
    return _cover(drawn, look.covered) if look.covered else drawn


def _outline(usual: Image.Image) -> Image.Image:
    """A dark line along the inside of the edge, a twentieth of the thing wide."""
    alpha = usual.getchannel("A")
    edge = ImageChops.subtract(alpha, alpha.filter(ImageFilter.MinFilter(2 * (usual.width // 40) + 1)))
    outlined = usual.copy()
    outlined.paste((30, 30, 60, 255), mask=edge)
    outlined.putalpha(alpha)
    return outlined


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
