"""The two faces of the output: text for people on a terminal, JSON lines for programs."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.text import Text

from keepsight.asking.relevance import closest_captions
from keepsight.errors import KeepsightError
from keepsight.spans import Span, format_clock

if TYPE_CHECKING:
    from keepsight.answering import Answer
    from keepsight.journal import GapRecord, StreamRecord
    from keepsight.progress import WatchSummary
    from keepsight.watching.stream_state import Moment

MAX_CITATIONS_SHOWN = 5
MAX_GAPS_SHOWN = 5


class ReaderGone(Exception):  # noqa: N818 - not an error: whoever read the output had enough
    """The reader of the output went away, as `head` does.

    Not a `BrokenPipeError`, because Typer turns those into an exit code of its own.
    """


class OutputConsole(Console):
    """A console on stdout that lets a reader who goes away be handled in one place."""

    def on_broken_pipe(self) -> NoReturn:
        """What rich calls when a write fails because nobody reads.

        Raises:
            ReaderGone: always.
        """
        raise ReaderGone


def make_console() -> Console:
    """A console on the current stdout; long lines are wrapped on a terminal only."""
    return OutputConsole(highlight=False, soft_wrap=not sys.stdout.isatty())


def wants_json(asked: bool | None) -> bool:
    """Whether to write JSON lines: as asked, else when stdout is not a terminal."""
    return not sys.stdout.isatty() if asked is None else asked


def complain(message: str) -> None:
    """Say something on stderr in one line."""
    sys.stderr.write(f"keepsight: {printable(message)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """A text on one line, without characters that could steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def emit(event: str, **values: Any) -> None:
    """Write one JSON line and flush it, so that a reader has it at once.

    Raises:
        ReaderGone: nobody reads it.
        KeepsightError: the output cannot be written, as on a full disk.
    """
    try:
        sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise KeepsightError(f"cannot write the output: {error.strerror}") from error


def span_values(span: Span) -> dict[str, float]:
    """A span as a JSON line has it."""
    return {"start_seconds": span.start_seconds, "end_seconds": span.end_seconds}


def clock_text(stream: "StreamRecord | None", seconds: float) -> str:
    """A time of a stream as people see it: by the clock on the wall if it is live, since its start otherwise."""
    if stream is None or not stream.is_live:
        return format_clock(seconds)
    moment = (stream.started_at + timedelta(seconds=seconds)).astimezone()
    is_today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def emit_clip(moment: "Moment", **more: str) -> None:
    """The JSON line of a clip."""
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
    )


def emit_answer(answer: "Answer") -> None:
    """The JSON line of an answer, with all its citations."""
    emit(
        "answer",
        question=answer.question,
        answer=answer.text,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        num_live_frames=answer.num_live_frames,
        citations=[
            {"clip_index": citation.clip_index, **span_values(citation.span), "caption": citation.caption}
            for citation in answer.citations
        ],
        gaps=[{**span_values(gap.span), "reason": gap.reason} for gap in answer.gaps],
    )


def emit_summary(summary: "WatchSummary") -> None:
    """The JSON line at the end of watching."""
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
    )


def span_text(stream: "StreamRecord | None", span: Span) -> str:
    """A span of a stream as people see it."""
    return f"{clock_text(stream, span.start_seconds)}-{clock_text(stream, span.end_seconds)}"


def caption_text(span: str, caption: str) -> Text:
    """A caption behind its span, as people see it."""
    return Text.assemble((span, "cyan"), "  ", printable(caption))


def print_gaps(console: Console, stream: "StreamRecord | None", gaps: "Sequence[GapRecord]") -> None:
    """What was not seen, and why: all of it, or the longest stretches where they are many."""
    longest = sorted(gaps, key=lambda gap: -gap.span.duration_seconds)[:MAX_GAPS_SHOWN]
    for gap in sorted(longest, key=lambda gap: gap.span.start_seconds):
        start, end = (clock_text(stream, seconds) for seconds in (gap.span.start_seconds, gap.span.end_seconds))
        console.print(Text(f"    nothing was seen from {start} to {end}: {printable(gap.reason)}", style="yellow"))
    if len(gaps) > len(longest):
        console.print(Text(f"    (and {len(gaps) - len(longest)} shorter gaps)", style="dim"))


def print_citations(console: Console, answer: "Answer", stream: "StreamRecord | None" = None) -> None:
    """What an answer rests on: all captions it was given, or the closest of them where they are many."""
    given, left_out = answer.num_captions_given, answer.num_captions_left_out
    captions = [citation.caption for citation in answer.citations]
    shown = closest_captions(captions, f"{answer.question} {answer.text}", MAX_CITATIONS_SHOWN)
    for position in shown:
        citation = answer.citations[position]
        console.print(Text("    ") + caption_text(span_text(stream, citation.span), citation.caption))
    words = [f"given {given} caption{'s' if given != 1 else ''}"]
    if len(shown) < given:
        words.append(f"the {len(shown)} closest are shown")
    if left_out:
        words.append(f"{left_out} left out")
    if answer.num_live_frames:
        words.append(f"and {answer.num_live_frames} live frames")
    console.print(Text(f"    ({', '.join(words)})", style="dim"))
    print_gaps(console, stream, answer.gaps)
