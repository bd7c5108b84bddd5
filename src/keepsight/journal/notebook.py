"""Clips as they show themselves in a notebook: a picture with what was kept, HTML, and the rows of a table."""

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from keepsight.errors import KeepsightError
from keepsight.journal.encoding import kept_cells, split_sheet
from keepsight.journal.records import ClipRecord
from keepsight.spans import frames_note

_FRAMES_IN_A_ROW = 8
_NOT_KEPT = 0.35
"""Brightness of patches that were not kept."""


def kept_picture(clip: ClipRecord) -> Image.Image | None:
    """A clip's frames, eight in a row, with what was not kept darkened; None where its thumbnail was removed."""
    if not clip.thumbnail:
        return None
    tiles = split_sheet(clip.thumbnail, clip.num_frames)
    height, width = tiles[0].shape[:2]
    rows, columns = clip.token_grid
    kept = np.zeros((clip.num_frames, rows, columns), bool)
    for first, row, column in kept_cells(clip.kept_indices, clip.token_grid, clip.num_frames, clip.frames_per_step):
        kept[first : first + clip.frames_per_step, row, column] = True
    shown = kept[:, np.arange(height)[:, None] * rows // height, np.arange(width)[None] * columns // width]
    frames = (np.stack(tiles) * np.where(shown, 1.0, _NOT_KEPT)[..., None]).astype(np.uint8)
    across = min(_FRAMES_IN_A_ROW, clip.num_frames)
    picture = Image.new("RGB", (across * width, -(-clip.num_frames // across) * height))
    for place, frame in enumerate(frames):
        picture.paste(Image.fromarray(frame), (place % across * width, place // across * height))
    return picture


def clip_html(clip: ClipRecord) -> str:
    """Span, caption and picture of a clip as an HTML fragment; text of a model is escaped."""
    picture = kept_picture(clip)
    kept = f"{clip.num_kept_tokens} of {clip.num_visual_tokens} visual tokens kept"
    notes = [kept, frames_note(clip.num_frames, clip.num_frames_expected, clip.num_frames_dropped)]
    image = ""
    if picture is not None:
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=85)
        data = base64.b64encode(jpeg.getvalue()).decode("ascii")
        image = f'<img src="data:image/jpeg;base64,{data}" alt="frames; what was not kept is dark"><br>'
    return (
        f"<div><p><b>{clip.span}</b> {escape(clip.caption)}</p>"
        f"{image}<small>{escape('; '.join(filter(None, notes)))}</small></div>"
    )


def to_pandas(clips: Iterable[ClipRecord]) -> Any:
    """Clips as a `pandas.DataFrame`, one a row, without their arrays.

        table = keepsight.to_pandas(watcher.watch("kitchen.mp4"))

    Args:
        clips: moments of a watcher, or the clips of a journal (`journal.clips.of(stream.id)`).

    Returns:
        Columns are `stream_id`, `clip_index`, `start_seconds`, `end_seconds`, `caption`, `num_frames`,
        `num_frames_expected`, `num_frames_dropped`, `num_visual_tokens`, `num_kept_tokens`, `num_memory_tokens`,
        `seconds_spent`, `media_start_seconds` and `is_pinned`: see `ClipRecord`.

    Raises:
        KeepsightError: pandas is not installed; before any clip is taken.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise KeepsightError("to_pandas needs pandas: pip install pandas") from error
    rows = [{name: getattr(clip, name) for name in _COLUMNS} for clip in clips]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    "stream_id",
    "clip_index",
    "start_seconds",
    "end_seconds",
    "caption",
    "num_frames",
    "num_frames_expected",
    "num_frames_dropped",
    "num_visual_tokens",
    "num_kept_tokens",
    "num_memory_tokens",
    "seconds_spent",
    "media_start_seconds",
    "is_pinned",
)
