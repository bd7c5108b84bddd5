"""Output formats: text on a terminal, JSON lines for programs."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.text import Text

from keepsight.asking.relevance import closest_captions
from keepsight.errors import KeepsightError
from keepsight.method.prompts import STILL_CAPTION
from keepsight.spans import Span, format_clock
from keepsight.wall_times import local_zone, wall_text

if TYPE_CHECKING:
    from keepsight.asking.answering import Answer
    from keepsight.engine.stream_pipeline import Moment
    from keepsight.journal import GapRecord, StreamRecord
    from keepsight.progress import WatchSummary

MAX_CITATIONS_SHOWN = 5
MAX_GAPS_SHOWN = 5
_USUAL_COLUMNS = 80


class ReaderGone(Exception):  # noqa: N818 - not an error: the reader of the output stopped
    """The reader of the output closed the pipe, like `head`.

    Not a `BrokenPipeError`, which Typer turns into its own exit code.
    """


class OutputConsole(Console):
    """Console on stdout that raises `ReaderGone` when its reader is gone."""

    def on_broken_pipe(self) -> NoReturn:
        """Called by rich when a write fails because the pipe is closed.

        Raises:
            ReaderGone: always.
        """
        raise ReaderGone


def make_console() -> Console:
    """Console on the current stdout; wraps long lines on a terminal only."""
    width = _USUAL_COLUMNS if os.environ.get("COLUMNS") == "0" else None  # rich would print nothing at all
    return OutputConsole(highlight=False, soft_wrap=not sys.stdout.isatty(), width=width)


def wants_json(asked: bool | None) -> bool:
    """Whether to write JSON lines: as requested, else if stdout is not a terminal."""
    return not sys.stdout.isatty() if asked is None else asked


def complain(message: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(f"keepsight: {printable(message)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Text on one line, without terminal control characters."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def emit(event: str, **values: Any) -> None:
    """Write and flush one JSON line.

    Raises:
        ReaderGone: the pipe is closed.
        KeepsightError: writing failed, as on a full disk.
    """
    try:
        sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise KeepsightError(f"cannot write the output: {error.strerror}") from error


def span_values(span: Span) -> dict[str, float]:
    """A span in a JSON line."""
    return {"start_seconds": span.start_seconds, "end_seconds": span.end_seconds}


def clock_text(stream: "StreamRecord | None", seconds: float) -> str:
    """Stream time for display: wall-clock time if live, else time since the start."""
    if stream is None or not stream.is_live:
        return format_clock(seconds)
    moment, zone = stream.wall_time(seconds), local_zone()
    is_today = moment.astimezone(zone).date() == datetime.now(UTC).astimezone(zone).date()
    return wall_text(moment, zone, with_date=not is_today)


def emit_clip(moment: "Moment", **more: str) -> None:
    """JSON line of a clip."""
    emit(
        "clip",
        **more,
        clip_index=moment.clip_index,
        **span_values(moment.span),
        caption=moment.caption,
        num_visual_tokens=moment.num_visual_tokens,
        num_kept_tokens=moment.num_kept_tokens,
        num_memory_tokens=moment.num_memory_tokens,
        seconds_spent=round(moment.seconds_spent, 4),
        num_frames=moment.num_frames,
        num_frames_expected=moment.num_frames_expected,
        num_frames_dropped=moment.num_frames_dropped,
        is_still=moment.is_still,
    )


def emit_answer(answer: "Answer") -> None:
    """JSON line of an answer, with all citations."""
    emit(
        "answer",
        question=answer.question,
        answer=answer.text,
        answer_model=answer.answer_model,
        answer_url=answer.answer_url,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        num_live_frames=answer.num_live_frames,
        citations=[
            {"clip_index": citation.clip_index, **span_values(citation.span), "caption": citation.caption}
            for citation in answer.citations
        ],
        gaps=[{**span_values(gap.span), "reason": gap.reason} for gap in answer.gaps],
        not_stored=answer.not_stored,
    )


def emit_summary(summary: "WatchSummary") -> None:
    """JSON line at the end of watching."""
    emit(
        "summary",
        num_clips=summary.num_clips,
        watched_seconds=summary.watched_seconds,
        wall_seconds=round(summary.wall_seconds, 3),
        seconds_a_clip=summary.seconds_a_clip,
        times_real_time=summary.times_real_time,
        kept_percent=summary.kept_percent,
        peak_memory_bytes=summary.peak_memory_bytes,
        peak_device_bytes=summary.peak_device_bytes,
        num_frames_dropped=summary.num_frames_dropped,
        num_still_clips=summary.num_still_clips,
    )


def span_text(stream: "StreamRecord | None", span: Span) -> str:
    """Span for display."""
    return f"{clock_text(stream, span.start_seconds)}-{clock_text(stream, span.end_seconds)}"


def caption_text(span: str, caption: str) -> Text:
    """Caption after its span, for display."""
    return Text.assemble((span, "cyan"), "  ", printable(caption))


def print_gaps(console: Console, stream: "StreamRecord | None", gaps: "Sequence[GapRecord]") -> None:
    """Print what was not watched, and why: all of it, or the longest gaps if there are many."""
    longest = sorted(gaps, key=lambda gap: -gap.span.duration_seconds)[:MAX_GAPS_SHOWN]
    for gap in sorted(longest, key=lambda gap: gap.span.start_seconds):
        start, end = (clock_text(stream, seconds) for seconds in (gap.span.start_seconds, gap.span.end_seconds))
        console.print(Text(f"    no video from {start} to {end}: {printable(gap.reason)}", style="yellow"))
    if len(gaps) > len(longest):
        console.print(Text(f"    (and {len(gaps) - len(longest)} shorter gaps)", style="dim"))


def print_citations(console: Console, answer: "Answer", stream: "StreamRecord | None" = None) -> None:
    """Print an answer's captions: all, or the closest if there are many."""
    given, left_out = answer.num_captions_given, answer.num_captions_left_out
    captions = [citation.caption for citation in answer.citations]
    closest = closest_captions(captions, f"{answer.question} {answer.text}", MAX_CITATIONS_SHOWN)
    # How long nothing changed after a caption belongs to it, and has no words of its own to be close by.
    still = {place + 1 for place in closest if captions[place + 1 : place + 2] == [STILL_CAPTION]}
    shown = sorted({*closest, *still})
    for position in shown:
        citation = answer.citations[position]
        console.print(Text("    ") + caption_text(span_text(stream, citation.span), citation.caption))
    words = [f"{given} caption{'s' if given != 1 else ''}"]
    if len(shown) < given:
        words.append(f"the {len(shown)} closest are shown")
    if left_out:
        words.append(f"{left_out} left out")
    if answer.num_live_frames:
        words.append(f"and {answer.num_live_frames} live frames")
    if answer.answer_url:
        words.append(f"answered by {printable(answer.answer_model)} at {printable(answer.answer_url)}")
    console.print(Text(f"    ({', '.join(words)})", style="dim"))
    print_gaps(console, stream, answer.gaps)
    if answer.not_stored:
        console.print(Text(f"    the answer is not stored: {printable(answer.not_stored)}", style="yellow"))
