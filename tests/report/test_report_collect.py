"""What a report says is what the journal holds."""

import errno
import io
import os
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keepsight
from keepsight.errors import EmptyJournalError, KeepsightError, SettingError
from keepsight.journal import EndReason, GapRecord, Journal
from keepsight.report import collect, collect_report, render_report, write_report
from keepsight.settings import Settings
from keepsight.spans import Span
from tests.fake_model import FakeModel

MakeVideo = Callable[..., Path]
QUICK = Settings(sample_fps=2.0, memory_clips=2)


@pytest.fixture
def watched(journal: Journal, make_video: MakeVideo, fake_model: FakeModel) -> Journal:
    watcher = keepsight.Watcher(fake_model, journal, QUICK)
    assert len(list(watcher.watch(make_video(seconds=30)))) == 4
    watcher.ask("Where is the dog?", at_seconds=20)
    return journal


def test_each_clip_is_as_the_journal_has_it(watched: Journal) -> None:
    stream = watched.streams.latest()
    assert stream is not None
    report = collect_report(watched)
    assert report.source == Path(stream.source).name
    assert len(report.clips) == 4
    for shown, stored in zip(report.clips, watched.clips.of(stream.id), strict=True):
        assert (shown.index, shown.span, shown.caption) == (stored.clip_index, stored.span, stored.caption)
        assert list(shown.kept_indices) == stored.kept_indices.tolist()
        assert shown.sheet is not None
        assert shown.sheet.num_frames == len(stored.frame_seconds)
        with Image.open(io.BytesIO(shown.sheet.read_jpeg())) as picture:
            assert picture.size == (
                shown.sheet.num_frames * shown.sheet.frame_width_pixels,
                shown.sheet.frame_height_pixels,
            )
    assert [clip.in_memory for clip in report.clips] == [False, False, True, True]


@pytest.mark.parametrize(
    ("num_frames", "num_tokens", "expected"), [(16, 144, 1), (16, 72, 2), (15, 72, 2), (3, 18, 2), (1, 9, 1)]
)
def test_steps_of_several_frames_are_known_from_the_tokens(
    watched: Journal, num_frames: int, num_tokens: int, expected: int
) -> None:
    stream = watched.streams.latest()
    assert stream is not None
    record = replace(
        next(watched.clips.of(stream.id)),
        num_visual_tokens=num_tokens,
        token_grid=(3, 3),
        frame_seconds=tuple(float(number) for number in range(num_frames)),
    )
    assert record.frames_per_step == expected


def test_questions_gaps_and_differences_from_the_paper_are_shown(watched: Journal) -> None:
    stream = watched.streams.latest()
    assert stream is not None
    watched.gaps.add(GapRecord(stream.id, Span(30, 45), "the camera was off"))
    report = collect_report(watched)
    (question,) = report.questions
    assert (question.question, question.asked_at_seconds) == ("Where is the dog?", 20)
    assert question.cited_clips == (0, 1)
    assert [(gap.span, gap.reason) for gap in report.gaps] == [(Span(30, 45), "the camera was off")]
    assert report.settings["caption_partial_clip"] == "True (paper: False)"
    assert report.settings["memory_clips"] == "2"


def test_many_pictures_are_made_smaller(watched: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = collect_report(watched)
    monkeypatch.setattr(collect, "MAX_SHEET_BYTES", 1000)
    small = collect_report(watched)
    for before, after in zip(whole.clips, small.clips, strict=True):
        assert before.sheet is not None
        assert after.sheet is not None
        assert len(after.sheet.read_jpeg()) < len(before.sheet.read_jpeg())
        assert (after.sheet.frame_width_pixels, after.sheet.frame_height_pixels) == (80, 60)
        assert after.kept_indices == before.kept_indices
    assert len(render_report(small)) < len(render_report(whole))


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (EndReason.INTERRUPTED, "interrupted at 00:30"),
        (EndReason.TRUNCATED, "ends early, at 00:30"),
        (EndReason.FAILED, "stopped at 00:30: no room <left>"),
        (EndReason.COMPLETE, None),
    ],
)
def test_how_watching_ended_is_said(watched: Journal, reason: EndReason, says: str | None) -> None:
    stream = watched.streams.latest()
    assert stream is not None
    watched.streams.end(stream.id, reason, 30.0, "no room <left>")
    notes = collect_report(watched).notes
    assert len(notes) == (says is not None)
    assert says is None or says in notes[0]


