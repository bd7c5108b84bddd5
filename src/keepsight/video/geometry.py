"""Display geometry of a stored picture: rotation, mirroring, and square pixels."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import atan2, degrees
from typing import cast

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from keepsight.video.containers import MAX_PIXELS

Turn = tuple[int, int, int, int]
"""Signs `(a, b, c, d)` of a right-angled rotation or mirroring: see `display_matrix`."""

UPRIGHT: Turn = (1, 0, 0, 1)

# Aspects of broadcast and disc formats are within this (352 x 576 shown as 16:9 has 2.8).
_MOST_STRETCHED = Fraction(4)
_SQUARE = Fraction(1)
_MATRIX_BYTES = 36
# FFmpeg 8 side data that PyAV 18 cannot name: LCEVC, view ids and reference displays of stereo video, EXIF.
_UNNAMED_SIDE_DATA = range(28, 32)

# PyAV's stub lacks the argument and the mapping's types.
_side_data_of = cast("Callable[[VideoFrame], Mapping[Type, SideData]]", SideDataContainer)


def side_data(picture: VideoFrame) -> Mapping[Type, SideData]:
    """Side data of a picture.

    `picture.side_data` would cache its result, which refers back to the picture: the picture then stays in memory until
    the cyclic garbage collector runs, and large pictures exhaust memory first.
    """
    try:
        return _side_data_of(picture)
    except ValueError:  # of a kind that PyAV cannot name
        return _side_data_of(_without_unnamed_side_data(picture))


def _without_unnamed_side_data(picture: VideoFrame) -> VideoFrame:
    graph = Graph()
    graph.threads = 1
    steps = [graph.add("sidedata", f"mode=delete:type={kind}") for kind in _UNNAMED_SIDE_DATA]
    graph.link_nodes(
        graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
        ),
        *steps,
        graph.add("buffersink"),
    ).configure()
    graph.vpush(picture)
    return graph.vpull()


def display_matrix(picture: VideoFrame) -> Turn:
    """Display rotation of a picture: signs `(a, b, c, d)` of a right-angled rotation or mirroring.

    A point `(x, y)` of the stored picture maps to `(a x + c y, b x + d y)` (ISO/IEC 14496-12, section 6.2.2), `x` right
    and `y` down. Other matrices are rounded to the nearest right angle; without one the picture is upright.
    """
    matrix = side_data(picture).get(Type.DISPLAYMATRIX)
    if matrix is None or matrix.buffer_size != _MATRIX_BYTES:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return -1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1
    return 0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0


def rotation_degrees(matrix: Turn) -> int:
    """Clockwise rotation of a display matrix in degrees: 0, 90, 180 or 270; ignores mirroring."""
    a, b, _, _ = matrix
    return round(degrees(atan2(b, a))) % 360


def turned(image: NDArray[np.uint8], matrix: Turn) -> NDArray[np.uint8]:
    """Rotate a picture `[height, width, ...]` for display."""
    a, b, c, d = matrix
    if matrix == UPRIGHT:
        return image
    sideways = image.transpose(1, 0, 2) if a == 0 else image
    rows, columns = (slice(None, None, b or d), slice(None, None, a or c))
    return np.ascontiguousarray(sideways[rows, columns])


class PixelAspect:
    """Current pixel aspect of a stream, which PyAV exposes only per stream.

    Args:
        stream: stream before decoding its first picture.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        said = stream.sample_aspect_ratio
        # The container's aspect overrides the codec's, as in FFmpeg. PyAV returns the codec's if the container has
        # none.
        self._of_container = None if said == stream.codec_context.sample_aspect_ratio else said

    @property
    def now(self) -> Fraction:
        """Pixel width over height; 1 if unknown.

        Aspects of 0, below 0 or beyond any format are treated as damage.
        """
        said = self._of_container or self._stream.codec_context.sample_aspect_ratio
        return said if said and 1 / _MOST_STRETCHED <= said <= _MOST_STRETCHED else _SQUARE

    def note_on(self, picture: VideoFrame) -> None:
        """Store the aspect on a just decoded picture, as `opaque`."""
        picture.opaque = Fraction(self.now)  # a new object per picture: PyAV keys them by identity


def square_pixel_size(picture: VideoFrame) -> tuple[int, int]:
    """Size of a stored picture with square pixels: width, height."""
    noted = picture.opaque
    return stretched(picture.width, picture.height, noted if isinstance(noted, Fraction) else _SQUARE)


def stretched(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Size with square pixels: the shorter side is stretched.

    If that exceeds `MAX_PIXELS`, the other side is shrunk instead.
    """
    is_wider = aspect > 1
    if width * height * max(aspect, 1 / aspect) > MAX_PIXELS:
        is_wider = not is_wider
    if is_wider:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def displayed_size(picture: VideoFrame) -> tuple[int, int]:
    """Display size of a picture, with square pixels and rotated: width, height."""
    width, height = square_pixel_size(picture)
    return (height, width) if display_matrix(picture)[0] == 0 else (width, height)
