"""Folders of pictures with times in their names."""

import os
import struct
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keepsight.errors import NotAVideoError, SettingError, SourceNotFoundError, VideoError
from keepsight.sources.readers.folder import USUAL_STEPS_HELD, open_folder
from keepsight.sources.readers.picture_files import PictureError, read_picture
from keepsight.sources.readers.picture_times import NameReader
from tests.patience import DEADLINE_SECONDS

MOMENT = datetime(2026, 11, 23, 12, 3, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def save(path: Path, grey: int = 0, size: tuple[int, int] = (16, 12)) -> Path:
    Image.new("RGB", size, (grey, grey, grey)).save(path)
    return path


def series(folder: Path, seconds: list[float]) -> Path:
    """A picture at each second, whose grey is 10 times its place."""
    for place, second in enumerate(seconds):
        moment = MOMENT + timedelta(seconds=second)
        save(folder / f"{moment:%Y%m%d-%H%M%S}.{moment.microsecond // 1000:03}.png", grey=10 * place)
    return folder


def greys(folder: Path, sample_fps: float, **options: float) -> list[tuple[float, int]]:
    frames = open_folder(folder, **options).sampled_frames(sample_fps)
    return [(frame.pts_seconds, int(frame.image[0, 0, 0])) for frame in frames]


@pytest.mark.parametrize(
    ("stem", "seconds"),
    [
        ("2026-11-23T12-03-09", 0.0),
        ("2026-11-23T12:03:09", 0.0),
        ("2026-11-23 12.03.09", 0.0),
        ("2026-11-23_12-03-09", 0.0),
        ("2026_11_23_12_03_09", 0.0),
        ("20261123_120309", 0.0),
        ("20261123-120309", 0.0),
        ("20261123120309", 0.0),
        ("20261123T120309Z", 0.0),
        ("20261123-120309.250", 0.25),
        ("2026-11-23T12-03-09,5", 0.5),
        ("IMG_20261123_120309", 0.0),
        ("IMG_20261123_120309125", 0.125),
        ("door-2-20261123-120309-east", 0.0),
        ("Screenshot 2026-11-23 at 12.03.09", 0.0),
        ("20261123_120309_001", 0.0),
        ("2026-11-23T13-03-09+0100", 0.0),
        ("2026-11-23T13:03:09+01:00", 0.0),
        ("2026-11-23T07:03:09-05:00", 0.0),
        (str(int(MOMENT.timestamp())), 0.0),
        (f"cam_{int(MOMENT.timestamp())}.5", 0.5),
        (str(int(MOMENT.timestamp() * 1000) + 125), 0.125),
    ],
)
def test_times_in_names(stem: str, seconds: float) -> None:
    assert NameReader().seconds(stem) == Fraction(MOMENT.timestamp()) + Fraction(seconds)


@pytest.mark.parametrize(
    "stem", ["frame_0001", "2026-11-23", "2026-13-23T12-03-09", "20261123_126009", "x", "123456789"]
)
def test_names_without_a_time(stem: str) -> None:
    assert NameReader().seconds(stem) is None


def test_plain_numbers_with_an_interval() -> None:
    assert [NameReader(0.1).seconds(stem) for stem in ("frame_0000", "frame_0010", "a2-7")] == [0, 1, Fraction(7, 10)]


@given(st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1)))
def test_every_moment_survives_its_name(moment: datetime) -> None:
    expected = Fraction(moment.replace(tzinfo=UTC, microsecond=0).timestamp())
    for form in ("%Y-%m-%dT%H-%M-%SZ", "%Y%m%d_%H%M%SZ", "%Y%m%d%H%M%SZ"):
        assert NameReader().seconds(moment.strftime(form)) == expected


@given(st.text(max_size=40) | st.from_regex(r"[0-9T_.:+Z-]{0,40}"))
def test_no_name_is_an_error(stem: str) -> None:
    NameReader().seconds(stem)
    NameReader(1.0).seconds(stem)


