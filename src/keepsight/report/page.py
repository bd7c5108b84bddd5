"""Rendering of the report: records in, one self-contained HTML text out."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from keepsight.asking.relevance import closest_captions
from keepsight.report.pictures import data_uri, mask_png, mosaic_jpeg
from keepsight.report.records import ContactSheet, Report, ReportClip, ReportQuestion
from keepsight.report.timeline import timeline_rows
from keepsight.spans import Span, format_clock

MAX_CITATIONS_SHOWN = 3
"""Cited captions shown under an answer; the others are collapsed."""

_EXPRESSIONS_A_PART = 32
"""Template expressions per part: a part is some kilobytes, or a clip with its images."""


@dataclass(frozen=True)
class ClipPictures:
    """A clip's images as `data:` URIs, and its layout class in the style sheet."""

    sheet_uri: str
    mask_uri: str
    layout: str


def _layout_name(sheet: ContactSheet) -> str:
    return f"l{sheet.columns}x{sheet.rows}"


def layout_rules(report: Report) -> str:
    """Style rules that show frame n of a contact sheet in cell n, per layout in use."""
    layouts = {(sheet.columns, sheet.rows) for clip in report.clips if (sheet := clip.sheet)}
    rules = []
    for columns, rows in sorted(layouts):
        name = f".l{columns}x{rows}"
        rules.append(f"{name}{{--w:{columns * 100}%;--h:{rows * 100}%}}")
        for frame in range(columns * rows):
            row, column = divmod(frame, columns)
            x, y = column * 100 / max(1, columns - 1), row * 100 / max(1, rows - 1)
            rules.append(f"{name} i:nth-child({frame + 1}){{--x:{x:.4g}%;--y:{y:.4g}%}}")
    return "\n".join(rules)


def clip_pictures(clip: ReportClip) -> ClipPictures | None:
    """Images shown for a clip; None if none were kept."""
    jpeg = clip.sheet.read_jpeg() if clip.sheet else b""
    if clip.sheet is None or not jpeg:
        return None
    return ClipPictures(
        sheet_uri=data_uri("image/jpeg", jpeg),
        mask_uri=data_uri("image/png", mask_png(clip, clip.sheet)),
        layout=_layout_name(clip.sheet),
    )


def _mosaic_uri(clip: ReportClip) -> str | None:
    jpeg = clip.sheet.read_jpeg() if clip.sheet else b""
    return data_uri("image/jpeg", mosaic_jpeg(clip, clip.sheet, jpeg)) if clip.sheet and jpeg else None


def kept_percent(report: Report) -> float | None:
    """Percentage of all visual tokens kept; None without clips."""
    kept = total = 0
    for clip in report.clips:
        if clip.sheet and len(clip.kept_indices):
            kept += len(clip.kept_indices)
            num_steps = -(-clip.sheet.num_frames // clip.frames_per_step)
            total += num_steps * clip.token_grid[0] * clip.token_grid[1]
    return kept / total * 100 if total else None


def _closest_clips(question: ReportQuestion, by_index: Mapping[int, ReportClip]) -> list[ReportClip]:
    """Cited clips whose captions are closest to question and answer."""
    cited = [by_index[index] for index in question.cited_clips if index in by_index]
    captions = [clip.caption for clip in cited]
    positions = closest_captions(captions, f"{question.question} {question.answer}", MAX_CITATIONS_SHOWN)
    return [cited[position] for position in positions]


def _counted_figures(report: Report) -> dict[str, str]:
    figures = {"clips": f"{len(report.clips):,}"}
    if report.clips:
        figures["watched"] = format_clock(sum(clip.span.duration_seconds for clip in report.clips))
    if num_still := sum(clip.is_still for clip in report.clips):
        figures["clips in which nothing changed"] = f"{num_still:,}"
    percent = kept_percent(report)
    if percent is not None:
        figures["of what was seen is kept"] = f"{percent:.3g} %"
    return figures


def _read_asset(name: str) -> str:
    return files("keepsight.report").joinpath("assets", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    loader = PackageLoader("keepsight.report", "assets")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["clock"] = format_clock
    return environment


def render_report(report: Report) -> str:
    """Report as one HTML text without network access.

    All texts are escaped; the content security policy allows only the page's own script, by hash, and embedded images.
    """
    return "".join(report_parts(report))


def report_parts(report: Report) -> Iterator[str]:
    """Like `render_report`, as a stream of parts; at most one clip's images are in memory."""
    script = _read_asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    by_index = {clip.index: clip for clip in report.clips}
    template = _environment().get_template("report.html.j2")
    parts = template.stream(
        report=report,
        span=Span(report.clips[0].span.start_seconds, report.clips[-1].span.end_seconds) if report.clips else None,
        figures={**_counted_figures(report), **report.figures},
        rows=timeline_rows(report),
        clips_by_index=by_index,
        cited={clip.index for question in report.questions for clip in _closest_clips(question, by_index)},
        closest_clips=lambda question: _closest_clips(question, by_index),
        clip_pictures=clip_pictures,
        mosaic_uri=_mosaic_uri,
        memory=[clip for clip in report.clips if clip.in_memory],
        style=Markup(_read_asset("report.css") + layout_rules(report)),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )
    parts.enable_buffering(_EXPRESSIONS_A_PART)
    yield from parts
