"""Images of kept patches: the mask over a contact sheet, and a clip's mosaic."""

import base64
import io
import math

import numpy as np
from PIL import Image

from keepsight.journal.encoding import kept_cells
from keepsight.report.records import ContactSheet, ReportClip

MASK_FRAME_PIXELS = 112
"""About the width of a frame in a mask: browsers blur what they enlarge, so masks have display size."""

MOSAIC_PIXELS = 120
MOSAIC_GAP_PIXELS = 1
_MOSAIC_GROUND = (16, 15, 13)


def data_uri(media_type: str, content: bytes) -> str:
    """A `data:` URI with the content."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def mask_png(clip: ReportClip, sheet: ContactSheet) -> bytes:
    """Two-colour PNG with the contact sheet's layout: opaque where a token was kept, else transparent."""
    grid_rows, grid_columns = clip.token_grid
    mask = np.zeros((sheet.rows * grid_rows, sheet.columns * grid_columns), dtype=np.uint8)
    for first, row, column in _cells_of(clip):
        for frame in range(first, min(first + clip.frames_per_step, sheet.num_frames)):
            sheet_row, sheet_column = divmod(frame, sheet.columns)
            mask[sheet_row * grid_rows + row, sheet_column * grid_columns + column] = 1
    scale = max(2, MASK_FRAME_PIXELS // grid_columns)
    scaled = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    image = Image.fromarray(scaled).convert("P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0, bits=1, optimize=True)
    return out.getvalue()


def _patch_box(
    sheet: ContactSheet, grid: tuple[int, int], cell: tuple[int, int, int]
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a token's patch in the contact sheet, in pixels."""
    frame, row, column = cell
    sheet_row, sheet_column = divmod(frame, sheet.columns)
    width, height = sheet.frame_width_pixels / grid[1], sheet.frame_height_pixels / grid[0]
    left = sheet_column * sheet.frame_width_pixels + column * width
    top = sheet_row * sheet.frame_height_pixels + row * height
    return left, top, left + width, top + height


def mosaic_jpeg(clip: ReportClip, sheet: ContactSheet, jpeg: bytes) -> bytes:
    """Kept patches of a clip, cropped from its frames and packed in memory order.

    Args:
        clip: clip with kept patches.
        sheet: layout of the contact sheet.
        jpeg: its image.
    """
    cells = _cells_of(clip)
    side = max(1, math.ceil(math.sqrt(len(cells))))
    patch = max(2, MOSAIC_PIXELS // side - MOSAIC_GAP_PIXELS)
    pitch = patch + MOSAIC_GAP_PIXELS
    rows = max(1, math.ceil(len(cells) / side))
    mosaic = Image.new("RGB", (side * pitch, rows * pitch), _MOSAIC_GROUND)
    with Image.open(io.BytesIO(jpeg)) as opened:
        picture = opened.convert("RGB")
    for place, cell in enumerate(cells):
        box = _patch_box(sheet, clip.token_grid, cell)
        cut = picture.resize((patch, patch), Image.Resampling.BICUBIC, box=box)
        mosaic.paste(cut, (place % side * pitch, place // side * pitch))
    out = io.BytesIO()
    mosaic.save(out, "JPEG", quality=88, subsampling=0, optimize=True)
    return out.getvalue()


def _cells_of(clip: ReportClip) -> list[tuple[int, int, int]]:
    num_frames = clip.sheet.num_frames if clip.sheet else 0
    return kept_cells(clip.kept_indices, clip.token_grid, num_frames, clip.frames_per_step)
