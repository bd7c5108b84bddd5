"""Videos of what cameras and screens show, made on the spot: a still camera, a slide talk, a film."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Final

import av
import numpy as np
from PIL import Image, ImageDraw

SIZE: Final = (640, 360)
"""Width and height."""

FPS: Final = 10
NOISE_LEVELS: Final = 2.0
"""Standard deviation of the sensor's noise, in grey levels of 255."""

SLIDE_SECONDS, SHOT_SECONDS = 24, 4


def room(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture with edges, soft shading and grain of its own, uint8 `[height, width, 3]`."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(24):
        left, top = (int(generator.integers(0, side)) for side in size)
        right, bottom = left + int(generator.integers(10, 120)), top + int(generator.integers(10, 90))
        draw.rectangle((left, top, right, bottom), fill=tuple(int(part) for part in generator.integers(0, 256, 3)))
    grain = generator.normal(0, 6, (size[1], size[0], 1))
    return np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)


def still_camera(num_frames: int) -> Iterator[np.ndarray]:
    """One picture all along: a sensor without noise, or a paused screen."""
    picture = room(1)
    return (picture for _ in range(num_frames))


def noisy_camera(num_frames: int) -> Iterator[np.ndarray]:
    """The same with the noise of a sensor: no frame equals another."""
    picture, generator = room(1).astype(np.float32), np.random.default_rng(2)
    for _ in range(num_frames):
        noise = generator.normal(0, NOISE_LEVELS, picture.shape)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


def slide_talk(num_frames: int) -> Iterator[np.ndarray]:
    """A slide at a time, without a speaker in the picture."""
    for number in range(num_frames):
        if number % (SLIDE_SECONDS * FPS) == 0:
            slide = Image.new("RGB", SIZE, "white")
            draw = ImageDraw.Draw(slide)
            index = number // (SLIDE_SECONDS * FPS)
            for line in range(2 + index % 5):
                draw.text((40, 40 + 56 * line), f"Slide {index + 1}, line {line + 1}", fill="black", font_size=30)
            picture = np.asarray(slide)
        yield picture


def film(num_frames: int) -> Iterator[np.ndarray]:
    """A camera that moves over a scene, with a cut every few seconds."""
    width, height = SIZE
    for number in range(num_frames):
        shot, step = divmod(number, SHOT_SECONDS * FPS)
        if step == 0:
            scene = room(100 + shot, (width + SHOT_SECONDS * FPS * 4, height))
        yield scene[:, 4 * step : 4 * step + width]


SCENES: Final[Mapping[str, Callable[[int], Iterator[np.ndarray]]]] = MappingProxyType(
    {
        "still camera": still_camera,
        "still camera with sensor noise": noisy_camera,
        "slide talk": slide_talk,
        "film": film,
    }
)
"""Makers of frames by name; each takes the number of frames."""


def write_h264(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Write frames as H.264 of common settings: libx264 at its default quality, a key frame every 25 s at the most."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options={"preset": "fast"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
