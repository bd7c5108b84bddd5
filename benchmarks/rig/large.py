"""Toy videos with pictures as large as those of cameras."""

import argparse
from pathlib import Path

import av
from av.video.reformatter import Interpolation

from keepsight.toyworld.files import ToyVideoSettings, make_video


def picture_size(text: str) -> tuple[int, int]:
    """Width and height of an option such as `1920x1080`: even numbers, as H.264 wants them."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"a picture size is such as 1920x1080, not {text}")
    return int(width) // 2 * 2, int(height) // 2 * 2


def make_large_video(path: Path, settings: ToyVideoSettings, size: tuple[int, int]) -> None:
    """Write a toy video as H.264, its pictures enlarged.

    Args:
        path: the mp4 to write.
        settings: what to make.
        size: width and height; (0, 0) leaves pictures as they are.
    """
    if not size[0]:
        make_video(path, settings)
        return
    small = path.with_suffix(".small.mp4")
    make_video(small, settings)
    with av.open(str(small)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=settings.fps, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in source.decode(video=0):
            large = picture.reformat(*size, format="yuv420p", interpolation=Interpolation.POINT, threads=1)
            large.pict_type = 0
            container.mux(stream.encode(large))
        container.mux(stream.encode(None))
    small.unlink()
