"""Made-up reports: coloured frames of which it is known where each patch is."""

import io

import numpy as np
from PIL import Image

from keepsight.report import ContactSheet, Report, ReportClip, ReportGap, ReportQuestion
from keepsight.spans import Span

FRAME_PIXELS = 64
NUM_FRAMES = 4
GRID = (4, 4)
EVIL = "a <script>document.title='taken over'</script> dog & \"cat\" arrives"


def patch_colour(clip: int, frame: int, row: int, column: int) -> tuple[int, int, int]:
    """The colour of one patch, different for each place and far apart between neighbours."""
    return (clip * 70 % 256, 40 + frame * 35, 20 + (row * GRID[1] + column) * 15)


def sheet_of(clip: int, num_frames: int = NUM_FRAMES, columns: int | None = None) -> ContactSheet:
    """Frames whose patches are plain colours, row after row."""
    columns = columns or num_frames
    rows = -(-num_frames // columns)
    pixels = np.zeros((rows * FRAME_PIXELS, columns * FRAME_PIXELS, 3), np.uint8)
    patch = FRAME_PIXELS // GRID[0]
    for frame in range(num_frames):
        sheet_row, sheet_column = divmod(frame, columns)
        for row in range(GRID[0]):
            for column in range(GRID[1]):
                top = sheet_row * FRAME_PIXELS + row * patch
                left = sheet_column * FRAME_PIXELS + column * patch
                pixels[top : top + patch, left : left + patch] = patch_colour(clip, frame, row, column)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
    return ContactSheet(out.getvalue, num_frames, columns, FRAME_PIXELS, FRAME_PIXELS)


def clip_of(index: int, caption: str = "in the kitchen: a dog arrives.", seconds: float = 32.0) -> ReportClip:
    """Clip `index` of a stream of equally long clips; keeps one patch of each frame."""
    kept = [frame * 16 + (index * 5 + frame * 3) % 16 for frame in range(NUM_FRAMES)]
    span = Span(index * seconds, (index + 1) * seconds)
    return ReportClip(index, span, caption, sheet_of(index), kept, GRID)


def small_report(num_clips: int = 5) -> Report:
    """A report that has everything once, among it a caption that would be harmful unescaped."""
    clips = [clip_of(index, EVIL if index == 1 else f"in the park: thing {index} waits.") for index in range(num_clips)]
    held = [ReportClip(**{**vars(clip), "in_memory": clip.index >= num_clips - 2}) for clip in clips]
    end = num_clips * 32.0
    return Report(
        source="kitchen <b>.mp4",
        model="tiny",
        clips=held,
        gaps=[ReportGap(Span(end, end + 10), "the source was lost")],
        questions=[
            ReportQuestion("Where is <i>it</i>?", "in the park", end, (0, 1, 3), 2),
            ReportQuestion("Anything?", "no", 0.0),
        ],
        settings={"sample_fps": "0.5"},
        figures={"seconds per clip": "0.5"},
        notes=["The video ends early."],
    )