def test_pictures_come_in_order_of_time_not_of_name(tmp_path: Path) -> None:
    save(tmp_path / f"z_{int(MOMENT.timestamp())}.png", grey=0)
    save(tmp_path / "a_20261123-120311.png", grey=20)
    save(tmp_path / "m 2026-11-23T12-03-10.png", grey=10)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._20261123-120311.png").write_text("no picture")
    folder = open_folder(tmp_path)
    assert folder.info.started_at == MOMENT.timestamp()
    assert (folder.info.is_live, folder.info.num_frames, folder.info.duration_seconds) == (False, 3, 3.0)
    assert (folder.info.width, folder.info.height, folder.info.codec) == (16, 12, "png")
    assert greys(tmp_path, 1) == [(0.0, 0), (1.0, 10), (2.0, 20)]
    assert greys(tmp_path, 2) == [(0.0, 0), (0.5, 0), (1.0, 10), (1.5, 10), (2.0, 20), (2.5, 20)]


def test_a_hole_is_not_filled_for_ever(tmp_path: Path) -> None:
    series(tmp_path, [0, 1, 2, 3, 100, 101])
    times = [seconds for seconds, _ in greys(tmp_path, 1)]
    assert times == [0, 1, 2, 3, 4, 5, 100, 101]
    assert USUAL_STEPS_HELD == 3
    assert [seconds for seconds, _ in greys(tmp_path, 1, longest_hold_seconds=1.0)] == [0, 1, 2, 3, 100, 101]


def test_a_hole_of_centuries_takes_no_time(tmp_path: Path) -> None:
    for name in ("1000-01-01T00-00-00Z", "1000-01-01T00-00-01Z", "9999-01-01T00-00-00Z"):
        save(tmp_path / f"{name}.png")
    begun = time.monotonic()
    assert len(greys(tmp_path, 30)) == 30 + 90 + 30
    assert time.monotonic() - begun < DEADLINE_SECONDS  # a second for each year of it would be two hours


def test_sampling_can_be_taken_up_again_and_repeated(tmp_path: Path) -> None:
    folder = open_folder(series(tmp_path, [0, 1, 2, 3, 4]))
    whole = [frame.pts_seconds for frame in folder.sampled_frames(2)]
    assert [frame.pts_seconds for frame in folder.sampled_frames(2, start_seconds=3.0)] == whole[6:]
    folder.close()
    with pytest.raises(VideoError, match="closed"):
        folder.sampled_frames(2)


def test_of_two_pictures_of_one_time_the_last_is_shown(tmp_path: Path) -> None:
    save(tmp_path / "a_20261123-120309.png", grey=1)
    save(tmp_path / "b_20261123-120309.png", grey=2)
    save(tmp_path / "20261123-120310.png", grey=3)
    assert greys(tmp_path, 1) == [(0.0, 2), (1.0, 3)]


def test_sizes_may_differ(tmp_path: Path) -> None:
    save(tmp_path / "20261123-120309.bmp", size=(40, 20))
    save(tmp_path / "20261123-120310.webp", size=(10, 20))
    save(tmp_path / "20261123-120311.JPG", size=(10, 10))
    shapes = [frame.image.shape[:2] for frame in open_folder(tmp_path).sampled_frames(1)]
    assert shapes == [(20, 40), (20, 10), (10, 10)]


def test_damaged_pictures_are_passed_over_and_counted(tmp_path: Path) -> None:
    series(tmp_path, [0, 1, 2, 3, 4])
    names = sorted(path.name for path in tmp_path.iterdir())
    for name in (names[0], names[2], names[3]):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:40])
    folder = open_folder(tmp_path)
    assert folder.info.started_at == MOMENT.timestamp() + 1
    shown = [(frame.pts_seconds, int(frame.image[0, 0, 0])) for frame in folder.sampled_frames(1)]
    assert shown == [(0.0, 10), (1.0, 10), (2.0, 10), (3.0, 40)]
    assert folder.damaged == {names[0], names[2], names[3]}


def test_the_picture_before_a_damaged_one_is_shown_even_where_it_was_at_no_instant(tmp_path: Path) -> None:
    series(tmp_path, [0, 0.5, 0.9, 1.0, 1.5])
    (tmp_path / "20261123-120310.000.png").write_bytes(b"no picture")
    assert greys(tmp_path, 1) == [(0.0, 0), (1.0, 20)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no images"),
        (["20261123-120309.png", "frame_0007.png"], "'frame_0007.png' has no time in its name .1 of 2 .* name images"),
    ],
)
def test_folders_that_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        save(tmp_path / name)
    with pytest.raises(NotAVideoError, match=message):
        open_folder(tmp_path)


