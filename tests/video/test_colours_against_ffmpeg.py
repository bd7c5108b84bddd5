"""Colours, ranges, sizes, turns and shapes of pixels as the ffmpeg program shows them, within 3 grey levels.

Pictures are smooth, so that ways to scale chroma up do not count.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from keepsight.errors import NotAVideoError
from keepsight.video import open_video
from tests.video.media import Image

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")

LEVELS = 3
EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
SQUARE = "'trunc(iw*max(sar,1)+0.5)':'trunc(ih/min(sar,1)+0.5)'"


def ffmpeg(*words: str, data: bytes | None = None) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin" if data is None else "-y", "-y", *words]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def smooth_picture(width: int, height: int) -> Image:
    """All hues, from dark to bright, without an edge."""
    rows, columns = np.mgrid[0:height, 0:width]
    angle, light = 2 * np.pi * columns / width, 0.15 + 0.7 * rows / height
    channels = [255 * light * (0.6 + 0.4 * np.cos(angle - turn)) for turn in (0, 2.1, 4.2)]
    return np.stack(channels, axis=2).round().astype(np.uint8)


def write(path: Path, filters: str, *words: str, size: tuple[int, int] = (96, 64)) -> Path:
    """A file with one smooth picture, which went through filters of the ffmpeg program."""
    raw = smooth_picture(*size).tobytes()
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-i", "-")
    ffmpeg(*source, "-vf", filters, *words, str(path), data=raw)
    return path


def shown_by_ffmpeg(path: Path, filters: str, size: tuple[int, int]) -> Image:
    raw = ffmpeg("-i", str(path), "-frames:v", "1", "-vf", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)


def shown_here(path: Path) -> Image:
    with open_video(path) as video:
        image = next(iter(video.sampled_frames(1.0))).image
        assert image.shape == (video.info.height, video.info.width, 3)
    return image


def assert_alike(image: Image, expected: Image) -> None:
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= LEVELS


@dataclass(frozen=True)
class Tags:
    """How a picture is stored: names of ffmpeg's scale filter."""

    pix_fmt: str
    matrix: str
    range: str = "tv"
    is_tagged: bool = True
    size: tuple[int, int] = (96, 64)


