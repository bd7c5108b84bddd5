"""Small video files for tests, written with PyAV, and a reference decoder that does nothing clever."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

Image = NDArray[np.uint8]
TIME_BASE = Fraction(1, 1000)
EXACT_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def moving_picture(number: int, width: int = 64, height: int = 48) -> Image:
    """A picture that differs from its neighbours everywhere: a drifting gradient and a square that walks."""
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack([(columns * 3 + number * 5) % 256, (rows * 4 + number * 3) % 256, (rows + columns) % 256], axis=2)
    left = number * 2 % max(1, width - 8)
    image[height // 3 : height // 3 + 8, left : left + 8] = (255, 255, 255)
    return image.astype(np.uint8)


def flat_picture(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Image:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


@dataclass(frozen=True)
class Recipe:
    """How a test video is coded; times are given apart from it."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    rate: int = 25
    time_base: Fraction = TIME_BASE
    rotation_degrees: int = 0
    hflip: bool = False
    audio_seconds: float = 0.0
    colour_range: int = 0
    colour_space: int = 2


def write_video(
    path: Path,
    times_ms: Sequence[int],
    recipe: Recipe = Recipe(),
    picture: Callable[[int], Image] = moving_picture,
) -> Path:
    """Write picture 0, 1, ... at the given milliseconds; `rotation_degrees` is clockwise."""
    first = picture(0)
    with av.open(str(path), "w", container_options=recipe.container_options) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = first.shape[0], first.shape[1], recipe.pix_fmt
        stream.codec_context.time_base = recipe.time_base
        if recipe.rotation_degrees or recipe.hflip:
            stream.set_display_rotation(-recipe.rotation_degrees, hflip=recipe.hflip)
        audio = container.add_stream("aac", rate=8000) if recipe.audio_seconds else None
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(
                format=recipe.pix_fmt, dst_colorspace=recipe.colour_space, dst_color_range=recipe.colour_range
            )
            frame.pts, frame.time_base = time_ms, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for packet in silence(audio, recipe.audio_seconds):
                container.mux(packet)
    return path


def silence(audio: av.AudioStream, seconds: float) -> list["av.Packet[av.AudioStream]"]:
    """Packets of silence for an AAC stream of 8 kHz."""
    packets = []
    for block in range(int(seconds * 8000) // 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, block * 1024
        packets += audio.encode(frame)
    return packets + audio.encode(None)


def steady_times(num_pictures: int, fps: float = 25.0) -> list[int]:
    """Milliseconds of pictures at a steady rate."""
    return [round(1000 * number / fps) for number in range(num_pictures)]


def _ticks(frame: av.VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts


def decode_all(path: Path) -> list[tuple[Fraction, Fraction, Image]]:
    """Every picture as (seconds since the first, duration, RGB), decoded in order without leaving anything out."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        base, rate = stream.time_base, stream.average_rate
        assert base is not None
        assert rate is not None
        return [
            (
                (_ticks(f) - _ticks(frames[0])) * base,
                (f.duration or 0) * base or 1 / rate,
                f.to_ndarray(format="rgb24", interpolation=EXACT_SCALING).astype(np.uint8, copy=False),
            )
            for f in frames
        ]


def on_screen_brute_force(
    pictures: Sequence[tuple[Fraction, Fraction, Image]], rate: Fraction
) -> list[tuple[Fraction, Image]]:
    """The rule word for word: at k / rate, the last picture at or before it; the last of all for its duration."""
    end = pictures[-1][0] + pictures[-1][1]
    result = []
    index = 0
    while index / rate < end:
        result.append((index / rate, [image for start, _, image in pictures if start <= index / rate][-1]))
        index += 1
    return result
