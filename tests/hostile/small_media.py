"""Small media for the corpus: the same bytes each time, and as odd as is asked for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray

Retime = Callable[["av.Packet[av.VideoStream]"], None]
"""Changes a coded packet's timestamps."""

BIT_EXACT = {"fflags": "+bitexact"}


@dataclass(frozen=True)
class Coding:
    """How a stream is coded and kept.

    Attributes:
        codec: encoder.
        pix_fmt: its pixel format.
        size: width and height.
        fps: rate.
        format: container, by FFmpeg's name.
        options: of the encoder.
        container_options: of the container.
        rotation: clockwise display rotation in degrees.
        interlaced: coded as fields.
    """

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    fps: Fraction = Fraction(25)
    format: str = "mp4"
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    rotation: int = 0
    interlaced: bool = False


# x264 in assembler gives other bytes once in some hundred times; in C it gives those that it gives most often.
H264 = Coding(options={"g": "10", "bf": "2", "threads": "1", "x264-params": "sliced-threads=0:asm=0"})
H264_FIRST = replace(H264, container_options={"movflags": "faststart"})
HEVC = Coding("libx265", format="hevc", options={"x265-params": "log-level=none:pools=none:frame-threads=1"})
MPEG4 = Coding("mpeg4")
MJPEG_AVI = Coding("mjpeg", "yuvj420p", format="avi")


def picture(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGB picture that differs from its neighbours."""
    width, height = size
    rows, columns = np.arange(height).astype(np.uint8)[:, None], np.arange(width).astype(np.uint8)[None]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = (
        columns * 3 + np.uint8(number * 5 % 256),
        rows * 4 + np.uint8(number * 3 % 256),
        rows + columns,
    )
    return image


def encoded(coding: Coding = H264, ticks: Iterable[int] = range(30), retime: Retime | None = None) -> bytes:
    """A file with pictures at the given multiples of 1 / fps."""
    with _writing(coding.format, coding.container_options) as (container, path), container:
        stream = _add_stream(container, coding)
        for packet in _packets(stream, coding, ticks):
            if retime is not None:
                retime(packet)
            container.mux(packet)
        container.close()
        return path.read_bytes()


def two_streams(first: Coding, second: Coding, num_pictures: int = 30) -> bytes:
    """A file with two streams of pictures."""
    with _writing(first.format, {}) as (container, path), container:
        streams = [(_add_stream(container, coding), coding) for coding in (first, second)]
        packets = [list(_packets(stream, coding, range(num_pictures))) for stream, coding in streams]
        for pair in zip(*packets, strict=True):
            for packet in pair:
                container.mux(packet)
        container.close()
        return path.read_bytes()


def audio_only(format_name: str, cover: bytes = b"") -> bytes:
    """A second of silence; with a JPEG as its cover image."""
    with _writing(format_name, {}) as (container, path), container:
        codec = "libmp3lame" if format_name == "mp3" else "aac"
        audio = container.add_stream(codec, rate=16000, layout="mono")
        assert isinstance(audio, av.AudioStream)
        image = container.add_stream("mjpeg") if cover else None
        if image is not None:
            image.width, image.height, image.pix_fmt = 64, 48, "yuvj420p"
            image.disposition = av.stream.Disposition.attached_pic
            packet = av.Packet(cover)
            packet.stream, packet.pts, packet.dts = image, 0, 0
            container.start_encoding()
            container.mux(packet)
        for block in range(16):
            frame = av.AudioFrame(format=audio.format.name, layout="mono", samples=1024)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = 16000, block * 1024
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
        container.close()
        return path.read_bytes()


def write(data: bytes) -> Callable[[Path], object]:
    """What writes bytes to a path."""
    return lambda path: path.write_bytes(data)


def write_late(make: Callable[[], bytes]) -> Callable[[Path], object]:
    """The same for bytes that are made when they are wanted."""
    return lambda path: path.write_bytes(make())


@contextmanager
def _writing(
    format_name: str, container_options: dict[str, str]
) -> Iterator[tuple[av.container.OutputContainer, Path]]:
    """A container on a file, because some formats read again what they wrote."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made"
        yield av.open(str(path), "w", format=format_name, container_options=BIT_EXACT | container_options), path


def _add_stream(container: av.container.OutputContainer, coding: Coding) -> av.VideoStream:
    options = coding.options | {"flags": "+bitexact" + "+ildct+ilme" * coding.interlaced}
    stream = container.add_stream(coding.codec, rate=coding.fps, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = coding.size
    stream.pix_fmt = coding.pix_fmt
    stream.codec_context.time_base = 1 / coding.fps
    if coding.rotation:
        stream.set_display_rotation(-coding.rotation)
    return stream


def _packets(stream: av.VideoStream, coding: Coding, ticks: Iterable[int]) -> Iterable["av.Packet[av.VideoStream]"]:
    for number, tick in enumerate(ticks):
        frame = av.VideoFrame.from_ndarray(picture(number, coding.size), format="rgb24")
        frame = frame.reformat(format=coding.pix_fmt)
        frame.pts, frame.time_base = tick, 1 / coding.fps
        yield from stream.encode(frame)
    yield from stream.encode(None)


def stills(format_name: str, count: int, size: tuple[int, int], milliseconds: Sequence[int]) -> bytes:
    """An animated GIF or APNG, made by Pillow."""
    from PIL import Image

    file = BytesIO()
    images = [Image.fromarray(picture(number, size)) for number in range(count)]
    images[0].save(file, format_name, save_all=True, append_images=images[1:], duration=list(milliseconds), loop=0)
    return file.getvalue()
