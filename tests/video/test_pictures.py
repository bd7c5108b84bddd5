"""Colours, rotation, sizes and unusual pixel formats."""

import io
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from keepsight.errors import NotAVideoError
from keepsight.video import open_video
from keepsight.video.containers import open_stream
from tests.video.media import TIME_BASE, Image, Recipe, flat_picture, moving_picture, steady_times, write_video

FULL_RANGE, LIMITED_RANGE = 2, 1
BT709, BT601 = 1, 6


def first_image(path: Path) -> Image:
    with open_video(path) as video:
        frame = next(iter(video.sampled_frames(1.0)))
        assert frame.image.shape == (video.info.height, video.info.width, 3)
        return frame.image


@pytest.mark.parametrize("colour", [(250, 10, 10), (10, 250, 10), (10, 10, 250), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize(("colour_space", "colour_range"), [(BT601, LIMITED_RANGE), (BT709, LIMITED_RANGE)])
def test_channels_are_red_green_blue(
    tmp_path: Path, colour: tuple[int, int, int], colour_space: int, colour_range: int
) -> None:
    recipe = Recipe(
        options={"crf": "1", "x264-params": f"colormatrix={'bt709' if colour_space == BT709 else 'smpte170m'}"},
        colour_space=colour_space,
        colour_range=colour_range,
    )
    image = first_image(write_video(tmp_path / "colour.mp4", [0, 40], recipe, lambda _: flat_picture(colour)))
    assert np.abs(image.astype(int) - colour).max() <= 6


def test_full_range_pictures_are_not_stretched(tmp_path: Path) -> None:
    recipe = Recipe("mjpeg", "yuvj420p", options={"qmin": "1"}, colour_range=FULL_RANGE)
    for level in (0, 20, 128, 240, 255):
        grey = flat_picture((level, level, level))
        image = first_image(write_video(tmp_path / f"{level}.mov", [0], recipe, [grey].__getitem__))
        assert abs(float(image.mean()) - level) <= 2


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("turn_degrees", [0, 90, 180, 270])
def test_rotation_and_mirroring_are_applied(tmp_path: Path, turn_degrees: int, hflip: bool) -> None:
    recipe = Recipe("mjpeg", "yuvj420p", rotation_degrees=turn_degrees, hflip=hflip)
    stored = first_image(write_video(tmp_path / "stored.mov", [0, 40], Recipe("mjpeg", "yuvj420p")))
    path = write_video(tmp_path / "turned.mov", [0, 40], recipe)
    expected = np.rot90(stored, -turn_degrees // 90)
    assert np.array_equal(first_image(path), expected[:, ::-1] if hflip else expected)
    with open_video(path) as video:
        size = (video.info.width, video.info.height)
        assert size == ((48, 64) if turn_degrees % 180 else (64, 48))
        assert hflip or video.info.rotation_degrees == turn_degrees


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (17, 31), (33, 2), (5, 3), (1279, 3)])
def test_odd_sizes_keep_every_row_and_column(tmp_path: Path, width: int, height: int) -> None:
    picture = moving_picture(3, width, height)
    path = write_video(tmp_path / "odd.mov", [0, 40], Recipe("png", "rgb24"), lambda _: picture)
    assert np.array_equal(first_image(path), picture)


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p", "yuv444p", "gray"])
def test_other_pixel_formats_come_as_8_bit_rgb(tmp_path: Path, pix_fmt: str) -> None:
    grey = flat_picture((100, 100, 100))
    image = first_image(write_video(tmp_path / "format.mkv", [0, 40], Recipe("ffv1", pix_fmt), lambda _: grey))
    assert np.abs(image.astype(int) - 100).max() <= 2


def write_with_alpha(path: Path, rgba: Image) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = rgba.shape[0], rgba.shape[1], "rgba"
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        frame.pts, frame.time_base = 0, TIME_BASE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    rgba = np.full((4, 6, 4), (200, 100, 50, 255), np.uint8)
    rgba[:, 3:, 3] = 0
    rgba[0, 0, 3] = 51
    image = first_image(write_with_alpha(tmp_path / "alpha.mov", rgba))
    assert image[1, 0].tolist() == [200, 100, 50]
    assert not image[:, 3:].any()
    assert image[0, 0].tolist() == [40, 20, 10]


def test_a_change_of_size_in_mid_stream_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "sizes.ts"
    with path.open("wb") as whole:
        for number, (width, height) in enumerate([(64, 48), (96, 64)]):
            part = tmp_path / f"part{number}.ts"
            recipe = Recipe(options={"g": "5"})
            write_video(part, steady_times(50), recipe, partial(moving_picture, width=width, height=height))
            whole.write(part.read_bytes())
    with open_video(path) as video:
        frames = list(video.sampled_frames(5.0))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3), (64, 96, 3)}
    times = [frame.pts_seconds for frame in frames]
    assert times == [number / 5 for number in range(len(times))]
    assert len(times) in (20, 21)


def animated_webp() -> bytes:
    pictures = [Pillow.fromarray(flat_picture((level, 0, 0))) for level in (50, 100, 150)]
    file = io.BytesIO()
    pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:], duration=500)
    return file.getvalue()


def test_webp_is_named_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "moving.webp").write_bytes(animated_webp())
    with pytest.raises(NotAVideoError, match="is an animated WebP, which is not supported; convert it"):
        open_video(tmp_path / "moving.webp")
    Pillow.fromarray(flat_picture((9, 9, 9))).save(tmp_path / "still.webp")
    with pytest.raises(NotAVideoError, match="is a WebP image, not a video"):
        open_video(tmp_path / "still.webp")


def test_webp_from_a_stream_of_bytes() -> None:
    with pytest.raises(NotAVideoError, match="the stream is an animated WebP, which is not supported"):
        open_stream(io.BytesIO(animated_webp()), "the stream")  # type: ignore[arg-type]
