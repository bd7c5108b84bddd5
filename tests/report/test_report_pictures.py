"""The mask and the mosaic show the very patches that were kept."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keepsight.errors import SettingError
from keepsight.journal.encoding import kept_cells
from keepsight.report import ContactSheet, ReportClip
from keepsight.report.pictures import mask_png, mosaic_jpeg
from keepsight.spans import Span
from tests.report.report_records import FRAME_PIXELS, GRID, clip_of, patch_colour, sheet_of


def alpha_of(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGBA"))[:, :, 3]


@settings(max_examples=25, deadline=None)
@given(
    num_frames=st.integers(1, 6),
    columns=st.integers(1, 6),
    kept=st.sets(st.integers(0, 95), max_size=40),
    frames_per_step=st.integers(1, 3),
)
def test_mask_is_opaque_exactly_where_a_token_was_kept(
    num_frames: int, columns: int, kept: set[int], frames_per_step: int
) -> None:
    """In every frame of the step that the token saw; an unfinished step has fewer frames."""
    columns = min(columns, num_frames)
    sheet = sheet_of(0, num_frames, columns)
    indices = sorted(index for index in kept if index < -(-num_frames // frames_per_step) * 16)
    clip = ReportClip(0, Span(0, 1), "", sheet, indices, GRID, frames_per_step)
    alpha = alpha_of(mask_png(clip, sheet))
    cell = alpha.shape[0] // (sheet.rows * GRID[0])
    assert alpha.shape == (sheet.rows * GRID[0] * cell, columns * GRID[1] * cell)
    for frame in range(num_frames):
        for place in range(16):
            top = (frame // columns * GRID[0] + place // 4) * cell
            left = (frame % columns * GRID[1] + place % 4) * cell
            values = set(np.unique(alpha[top : top + cell, left : left + cell]))
            assert values == ({255} if frame // frames_per_step * 16 + place in indices else {0})


def test_mosaic_holds_the_kept_patches_in_the_memorys_order() -> None:
    clip = clip_of(2)
    assert clip.sheet is not None
    with Image.open(io.BytesIO(mosaic_jpeg(clip, clip.sheet, clip.sheet.read_jpeg()))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    pitch = pixels.shape[1] // 2  # four patches stand two by two
    cells = kept_cells(clip.kept_indices, GRID, clip.sheet.num_frames, clip.frames_per_step)
    for place, (frame, row, column) in enumerate(cells):
        centre = pixels[place // 2 * pitch + pitch // 2, place % 2 * pitch + pitch // 2]
        assert np.abs(centre - patch_colour(2, frame, row, column)).max() <= 6


def test_an_index_beyond_the_frames_is_left_out() -> None:
    assert kept_cells([0, 17, 64, 1000], GRID, sheet_of(0).num_frames, 1) == [(0, 0, 0), (1, 0, 1)]


def test_mosaic_without_kept_patches_is_still_a_picture() -> None:
    clip = ReportClip(0, Span(0, 1), "", sheet_of(0), [], GRID)
    assert clip.sheet is not None
    with Image.open(io.BytesIO(mosaic_jpeg(clip, clip.sheet, clip.sheet.read_jpeg()))) as picture:
        assert picture.width > 0


@pytest.mark.parametrize("name", ["num_frames", "columns", "frame_width_pixels", "frame_height_pixels"])
def test_a_contact_sheet_without_size_is_refused(name: str) -> None:
    values = {"num_frames": 4, "columns": 4, "frame_width_pixels": FRAME_PIXELS, "frame_height_pixels": FRAME_PIXELS}
    with pytest.raises(SettingError, match=name):
        ContactSheet(bytes, **{**values, name: 0})
