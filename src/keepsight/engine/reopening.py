"""Reopening a stream that was watched before: whether anything is left to watch, and where to go on.

`keepsight.engine.finding` chooses the stream.
"""

from dataclasses import dataclass

from keepsight.engine.coverage import check_coverage
from keepsight.engine.watched_source import SourceNow
from keepsight.errors import SourceChangedError
from keepsight.incoming import one_line
from keepsight.journal import EndReason, Journal, ModelVersion, StreamRecord
from keepsight.method.model_info import ModelInfo
from keepsight.settings import Settings
from keepsight.sources.identity import Relation
from keepsight.spans import format_clock


@dataclass(frozen=True)
class Begun:
    """A stream found or created.

    Attributes:
        stream: its record.
        note: notice for the user, one line; empty if nothing changed.
    """

    stream: StreamRecord
    note: str = ""


def resume_stream(journal: Journal, stream: StreamRecord, source: SourceNow, model: ModelInfo) -> Begun:
    """Resume a known stream, watched with this model, if its source is unchanged or has grown.

    Raises:
        SourceChangedError: its content was replaced.
        VideoError: it can no longer be read.
    """
    return with_version(journal, _resumed(journal, stream, source), model)


def _resumed(journal: Journal, stream: StreamRecord, source: SourceNow) -> Begun:
    if source.content is None or stream.identity_json is None:
        return Begun(reopened(journal, stream, source))
    relation = source.relation_to(stream)
    if relation is Relation.DIFFERENT or not source.is_of(stream):
        raise SourceChangedError(
            f"{one_line(source.name)} was replaced since it was watched; watch it again as a new stream"
        )
    grown = resumed_grown(journal, stream, source) if relation is Relation.GROWN else None
    return grown or Begun(reopened(journal, stream, source))


def reopened(journal: Journal, stream: StreamRecord, source: SourceNow) -> StreamRecord:
    """The record of a stream with an unchanged source, reopened if anything is left to watch."""
    if source.content is not None and stream.identity_json is None:
        stream = journal.streams.identify(stream.id, source.identity_json, source.video_stream)
    if not stream.is_live and is_watched(journal, stream, source):
        return stream
    with journal.transaction():
        if not stream.is_live and stream.is_finished and not _can_grow(journal, stream):
            return stream  # meanwhile another program's quota removed its last clips
        return journal.streams.resume(stream.id)


def is_watched(journal: Journal, stream: StreamRecord, source: SourceNow) -> bool:
    """Whether nothing is left to watch; a completeness mark counts only if the source is no longer than then."""
    is_complete = stream.end_reason is EndReason.COMPLETE
    if source.info is None or not is_complete or not _can_grow(journal, stream):
        return stream.is_finished
    settings = Settings.from_json(stream.settings_json)
    begin_seconds = _resume_seconds(journal, stream)
    return not check_coverage(journal, stream, settings, source.info, None, begin_seconds).problem


def _can_grow(journal: Journal, stream: StreamRecord) -> bool:
    """Whether the stream's end position is known: a quota may have removed the clips of a finished stream."""
    next_index = journal.streams.position(stream.id).next_clip_index
    return next_index == 0 or journal.clips.get(stream.id, next_index - 1) is not None


def resumed_grown(
    journal: Journal, stream: StreamRecord, source: SourceNow, what: str = "has grown since it was watched"
) -> Begun | None:
    """Resume a stream from its last clip, whatever its end; None if a quota removed that clip."""
    with journal.transaction():  # no other program's quota removes it between the check and the resuming
        if not _can_grow(journal, stream):
            return None
        start_seconds = _resume_seconds(journal, stream)
        without = ", without the visual memory that a quota removed" if _lost_memory(journal, stream) else ""
        journal.streams.identify(stream.id, source.identity_json, source.video_stream)
        if stream.is_finished:  # its end may have been incomplete
            journal.gaps.forget_from(stream.id, start_seconds)
        resumed = journal.streams.resume(stream.id)
    return Begun(resumed, f"{one_line(source.name)} {what}: resuming at {format_clock(start_seconds)}{without}")


def _lost_memory(journal: Journal, stream: StreamRecord) -> bool:
    """Whether a quota removed the visual memory, as it does first of a file that was watched to its end."""
    if not journal.streams.position(stream.id).num_tokens_seen or journal.memory.held(stream.id):
        return False
    return Settings.from_json(stream.settings_json).memory_clips > 0


def _resume_seconds(journal: Journal, stream: StreamRecord) -> float:
    """Start of resumed watching: the last clip's start if the source's end cut it, else its end."""
    if (last := journal.last_clips.of(stream.id)) is not None:
        return last.start_seconds
    clip = journal.clips.last(stream.id)
    return 0.0 if clip is None else clip.span.end_seconds


def with_version(journal: Journal, begun: Begun, model: ModelInfo) -> Begun:
    """The stream, noting where its model lies and in which format it runs from here on, unless the stream has ended."""
    stream, version = begun.stream, version_of(model)
    if stream.is_finished or stream.version == version:
        return begun
    note, known = begun.note, stream.version
    if known is not None and (known.dtype, known.quantization) != (version.dtype, version.quantization):
        change = f"{one_line(stream.source)} was watched in {_format_of(known)}, now in {_format_of(version)}"
        note = "; ".join(filter(None, [note, change]))
    return Begun(journal.streams.set_version(stream.id, version), note)


def _format_of(version: ModelVersion) -> str:
    return version.dtype if version.quantization is None else f"{version.dtype} with {version.quantization} weights"


def version_of(info: ModelInfo) -> ModelVersion:
    """Which weights a model is, and their format."""
    identity = info.identity
    return ModelVersion(identity.checkpoint, info.dtype, info.quantization, identity.fingerprint, identity.choices)
