"""Collects the records of a report from a journal."""

import io
import json
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from keepsight.errors import EmptyJournalError
from keepsight.journal import ClipRecord, EndReason, Journal, StreamRecord
from keepsight.report.records import ContactSheet, Report, ReportClip, ReportGap, ReportQuestion
from keepsight.settings import DIFFERENCES
from keepsight.spans import format_clock, frames_note
from keepsight.wall_times import wall_text

MAX_SHEET_BYTES = 32_000_000
"""Size limit of full-resolution contact sheets in a page; above it they are downscaled."""

_SMALL_FRAME_PIXELS = 80
_SMALL_QUALITY = 60


def collect_report(journal: Journal, stream: StreamRecord | None = None) -> Report:
    """Collect a stream's data for the report.

    Images stay in the journal and are read when rendered: this takes some kilobytes per clip.

    Args:
        journal: an open journal, which must stay open until the report is written; the stream may still be active.
        stream: the stream; None for the newest.

    Raises:
        EmptyJournalError: the journal has no stream.
    """
    stream = stream or journal.streams.latest()
    if stream is None:
        raise EmptyJournalError(f"nothing has been watched yet in {journal.path}")
    held = set(journal.memory.held(stream.id))
    shrink = journal.storage.num_thumbnail_bytes(stream.id) > MAX_SHEET_BYTES
    clips, seconds_spent, num_captioned = [], 0.0, 0
    for record in journal.clips.of(stream.id):
        clips.append(_clip(journal, record, record.clip_index in held, shrink))
        if not record.is_still:
            seconds_spent += record.seconds_spent
            num_captioned += 1
    return Report(
        source=Path(stream.source).name or stream.source,
        model=stream.model,
        clips=clips,
        gaps=[ReportGap(gap.span, gap.reason) for gap in journal.gaps.of(stream.id)],
        questions=_questions(journal, stream),
        settings=_settings(stream),
        figures={"seconds per clip": f"{seconds_spent / num_captioned:.2g}"} if num_captioned else {},
        notes=_notes(stream),
    )


def _clip(journal: Journal, record: ClipRecord, in_memory: bool, shrink: bool) -> ReportClip:
    return ReportClip(
        index=record.clip_index,
        span=record.span,
        caption=record.caption,
        sheet=_sheet(journal, record, shrink),
        kept_indices=array("q", record.kept_indices.tolist()),  # a tenth of a list's memory
        token_grid=record.token_grid,
        frames_per_step=record.frames_per_step,
        in_memory=in_memory,
        is_still=record.is_still,
        note=frames_note(len(record.frame_seconds), record.num_frames_expected, record.num_frames_dropped),
    )


def _sheet(journal: Journal, record: ClipRecord, shrink: bool) -> ContactSheet | None:
    """Contact sheet of a clip: frames side by side, oldest on the left."""
    num_frames = len(record.frame_seconds)
    if not record.thumbnail or num_frames < 1:
        return None
    with Image.open(io.BytesIO(record.thumbnail)) as picture:
        width, height = picture.width // num_frames, picture.height
    stored = partial(_thumbnail, journal, record.stream_id, record.clip_index)
    if not shrink or width <= _SMALL_FRAME_PIXELS:
        return ContactSheet(stored, num_frames, num_frames, width, height)
    height = max(1, round(height * _SMALL_FRAME_PIXELS / width))
    width = _SMALL_FRAME_PIXELS
    return ContactSheet(partial(_small, stored, width * num_frames, height), num_frames, num_frames, width, height)


def _thumbnail(journal: Journal, stream_id: str, clip_index: int) -> bytes:
    found = journal.clips.get(stream_id, clip_index)
    return b"" if found is None else found.thumbnail


def _small(read_jpeg: Callable[[], bytes], width: int, height: int) -> bytes:
    """Image at another size; empty if it was removed."""
    if not (jpeg := read_jpeg()):
        return b""
    with Image.open(io.BytesIO(jpeg)) as picture:
        small = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_SMALL_QUALITY, optimize=True)
    return out.getvalue()


def _questions(journal: Journal, stream: StreamRecord) -> list[ReportQuestion]:
    return [
        ReportQuestion(
            question=record.question,
            answer=record.answer,
            asked_at_seconds=record.ask_seconds,
            cited_clips=record.cited_clips,
            num_left_out=record.num_captions_left_out,
            answer_model=record.answer_model,
            answer_url=record.answer_url,
        )
        for record in journal.answers.of(stream.id)
    ]


def _settings(stream: StreamRecord) -> dict[str, str]:
    """Settings as text, marking those that differ from the paper."""
    shown = {}
    for name, value in json.loads(stream.settings_json).items():
        paper = DIFFERENCES[name][1] if name in DIFFERENCES else value
        shown[name] = str(value) if value == paper else f"{value} (paper: {paper})"
    return shown


def _notes(stream: StreamRecord) -> list[str]:
    end = format_clock(stream.end_seconds or 0)
    notes = {
        EndReason.TRUNCATED: f"The video is damaged and ends early, at {end}. Captions before that are here.",
        EndReason.INCOMPLETE: f"Watching ended at {end}, before the end of the video: {stream.end_detail}.",
        EndReason.INTERRUPTED: f"Watching was interrupted at {end}; it can be resumed from there.",
        EndReason.FAILED: f"Watching stopped at {end}: {stream.end_detail}",
    }
    if stream.end_reason is None:
        shown = ["The video is still being watched, or watching was interrupted and can be resumed."]
    else:
        shown = [notes[stream.end_reason]] if stream.end_reason in notes else []
    if stream.is_live:
        shown.append(f"Times count from {wall_text(stream.started_at)}.")
        for clock in stream.wall_clocks:
            shown.append(
                f"The system clock was set: {format_clock(clock.from_seconds)} is "
                f"{wall_text(stream.wall_time(clock.from_seconds))}."
            )
    return shown
