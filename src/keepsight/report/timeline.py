"""Layout of clips and gaps on the report's timeline, which wraps into rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from keepsight.report.records import Report, ReportClip
from keepsight.spans import Span

MAX_CLIPS_IN_A_ROW = 60
"""Clips per row; with more, a clip is too narrow to click."""

_ROW_STEPS_SECONDS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)


@dataclass(frozen=True)
class Segment:
    """A piece of a clip or gap in one row, in percent of the row's length."""

    left_percent: float
    width_percent: float
    item: int
    is_first_piece: bool


@dataclass(frozen=True)
class TimelineRow:
    """A row of the timeline: its span, and pieces of clips and gaps by index."""

    span: Span
    clips: list[Segment] = field(default_factory=list)
    gaps: list[Segment] = field(default_factory=list)


def row_seconds(clips: Sequence[ReportClip], end_seconds: float) -> float:
    """Length of a row: the whole stream if it fits, else a round time with few enough clips."""
    if len(clips) <= MAX_CLIPS_IN_A_ROW:
        return max(end_seconds, 1.0)
    mean_seconds = end_seconds / len(clips)
    wanted = mean_seconds * MAX_CLIPS_IN_A_ROW
    fitting = [step for step in _ROW_STEPS_SECONDS if step <= wanted]
    return float(fitting[-1]) if fitting else max(wanted, 1.0)


def _pieces(span: Span, item: int, length: float, num_rows: int) -> list[tuple[int, Segment]]:
    first = min(int(span.start_seconds // length), num_rows - 1)
    last = min(max(first, math.ceil(span.end_seconds / length) - 1), num_rows - 1)
    pieces = []
    for row in range(first, last + 1):
        start = max(span.start_seconds, row * length)
        end = min(span.end_seconds, (row + 1) * length)
        left, width = (start / length - row) * 100, max(0.0, (end - start) / length * 100)
        pieces.append((row, Segment(round(left, 3), round(width, 3), item, row == first)))
    return pieces


def timeline_rows(report: Report) -> list[TimelineRow]:
    """Lay out clips and gaps in rows of equal length; empty without any."""
    ends = [clip.span.end_seconds for clip in report.clips] + [gap.span.end_seconds for gap in report.gaps]
    if not ends:
        return []
    length = row_seconds(report.clips, max(ends))
    num_rows = max(1, math.ceil(max(ends) / length))
    rows = [TimelineRow(Span(row * length, (row + 1) * length)) for row in range(num_rows)]
    for position, clip in enumerate(report.clips):
        for row, piece in _pieces(clip.span, position, length, num_rows):
            rows[row].clips.append(piece)
    for position, gap in enumerate(report.gaps):
        for row, piece in _pieces(gap.span, position, length, num_rows):
            rows[row].gaps.append(piece)
    return rows