def test_a_stream_without_an_end_is_still_watched_or_was_cut_off(watched: Journal) -> None:
    stream = watched.streams.latest()
    assert stream is not None
    watched.streams.resume(stream.id)
    (note,) = collect_report(watched).notes
    assert "still being watched" in note


def test_an_earlier_stream_can_be_chosen(watched: Journal, make_video: MakeVideo, fake_model: FakeModel) -> None:
    first = watched.streams.latest()
    list(keepsight.Watcher(fake_model, watched, QUICK).watch(make_video(seconds=16)))
    assert len(collect_report(watched).clips) == 2
    assert len(collect_report(watched, first).clips) == 4


def test_a_journal_without_a_stream_has_no_report(journal: Journal) -> None:
    with pytest.raises(EmptyJournalError, match="nothing has been watched"):
        collect_report(journal)


def test_the_file_is_written_whole_or_the_error_says_why(
    watched: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_report(watched, tmp_path / "a.html")
    assert written.num_bytes == (tmp_path / "a.html").stat().st_size
    assert written.num_clips == 4
    with pytest.raises(KeepsightError, match=r"cannot write the report .*: No such file or directory"):
        write_report(watched, tmp_path / "nowhere" / "a.html")
    before = (tmp_path / "a.html").read_bytes()

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(KeepsightError, match=r"cannot write the report .*: No space left on device"):
        write_report(watched, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == before


def test_what_is_missing_of_a_live_clip_is_said(watched: Journal) -> None:
    began = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    clip = next(watched.clips.of(watched.streams.all()[0].id))
    stream = watched.streams.begin("camera", "fake", QUICK.to_json(), is_live=True, started_at=began)
    num_frames = len(clip.frame_seconds)
    watched.clips.add(replace(clip, stream_id=stream.id, num_frames_expected=num_frames + 4, num_frames_dropped=3))
    report = collect_report(watched, stream)
    assert report.clips[0].note == f"{num_frames} of {num_frames + 4} frames, 3 dropped"
    assert report.notes[-1] == f"Times count from {began.astimezone():%Y-%m-%d %H:%M:%S}."
    assert "3 dropped" in render_report(report)


def test_a_report_takes_no_more_memory_for_more_pictures(watched: Journal, tmp_path: Path) -> None:
    """Of 30 MB of pictures never more than a few are there at a time."""
    first = next(watched.clips.of(watched.streams.all()[0].id))
    noise = np.random.default_rng(0).integers(0, 256, (1200, 16 * 100, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=60)
    stream = watched.streams.begin("long.mp4", "fake", QUICK.to_json())
    num_clips = 30_000_000 // len(out.getvalue()) + 1
    for index in range(num_clips):
        start = index * 8.0
        clip = replace(
            first, stream_id=stream.id, clip_index=index, span=Span(start, start + 8), thumbnail=out.getvalue()
        )
        watched.clips.add(clip)
    tracemalloc.start()
    try:
        written = write_report(watched, tmp_path / "long.html", stream)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written.num_clips == num_clips
    assert written.num_bytes > 40_000_000
    assert most < 10 * len(out.getvalue())


def test_only_a_report_is_replaced(watched: Journal, tmp_path: Path) -> None:
    video, path, empty = tmp_path / "toy.mp4", tmp_path / "a.html", tmp_path / "empty.html"
    video.write_bytes(b"\0\0\0 ftypisom")
    with pytest.raises(SettingError, match=f"^{re.escape(str(video))} exists and is not a report; give the report"):
        write_report(watched, video)
    assert video.read_bytes() == b"\0\0\0 ftypisom"
    empty.touch()
    for each in (path, path, empty):
        write_report(watched, each)
        assert each.read_bytes().startswith(b"<!doctype html>")
