"""Images of things, from the Noto emoji set (Apache-2.0, see NOTICE), by colour and size."""

from functools import lru_cache
from importlib import resources

import numpy as np
from PIL import Image, ImageDraw

from keepsight.toyworld.looks import USUAL, Look, apply_look
from keepsight.toyworld.vocabulary import COLOURS

_SATURATED = 60
"""HSV saturation (of 255) above which a pixel is coloured, not white, grey or black."""


@lru_cache(maxsize=512)
def picture(name: str, size_pixels: int, look: Look = USUAL) -> Image.Image:
    """RGBA image of a thing, fixture or box, scaled to a square.

    Args:
        name: such as `dog`, `red car`, `tree`, `open box`, `closed box`, `box front`.
        size_pixels: side of the square.
        look: how it is drawn, apart from its size.
    """
    colour, _, noun = name.partition(" ")
    if name in ("open box", "box front", "fridge"):
        drawn = {"open box": _open_box, "box front": _box_front, "fridge": _fridge}[name]()
    elif colour in COLOURS:
        drawn = recolour(_original(noun), COLOURS[colour])
    else:
        drawn = _original(name)
    if look != USUAL:
        drawn = apply_look(drawn, look)
    return drawn.resize((size_pixels, size_pixels), Image.Resampling.LANCZOS)


def recolour(original: Image.Image, hue_degrees: float) -> Image.Image:
    """Change the dominant hue of an image; stems, tyres and other hues stay."""
    alpha = original.getchannel("A")
    hue, saturation, value = (np.asarray(band) for band in original.convert("RGB").convert("HSV").split())
    coloured = (saturation > _SATURATED) & (np.asarray(alpha) > 128)
    histogram = np.bincount(hue[coloured], minlength=256)
    around = sum(np.roll(histogram, shift) for shift in range(-12, 13))
    distance = np.abs((hue.astype(int) - int(np.argmax(around)) + 128) % 256 - 128)
    moved = np.where(distance < 26, np.uint8(hue_degrees / 360 * 255), hue).astype(np.uint8)
    full = np.where(distance < 26, np.maximum(saturation, 150), saturation).astype(np.uint8)
    full = np.where(saturation > _SATURATED // 2, full, saturation).astype(np.uint8)
    bands = [Image.fromarray(band) for band in (moved, full, value)]
    result = Image.merge("HSV", bands).convert("RGB").convert("RGBA")
    result.putalpha(alpha)
    return result


def _original(name: str) -> Image.Image:
    file = resources.files("keepsight.toyworld") / "pictures" / f"{name.replace(' ', '_')}.png"
    with file.open("rb") as opened:
        return Image.open(opened).convert("RGBA")


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (64, 64))
    return image, ImageDraw.Draw(image)


def _open_box() -> Image.Image:
    image, draw = _blank()
    draw.polygon([(4, 30), (16, 18), (48, 18), (60, 30)], fill=(74, 50, 30, 255))
    draw.polygon([(4, 30), (16, 18), (8, 14), (0, 24)], fill=(205, 160, 105, 255))
    draw.polygon([(60, 30), (48, 18), (56, 14), (63, 24)], fill=(205, 160, 105, 255))
    image.alpha_composite(_box_front())
    return image


def _box_front() -> Image.Image:
    image, draw = _blank()
    draw.rectangle((4, 30, 60, 60), fill=(178, 131, 80, 255), outline=(140, 98, 56, 255), width=2)
    draw.rectangle((27, 30, 37, 42), fill=(214, 180, 130, 255))
    return image


def _fridge() -> Image.Image:
    image, draw = _blank()
    draw.rounded_rectangle((14, 2, 50, 62), 5, fill=(214, 222, 230, 255), outline=(128, 140, 152, 255), width=2)
    draw.line((14, 24, 50, 24), fill=(128, 140, 152, 255), width=2)
    draw.rectangle((19, 10, 22, 20), fill=(90, 100, 112, 255))
    draw.rectangle((19, 28, 22, 42), fill=(90, 100, 112, 255))
    return image
