"""Detects that a journal file lacks entries, or may."""

from keepsight.journal.journal import Journal
from keepsight.journal.records import StreamRecord
from keepsight.spans import format_clock

_ROUNDING_SECONDS = 0.001


def missing_note(journal: Journal, stream: StreamRecord | None) -> str:
    """One-line note on what the file lacks, or may lack, of a stream; empty if nothing suggests it.

    Args:
        journal: the journal.
        stream: a stream of it; None if it has none.

    A copy of the file alone, made in use, lacks the write-ahead log: up to 4 MB of the newest entries. It is recognised
    by WAL mode without a log. Such a copy is consistent in itself, so only streams that had not ended then can be
    reported.
    """
    copied = f"{journal.path} was copied in use, without its -wal file; use `keepsight backup`"
    if stream is None:
        return f"streams may be missing: {copied}" if journal.was_in_use else ""
    last = journal.clips.last(stream.id)
    seconds = 0.0 if last is None else last.span.end_seconds
    if journal.was_in_use and not stream.is_finished:
        return f"captions after {format_clock(seconds)} may be missing: {copied}"
    num_clips = 0 if last is None else last.clip_index + 1
    end_seconds = max([0.0, *(gap.span.end_seconds for gap in journal.gaps.of(stream.id)), seconds])
    says_more = num_clips < journal.streams.position(stream.id).next_clip_index
    if says_more or (stream.end_seconds or 0.0) - end_seconds > _ROUNDING_SECONDS:
        return f"captions after {format_clock(seconds)} are missing: a quota removed them, or {journal.path} is damaged"
    return ""


def nothing_left_note(journal: Journal, stream: StreamRecord | None) -> str:
    """Message about a stream without clips: none was stored yet, or the quota removed all."""
    num_clips = 0 if stream is None else journal.streams.position(stream.id).next_clip_index
    if not num_clips:
        return f"nothing has been captioned yet in {journal.path}"
    return (
        f"no clip is left in {journal.path}: the quota removed all {num_clips}; set a higher quota to keep clips longer"
    )
