"""Clip records of made-up but self-consistent content, for tests of the journal."""

import numpy as np

from keepsight.journal import ClipRecord, contact_sheet
from keepsight.spans import Span


def make_clip(stream_id: str, clip_index: int, *, caption: str | None = None, dim: int = 8) -> ClipRecord:
    """A clip whose every field follows from its index, so that a test can say what must come back."""
    draw = np.random.default_rng(clip_index)
    frames = [np.full((6, 8, 3), 10 * place + clip_index % 10, np.uint8) for place in range(4)]
    return ClipRecord(
        stream_id=stream_id,
        clip_index=clip_index,
        span=Span(32.0 * clip_index, 32.0 * (clip_index + 1)),
        caption=caption if caption is not None else f"caption number {clip_index}",
        num_line_tokens=clip_index + 5,
        num_visual_tokens=16,
        num_memory_tokens=2 * clip_index,
        token_grid=(2, 2),
        seconds_spent=0.25,
        frame_seconds=tuple(32.0 * clip_index + 0.1 * place for place in range(4)),
        kept_indices=np.sort(draw.choice(16, 3, replace=False)).astype(np.int32),
        embedding=draw.standard_normal(dim).astype(np.float32),
        scores=draw.random(16).astype(np.float32),
        thumbnail=contact_sheet(frames, width_pixels=16),
    )


def assert_same_clip(left: ClipRecord, right: ClipRecord, *, ignore: tuple[str, ...] = ()) -> None:
    """All fields are equal, arrays bit by bit."""
    for name, value in vars(left).items():
        if name in ignore:
            continue
        other = getattr(right, name)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype, name
            np.testing.assert_array_equal(value, other, err_msg=name)
        else:
            assert value == other, name
