"""A stream's captions as files that players read: WebVTT (W3C) and SubRip."""

from collections.abc import Iterable, Iterator

from keepsight.journal import CaptionRecord


def vtt_lines(captions: Iterable[CaptionRecord]) -> Iterator[str]:
    """A WebVTT file, a cue a clip; what would be markup is escaped."""
    yield "WEBVTT\n\n"
    for clip in captions:
        text = _one_line(clip.caption).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{clip.clip_index}\n{_cue_span(clip, '.')}\n{text}\n\n"


def srt_lines(captions: Iterable[CaptionRecord]) -> Iterator[str]:
    """A SubRip file; it knows no escapes, so what players take for markup is written with other signs."""
    for number, clip in enumerate(captions, start=1):
        text = _one_line(clip.caption).replace("<", "‹").replace(">", "›").replace("{", "(").replace("}", ")")
        yield f"{number}\n{_cue_span(clip, ',')}\n{text}\n\n"


def _cue_span(clip: CaptionRecord, point: str) -> str:
    return f"{_cue_time(clip.span.start_seconds, point)} --> {_cue_time(clip.span.end_seconds, point)}"


def _cue_time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{milliseconds:03d}"


def _one_line(caption: str) -> str:
    """A caption without line breaks, which would end a cue; an empty one would as well."""
    return " ".join(caption.split()) or "-"
