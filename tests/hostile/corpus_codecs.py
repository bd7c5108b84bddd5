"""Codecs that are read and that no other file of the corpus has."""

from functools import partial

from tests.hostile.outcomes import Sample, frames
from tests.hostile.small_media import HEVC, Coding, encoded, write_late

SIZE = (64, 48)
_CODECS = [
    ("mpeg4.avi", "mpeg4", "yuv420p", "avi", SIZE),
    ("wmv1.asf", "wmv1", "yuv420p", "asf", SIZE),
    ("wmv2.asf", "wmv2", "yuv420p", "asf", SIZE),
    ("msmpeg4.avi", "msmpeg4", "yuv420p", "avi", SIZE),
    ("msmpeg4v2.avi", "msmpeg4v2", "yuv420p", "avi", SIZE),
    ("h263.3gp", "h263", "yuv420p", "3gp", (128, 96)),
    ("h263p.avi", "h263p", "yuv420p", "avi", SIZE),
    ("huffyuv.avi", "huffyuv", "yuv422p", "avi", SIZE),
    ("ffvhuff.avi", "ffvhuff", "yuv444p", "avi", SIZE),
    ("png.mov", "png", "rgb24", "mov", SIZE),
    ("qtrle.mov", "qtrle", "rgb24", "mov", SIZE),
    ("raw.nut", "rawvideo", "yuv420p", "nut", SIZE),
    ("cinepak.avi", "cinepak", "rgb24", "avi", SIZE),
    ("mpeg2.mxf", "mpeg2video", "yuv420p", "mxf", SIZE),
    ("dnxhr.mov", "dnxhd", "yuv422p", "mov", (256, 128)),
    ("hevc.mp4", "libx265", "yuv420p", "mp4", SIZE),
]


_SHOWN_SIZES = {"h263": (140, 96)}  # its pixels are 12:11 (ITU-T H.263, section 5.1.5)


def samples() -> list[Sample]:
    """One file a codec."""
    options = {"dnxhd": {"profile": "dnxhr_lb"}, "libx265": HEVC.options}
    return [
        Sample(
            name,
            f"{codec} in {form}",
            write_late(
                partial(encoded, Coding(codec, pix_fmt, size, format=form, options=options.get(codec, {})), range(10))
            ),
            frames(4, 4, _SHOWN_SIZES.get(codec, size)),
        )
        for name, codec, pix_fmt, form, size in _CODECS
    ]