def test_more_refusals(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no such folder"):
        open_folder(tmp_path / "none")
    file = save(tmp_path / "20261123-120309.png")
    with pytest.raises(NotAVideoError, match="can't be read as a folder"):
        open_folder(file)
    file.write_bytes(b"")
    os.mkfifo(tmp_path / "20261123-120310.png")  # would be waited for if it were opened
    with pytest.raises(NotAVideoError, match="no readable image \\(1 are damaged\\)"):
        open_folder(tmp_path)
    for options in ({"frame_interval_seconds": 0.0}, {"longest_hold_seconds": float("nan")}):
        with pytest.raises(SettingError, match="above 0"):
            open_folder(tmp_path, **options)


def test_pictures_are_turned_as_they_say(tmp_path: Path) -> None:
    picture = Image.new("RGB", (20, 10), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 10, 10))  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    picture.save(tmp_path / "20261123-120309.png", exif=exif)
    folder = open_folder(tmp_path)
    assert (folder.info.width, folder.info.height) == (10, 20)
    image = next(folder.sampled_frames(1)).image
    assert image[:10].min() == 255
    assert image[10:].max() == 0


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (200, 100, 50, 0), (0, 0, 0)),
        ("RGBA", (200, 100, 50, 255), (200, 100, 50)),
        ("LA", (80, 255), (80, 80, 80)),
        ("P", 0, (0, 0, 0)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x8000, (128, 128, 128)),
    ],
)
def test_other_kinds_of_pixels(tmp_path: Path, mode: str, colour: tuple[int, ...], expected: tuple[int, ...]) -> None:
    Image.new(mode, (4, 4), colour).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", "a.png").image[1, 1].tolist() == list(expected)


def png_that_says(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8193, 8192), (12_000, 12_000), (60_000, 60_000)])
def test_pictures_that_would_fill_the_memory_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_that_says(*size))
    with pytest.raises(PictureError):
        read_picture(tmp_path / "a.png", "a.png")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(PictureError, match="can't be read"):
        read_picture(tmp_path / "a.png", "a.png")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp"])
def test_flipped_bytes_are_no_other_error(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(3)
    whole = save(tmp_path / f"a.{ending}", grey=77, size=(40, 30)).read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for place in noise.integers(0, len(data), 3):
            data[place] = noise.integers(0, 256)
        (tmp_path / f"b.{ending}").write_bytes(data[: noise.integers(1, len(data) + 1)])
        try:
            assert read_picture(tmp_path / f"b.{ending}", "b").image.shape[2] == 3
        except PictureError:
            continue


def test_an_animated_webp_in_a_folder_is_named(tmp_path: Path) -> None:
    series(tmp_path, [0, 1])
    pictures = [Image.new("RGB", (16, 12), (level, 0, 0)) for level in (50, 100)]
    path = tmp_path / f"{MOMENT + timedelta(seconds=2):%Y%m%d-%H%M%S}.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(NotAVideoError, match="is an animated WebP, which is not supported"):
        open_folder(tmp_path)
    with pytest.raises(PictureError, match="is an animated WebP"):
        read_picture(path, path.name)


@pytest.mark.parametrize("mode", ["CMYK", "RGB", "RGBA"])
def test_ways_to_store_a_colour_show_the_same(mode: str, tmp_path: Path) -> None:
    path = tmp_path / f"red.{'png' if mode == 'RGBA' else 'jpg'}"
    Image.new("RGB", (16, 16), (200, 50, 50)).convert(mode).save(path, quality=95)
    assert np.abs(read_picture(path, "red").image.astype(int) - (200, 50, 50)).max() <= 3


@pytest.mark.parametrize("grey", [0, 16, 128, 235, 255])
def test_grey_pictures_have_the_full_range(grey: int, tmp_path: Path) -> None:
    Image.new("L", (16, 16), grey).save(tmp_path / "grey.jpg", quality=95)
    Image.fromarray(np.full((16, 16), grey * 257, np.uint16)).save(tmp_path / "grey.png")
    for name in ("grey.jpg", "grey.png"):
        assert np.abs(read_picture(tmp_path / name, name).image.astype(int) - grey).max() <= 1
