"""From a journal to the records of a report."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from keepsight.errors import EmptyJournalError
from keepsight.journal import ClipRecord, EndReason, Journal, StreamRecord
from keepsight.report.records import ContactSheet, Report, ReportClip, ReportGap, ReportQuestion
from keepsight.settings import DIFFERENCES
from keepsight.spans import format_clock, frames_note

MAX_SHEET_BYTES = 32_000_000
"""Most bytes of contact sheets that go into a page as the journal has them; more are made smaller."""

_SMALL_FRAME_PIXELS = 80
_SMALL_QUALITY = 60


def collect_report(journal: Journal, stream: StreamRecord | None = None) -> Report:
    """What a journal holds of one stream, ready to be shown.

    Args:
        journal: an open journal; a stream in it may still be watched.
        stream: which one; the newest if None.

    Raises:
        EmptyJournalError: the journal has no stream.
    """
    stream = stream or journal.streams.latest()
    if stream is None:
        raise EmptyJournalError(f"nothing has been watched yet in {journal.path}")
    records = list(journal.clips.of(stream.id))
    held = {clip_index for clip_index, _ in journal.memory.of(stream.id)}
    shrink = sum(len(record.thumbnail) for record in records) > MAX_SHEET_BYTES
    return Report(
        source=Path(stream.source).name or stream.source,
        model=stream.model,
        clips=[_clip(record, record.clip_index in held, shrink) for record in records],
        gaps=[ReportGap(gap.span, gap.reason) for gap in journal.gaps.of(stream.id)],
        questions=_questions(journal, stream),
        settings=_settings(stream),
        figures=_figures(records),
        notes=_notes(stream),
    )


def _clip(record: ClipRecord, in_memory: bool, shrink: bool) -> ReportClip:
    return ReportClip(
        index=record.clip_index,
        span=record.span,
        caption=record.caption,
        sheet=_sheet(record.thumbnail, len(record.frame_seconds), shrink),
        kept_indices=record.kept_indices.tolist(),
        token_grid=record.token_grid,
        frames_per_step=record.frames_per_step,
        in_memory=in_memory,
        note=frames_note(len(record.frame_seconds), record.num_frames_expected, record.num_frames_dropped),
    )


def _sheet(jpeg: bytes, num_frames: int, shrink: bool) -> ContactSheet | None:
    """The journal's picture with its measures: frames stand side by side, oldest on the left."""
    if not jpeg or num_frames < 1:
        return None
    with Image.open(io.BytesIO(jpeg)) as picture:
        width, height = picture.width // num_frames, picture.height
        if shrink and width > _SMALL_FRAME_PIXELS:
            height = max(1, round(height * _SMALL_FRAME_PIXELS / width))
            width = _SMALL_FRAME_PIXELS
            small = picture.resize((width * num_frames, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
            out = io.BytesIO()
            small.save(out, "JPEG", quality=_SMALL_QUALITY, optimize=True)
            jpeg = out.getvalue()
    return ContactSheet(jpeg, num_frames, num_frames, width, height)


def _questions(journal: Journal, stream: StreamRecord) -> list[ReportQuestion]:
    return [
        ReportQuestion(
            question=record.question,
            answer=record.answer,
            asked_at_seconds=record.ask_seconds,
            cited_clips=record.cited_clips,
            num_left_out=record.num_captions_left_out,
        )
        for record in journal.answers.of(stream.id)
    ]


def _settings(stream: StreamRecord) -> dict[str, str]:
    """Each setting as text; those that differ from the paper say so."""
    shown = {}
    for name, value in json.loads(stream.settings_json).items():
        paper = DIFFERENCES[name][1] if name in DIFFERENCES else value
        shown[name] = str(value) if value == paper else f"{value} (paper: {paper})"
    return shown


def _figures(records: Sequence[ClipRecord]) -> dict[str, str]:
    if not records:
        return {}
    spent = sum(record.seconds_spent for record in records)
    return {"seconds a clip": f"{spent / len(records):.2g}"}


def _notes(stream: StreamRecord) -> list[str]:
    end = format_clock(stream.end_seconds or 0)
    notes = {
        EndReason.TRUNCATED: f"The video is damaged and ends early, at {end}. What was captioned before is here.",
        EndReason.INTERRUPTED: f"Watching was interrupted at {end}; the same command goes on from there.",
        EndReason.FAILED: f"Watching stopped at {end}: {stream.end_detail}",
    }
    if stream.end_reason is None:
        shown = ["The video is still being watched, or watching it was cut off; the same command goes on."]
    else:
        shown = [notes[stream.end_reason]] if stream.end_reason in notes else []
    if stream.is_live:
        shown.append(f"Times count from {stream.started_at.astimezone():%Y-%m-%d %H:%M:%S}.")
    return shown