MATRICES = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470": "bt470bg", "fcc": "fcc", "smpte240m": "smpte240m"}
MATRICES["bt2020"] = "bt2020nc"
TABLE = [
    *(Tags(pix_fmt, "bt709") for pix_fmt in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le")),
    *(Tags("yuv420p", matrix) for matrix in MATRICES if matrix != "bt709"),
    *(Tags(pix_fmt, "bt709", "pc") for pix_fmt in ("yuv420p", "yuv444p10le")),
    Tags("yuv420p", "smpte170m", "pc"),
    Tags("yuv420p", "smpte170m", is_tagged=False),
    Tags("yuv420p", "smpte170m", is_tagged=False, size=(720, 576)),
    Tags("yuv420p", "bt709", is_tagged=False, size=(1280, 64)),
    Tags("yuv420p", "bt709", is_tagged=False, size=(64, 720)),
    Tags("yuv420p10le", "bt709", is_tagged=False, size=(1280, 64)),
]


@pytest.mark.parametrize("tags", TABLE, ids=str)
def test_matrix_and_range(tags: Tags, tmp_path: Path) -> None:
    scaling = f"scale=out_color_matrix={tags.matrix}:out_range={tags.range}:{EXACT},format={tags.pix_fmt}"
    name = MATRICES[tags.matrix]
    marks = f"setparams=range={tags.range}:colorspace={name}" if tags.is_tagged else "setparams=colorspace=unknown"
    said = ("-colorspace", name, "-color_range", tags.range) if tags.is_tagged else ("-colorspace", "unknown")
    path = write(tmp_path / "tags.mkv", f"{scaling},{marks}", "-c:v", "ffv1", *said, size=tags.size)
    back = f"scale=in_color_matrix={tags.matrix}:in_range={tags.range}:{EXACT}"
    image = shown_here(path)
    assert_alike(image, shown_by_ffmpeg(path, back, tags.size))
    assert np.abs(image.astype(int) - smooth_picture(*tags.size)).mean() < 1  # both are right, and not wrong alike


@pytest.mark.parametrize("pix_fmt", ["gbrp", "bgr0", "gbrp10le", "gray", "gray10le", "rgb48le", "bgra"])
def test_formats_without_a_matrix(pix_fmt: str, tmp_path: Path) -> None:
    path = write(tmp_path / "rgb.mkv", f"format={pix_fmt}", "-c:v", "ffv1")
    assert_alike(shown_here(path), shown_by_ffmpeg(path, "null", (96, 64)))


@pytest.mark.parametrize(("level", "tag"), [(0, "tv"), (128, "tv"), (255, "tv"), (20, "pc"), (235, "pc")])
def test_grey_h264_has_the_range_that_it_says(level: int, tag: str, tmp_path: Path) -> None:
    stored = round(16 + 219 * level / 255) if tag == "tv" else level
    raw = np.full((64, 96), stored, np.uint8).tobytes()
    path = tmp_path / "grey.mkv"
    source = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", "96x64", "-color_range", tag, "-i", "-")
    ffmpeg(*source, "-c:v", "libx264", "-qp", "0", "-color_range", tag, str(path), data=raw)
    assert np.abs(shown_here(path).astype(int) - level).max() <= LEVELS


@pytest.mark.parametrize(
    ("degrees", "aspect"), [(0, "64/45"), (90, "1/1"), (90, "64/45"), (180, "8/9"), (270, "2/1"), (270, "1/3")]
)
def test_turns_and_pixels_that_are_not_square(degrees: int, aspect: str, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.mp4", f"format=yuv444p,setsar={aspect}", "-c:v", "libx264", "-qp", "0")
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", str(path), "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}", str(turned))
    image = shown_here(turned)
    expected = shown_by_ffmpeg(turned, f"scale={SQUARE}:{EXACT}", (image.shape[1], image.shape[0]))
    assert_alike(image, expected)


@pytest.mark.parametrize("aspect", ["0/1", "1/1000", "1000/1", "1/5"])
def test_impossible_pixels_are_taken_for_square(aspect: str, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.mp4", f"format=yuv444p,setsar={aspect}", "-c:v", "libx264", "-qp", "0")
    assert shown_here(path).shape == (64, 96, 3)


def test_a_circle_is_round(tmp_path: Path) -> None:
    """As PAL discs have it: 720 x 576 for 16:9."""
    circle = "geq=lum='if(lt(hypot((X-360)*64/45,Y-288),200),235,16)':cb=128:cr=128,setsar=64/45"
    source = ("-f", "lavfi", "-i", f"color=black:s=720x576:d=0.1,format=yuv420p,{circle}")
    ffmpeg(*source, "-frames:v", "1", "-c:v", "libx264", str(tmp_path / "pal.mp4"))
    bright = shown_here(tmp_path / "pal.mp4").mean(axis=2) > 128
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2


def test_a_change_of_pixels_in_mid_stream_is_followed(tmp_path: Path) -> None:
    """As in broadcasts between programmes of 16:9 and 4:3. One picture beside the change may have the other shape."""
    with (tmp_path / "both.ts").open("wb") as both:
        for second, aspect in enumerate(("4/3", "1/1")):
            part = tmp_path / "part.ts"
            source = ("-f", "lavfi", "-i", "testsrc2=s=96x72:r=25:d=1", "-vf", f"format=yuv420p,setsar={aspect}")
            ffmpeg(*source, "-c:v", "mpeg2video", "-output_ts_offset", str(second), str(part))
            both.write(part.read_bytes())
    with open_video(tmp_path / "both.ts") as video:
        shapes = [frame.image.shape[:2] for frame in video.sampled_frames(5.0)]
    assert shapes[:4] == [(72, 128)] * 4
    assert shapes[6:] == [(72, 96)] * len(shapes[6:]) != []


@pytest.mark.parametrize(("matrix", "name"), [("ycgco", "YCgCo"), ("bt2020c", "BT.2020 constant luminance")])
def test_a_matrix_that_is_not_read_is_named(matrix: str, name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.mkv", "format=yuv444p", "-c:v", "ffv1", "-colorspace", matrix)
    with pytest.raises(NotAVideoError, match=f"colour matrix is {name}, which is not supported"):
        open_video(path)


RED = (200, 50, 50)
LINEAR = "zscale=t=linear:npl=203,format=gbrpf32le"


def flat(path: Path, filters: str, words: Sequence[str], colour: tuple[int, int, int] = RED) -> Path:
    raw = np.full((64, 96, 3), colour, np.uint8).tobytes()
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-i", "-")
    to_yuv = "setparams=range=pc:color_primaries=bt709:color_trc=bt709:colorspace=gbr"
    ffmpeg(*source, "-vf", f"{to_yuv},{filters}", *words, str(path), data=raw)
    return path


X265 = ("-c:v", "libx265", "-x265-params", "log-level=none:qp=4")
PQ = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
HLG = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
TO_PQ = f"{LINEAR},zscale=t=smpte2084:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
COLOURS = [RED, (50, 200, 50), (50, 50, 200), (128, 128, 128), (20, 20, 20), (0, 0, 0), (180, 170, 20)]


@pytest.mark.parametrize("colour", COLOURS)
def test_pq_below_white_is_what_was_graded(colour: tuple[int, int, int], tmp_path: Path) -> None:
    path = flat(tmp_path / "pq.mkv", TO_PQ, ("-c:v", "ffv1", *PQ), colour)
    assert np.abs(shown_here(path).astype(int) - colour).max() <= LEVELS


def test_pq_in_hevc(tmp_path: Path) -> None:
    path = flat(tmp_path / "pq.mp4", TO_PQ, (*X265, *PQ))
    assert np.abs(shown_here(path).astype(int) - RED).max() <= LEVELS


def test_hlg_below_white_is_what_was_graded(tmp_path: Path) -> None:
    """By the standard's own formulas: ffmpeg 5 has no OOTF. Reference white is 75 % of the signal (ITU-R BT.2408)."""
    a, gamma, weights = 0.17883277, 1.2, np.array([0.2627, 0.678, 0.0593])
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = 203 * (to_bt2020 @ (np.array(RED) / 255) ** 2.4)
    scene = nits / 1000 * (weights @ nits / 1000) ** ((1 - gamma) / gamma)
    number = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    raw = np.tile(np.round(65535 * number).astype("<u2"), (64, 96, 1)).tobytes()
    path = tmp_path / "hlg.mkv"
    source = ("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "96x64", "-i", "-")
    to_yuv = f"scale=out_color_matrix=bt2020:out_range=tv:{EXACT},format=yuv444p10le"
    ffmpeg(*source, "-vf", to_yuv, "-c:v", "ffv1", "-color_range", "tv", *HLG, str(path), data=raw)
    assert np.abs(shown_here(path).astype(int) - RED).max() <= LEVELS


@pytest.mark.parametrize(
    ("primaries", "name"), [("bt2020", "2020"), ("smpte432", "smpte432"), ("smpte170m", "170m"), ("bt470bg", "bt470bg")]
)
def test_other_primaries_are_shown_in_those_of_the_display(primaries: str, name: str, tmp_path: Path) -> None:
    wide = f"zscale=t=linear:npl=100,format=gbrpf32le,zscale=p={name}:t=bt709:m=709:r=tv,format=yuv444p10le"
    marks = ("-color_primaries", primaries, "-color_trc", "bt709", "-colorspace", "bt709")
    path = flat(tmp_path / "wide.mkv", wide, ("-c:v", "ffv1", *marks))
    assert np.abs(shown_here(path).astype(int) - RED).max() <= LEVELS


def test_what_is_brighter_than_white_is_rolled_off(tmp_path: Path) -> None:
    """Grey from black to 1,000 nits: never darker where the scene is brighter, and not all of it clipped."""
    nits = np.geomspace(1, 1000, 96)
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (nits / 10_000) ** m1
    number = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    raw = np.tile(np.round(64 + 876 * number).astype("<u2"), (64, 1)).tobytes()
    raw += np.full((64, 96), 512, "<u2").tobytes() * 2
    path = tmp_path / "ramp.mkv"
    source = ("-f", "rawvideo", "-pix_fmt", "yuv444p10le", "-s", "96x64", "-i", "-")
    ffmpeg(*source, "-c:v", "ffv1", "-color_range", "tv", *PQ, str(path), data=raw)
    grey = shown_here(path)[0].astype(int)
    assert (np.ptp(grey, axis=1) <= 1).all()
    assert (np.diff(grey[:, 0]) >= 0).all()
    assert grey[0, 0] <= 30
    assert grey[-1, 0] == 255
    assert 200 < grey[np.searchsorted(nits, 203), 0] < 250
    assert len(np.unique(grey[nits > 203, 0])) > 5
