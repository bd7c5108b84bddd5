"""Pictures decoded in a process of their own: pixels as Pillow has them, and a process that dies is replaced."""

import os
import signal
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keepsight.errors import DecoderDiedError, VideoError
from keepsight.sources.picture_decoder import PictureDecoder
from keepsight.sources.worker_pipe import DecodeLimits
from tests.patience import DEADLINE_SECONDS

PIXELS = np.random.default_rng(4).integers(0, 256, (48, 64, 3), np.uint8)
PATIENCE_SECONDS = DEADLINE_SECONDS


def coded(coding: str, pixels: np.ndarray = PIXELS, **more: object) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, coding, **more)
    return out.getvalue()


@pytest.fixture
def decoder() -> Iterator[PictureDecoder]:
    with PictureDecoder() as opened:
        yield opened


def children() -> set[int]:
    """Processes of this one that decode pictures."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, words = (folder / "status").read_text(), (folder / "cmdline").read_text()
        except OSError:  # it ended
            continue
        if f"PPid:\t{os.getpid()}\n" in status and "picture_worker" in words:
            found.add(int(folder.name))
    return found


def test_pixels_are_those_of_the_file(decoder: PictureDecoder) -> None:
    for coding in ("PNG", "BMP", "JPEG", "WEBP"):
        content = coded(coding)
        expected = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
        assert np.array_equal(decoder.decode(content, 64 * 48), expected), coding
    assert np.array_equal(decoder.decode(coded("PNG"), 64 * 48), PIXELS)
    sideways = Image.Exif()
    sideways[0x0112] = 6  # to be turned clockwise by a quarter
    assert decoder.decode(coded("JPEG", exif=sideways), 64 * 48).shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "one of JPEG, PNG, WEBP, BMP"),
        (b"\x00" * 5000, "one of JPEG"),
        (coded("GIF"), "one of JPEG"),
        (coded("JPEG")[:700], "truncated"),
        (coded("PNG", np.zeros((100, 100, 3), np.uint8)), "more than 3072 pixels"),
    ],
)
def test_what_is_no_picture_is_said_and_the_next_one_is_read(
    decoder: PictureDecoder, content: bytes, said: str
) -> None:
    with pytest.raises(VideoError, match=said):
        decoder.decode(content, 64 * 48)
    assert decoder.decode(coded("PNG"), 64 * 48).shape == (48, 64, 3)


def test_a_process_that_was_killed_is_replaced_and_the_last_one_ended(decoder: PictureDecoder) -> None:
    decoder.decode(coded("PNG"), 64 * 48)
    (first,) = children()
    os.kill(first, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:  # the one that finds it dead, perhaps, and the next one
        try:
            decoder.decode(coded("PNG"), 64 * 48)
            break
        except DecoderDiedError:
            assert time.monotonic() < until
    (second,) = children()
    assert second != first
    decoder.close()
    assert children() == set()


def test_a_process_that_is_silent_is_ended() -> None:
    with PictureDecoder(DecodeLimits(silence_seconds=0.001)) as hasty:  # it takes longer to begin
        with pytest.raises(DecoderDiedError):
            hasty.decode(coded("PNG"), 64 * 48)
        assert children() == set()


def test_a_picture_that_needs_more_memory_than_there_may_be_ends_in_one_line() -> None:
    wide = np.zeros((9000, 9000, 3), np.uint8)
    with PictureDecoder(DecodeLimits(memory_megabytes=300)) as small:
        with pytest.raises(VideoError):
            small.decode(coded("PNG", wide), 9000 * 9000)
        assert small.decode(coded("PNG"), 64 * 48).shape == (48, 64, 3)
