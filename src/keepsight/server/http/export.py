"""Exports of captions as WebVTT (W3C) and SubRip; and splitting of long texts into chunks."""

from collections.abc import Iterable, Iterator

from keepsight.journal import CaptionRecord

PIECE_CHARACTERS = 1 << 16
"""Characters per chunk of generated text.

Each chunk costs about 0.5 ms to send, whatever its size: a thread switch, some calls, a packet.
"""


def in_pieces(parts: Iterable[str], num_characters: int | None = None) -> Iterator[str]:
    """Join text into chunks of at least this size, except the last; holds at most one chunk in memory.

    Args:
        parts: parts of the text.
        num_characters: None for `PIECE_CHARACTERS`.
    """
    enough = PIECE_CHARACTERS if num_characters is None else num_characters
    waiting: list[str] = []
    num_waiting = 0
    for part in parts:
        waiting.append(part)
        num_waiting += len(part)
        if num_waiting >= enough:
            yield "".join(waiting)
            waiting, num_waiting = [], 0
    if num_waiting:
        yield "".join(waiting)


def vtt_lines(captions: Iterable[CaptionRecord]) -> Iterator[str]:
    """A WebVTT file with one cue per clip; markup is escaped."""
    yield "WEBVTT\n\n"
    for clip in captions:
        text = _one_line(clip.caption).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{clip.clip_index}\n{_cue_span(clip, '.')}\n{text}\n\n"


def srt_lines(captions: Iterable[CaptionRecord]) -> Iterator[str]:
    """A SubRip file; it has no escapes, so characters that players take for markup are replaced."""
    for number, clip in enumerate(captions, start=1):
        text = _one_line(clip.caption).replace("<", "‹").replace(">", "›").replace("{", "(").replace("}", ")")
        yield f"{number}\n{_cue_span(clip, ',')}\n{text}\n\n"


def _cue_span(clip: CaptionRecord, point: str) -> str:
    return f"{_cue_time(clip.span.start_seconds, point)} --> {_cue_time(clip.span.end_seconds, point)}"


def _cue_time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{milliseconds:03d}"


def _one_line(caption: str) -> str:
    """Caption without line breaks, which would end a cue; an empty caption becomes `-`."""
    return " ".join(caption.split()) or "-"
