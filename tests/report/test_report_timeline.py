"""The timeline shows all of the time, each clip where it belongs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.report import Report, ReportClip, ReportGap
from keepsight.report.timeline import MAX_CLIPS_IN_A_ROW, timeline_rows
from keepsight.spans import Span


def report_of(lengths: list[float], gap_seconds: float = 0.0) -> Report:
    clips, start = [], 0.0
    for index, length in enumerate(lengths):
        clips.append(ReportClip(index, Span(start, start + length), ""))
        start += length
    gaps = [ReportGap(Span(start, start + gap_seconds), "lost")] if gap_seconds else []
    return Report("a", "tiny", clips, gaps)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.5, 400), min_size=1, max_size=300), st.sampled_from([0.0, 33.0]))
def test_the_pieces_of_a_clip_add_up_to_it(lengths: list[float], gap_seconds: float) -> None:
    report = report_of(lengths, gap_seconds)
    shown = [0.0] * len(lengths)
    starts = [0] * len(lengths)
    for row in timeline_rows(report):
        for piece in row.clips:
            assert -1e-6 <= piece.left_percent <= 100
            assert piece.left_percent + piece.width_percent <= 100.01
            shown[piece.item] += piece.width_percent / 100 * row.span.duration_seconds
            starts[piece.item] += piece.is_first_piece
    # Per cents are rounded to three places.
    row_length = timeline_rows(report)[0].span.duration_seconds
    assert shown == pytest.approx(lengths, abs=row_length * 1e-3)
    assert starts == [1] * len(lengths)


def test_one_row_for_a_short_video_and_round_rows_for_a_long_one() -> None:
    assert len(timeline_rows(report_of([32.0] * MAX_CLIPS_IN_A_ROW))) == 1
    rows = timeline_rows(report_of([32.0] * 2000))
    assert {row.span.duration_seconds for row in rows} == {1800}
    assert max(len(row.clips) for row in rows) <= MAX_CLIPS_IN_A_ROW
    assert [row.span.start_seconds for row in rows] == [1800.0 * number for number in range(len(rows))]


def test_a_gap_stands_after_the_clips_it_follows() -> None:
    (row,) = timeline_rows(report_of([30.0, 30.0], gap_seconds=40.0))
    (gap,) = row.gaps
    assert (gap.left_percent, gap.width_percent) == (60.0, 40.0)


def test_nothing_to_show_has_no_rows() -> None:
    assert timeline_rows(report_of([])) == []
