"""Finding the stream of a source in a journal: by content, even if the file moved, or a new stream.

The name decides for sources without identifiable content (cameras, live streams, pushed frames) and for streams of
older journals, which recorded no content.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from keepsight.engine.coverage import check_coverage
from keepsight.engine.watched_source import SourceNow, recorded_identity
from keepsight.errors import SourceChangedError
from keepsight.incoming import one_line
from keepsight.journal import EndReason, Journal, ModelVersion, StreamRecord
from keepsight.method.model_info import ModelIdentity, ModelInfo
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.sources.contents import is_still_at
from keepsight.sources.identity import Relation, SourceIdentity, is_equal
from keepsight.spans import format_clock

_AS_NEW = "watching it as a new stream"


@dataclass(frozen=True)
class Begun:
    """A stream found or created.

    Attributes:
        stream: its record.
        note: notice for the user, one line; empty if nothing changed.
    """

    stream: StreamRecord
    note: str = ""


def find_or_begin(
    journal: Journal,
    source: str | SourceNow,
    model: VideoModel,
    settings: Settings,
    *,
    restart: bool = False,
    is_live: bool = False,
    started_at: float | None = None,
) -> Begun:
    """Find the stream of a source with this model and these settings, or create one.

    Settings that only affect answers may differ. The end is cleared for streams that were interrupted, whose source has
    grown, that were marked complete too early, or that are live, since a camera comes back. Other finished streams are
    returned unchanged. Moved or copied content keeps its stream, replaced content gets a new one.

    Args:
        journal: journal of the streams.
        source: the source, or the name of one without content.
        model: model to watch with.
        settings: settings to watch with.
        restart: always create a new stream.
        is_live: whether the stream follows the wall clock.
        started_at: wall-clock time of a new stream's second 0, in seconds since 1970; None for now.

    Raises:
        VideoError: the source can no longer be read.
    """
    now = SourceNow(source) if isinstance(source, str) else source
    info = model.info
    streams = [] if restart else streams_like(journal, now, info.identity, settings, is_live=is_live)
    found = _found(journal, now, streams)
    if found is not None:
        return _with_version(journal, found, info)
    note = "" if restart else _why_new(journal, now, info.identity, settings, is_live=is_live)
    moment = None if started_at is None else datetime.fromtimestamp(started_at, UTC)
    begun = journal.streams.begin(
        now.name,
        info.name,
        settings.to_json(),
        is_live=is_live,
        started_at=moment,
        identity_json=now.identity_json,
        video_stream=now.video_stream,
        version=version_of(info),
    )
    return Begun(begun, note)


def version_of(info: ModelInfo) -> ModelVersion:
    """Which weights a model is, and their format."""
    identity = info.identity
    return ModelVersion(identity.checkpoint, info.dtype, info.quantization, identity.fingerprint, identity.choices)


def streams_like(
    journal: Journal, source: SourceNow, model: ModelIdentity, settings: Settings, *, is_live: bool
) -> list[StreamRecord]:
    """Streams with this model and these settings, of any source, newest first.

    Args:
        journal: journal of the streams.
        source: only its video stream is compared.
        model: the model.
        settings: settings of the streams; those that only affect answers may differ.
        is_live: whether they follow the wall clock.
    """
    watching = settings.watching()
    return [
        stream
        for stream in reversed(journal.streams.all())
        if stream.is_by(model)
        and stream.is_live == is_live
        and Settings.from_json(stream.settings_json).watching() == watching
        and source.is_of(stream)
    ]


def watched_to_its_end(
    journal: Journal, source: SourceNow, model: ModelIdentity, settings: Settings
) -> StreamRecord | None:
    """The finished stream that `find_or_begin` would return unchanged; None if anything is, or may be, left to watch.

    Only reads the journal, and needs no model.

    Args:
        journal: journal of the streams.
        source: current state of a file or folder.
        model: the model, which need not be loaded.
        settings: settings to watch with.

    Raises:
        VideoError: the source can no longer be read.
    """
    streams = streams_like(journal, source, model, settings, is_live=False)
    for stream in streams:
        if source.name in stream.names and source.relation_to(stream) is Relation.SAME:
            return stream if _is_watched(journal, stream, source) else None
    return None


def resume_stream(journal: Journal, stream: StreamRecord, source: SourceNow, model: ModelInfo) -> Begun:
    """Resume a known stream, watched with this model, if its source is unchanged or has grown.

    Raises:
        SourceChangedError: its content was replaced.
        VideoError: it can no longer be read.
    """
    return _with_version(journal, _resumed(journal, stream, source), model)


def _resumed(journal: Journal, stream: StreamRecord, source: SourceNow) -> Begun:
    if source.content is None or stream.identity_json is None:
        return Begun(_taken_up(journal, stream, source))
    relation = source.relation_to(stream)
    if relation is Relation.DIFFERENT or not source.is_of(stream):
        raise SourceChangedError(
            f"{one_line(source.name)} was replaced since it was watched; watch it again as a new stream"
        )
    grown = _grown(journal, stream, source) if relation is Relation.GROWN else None
    return grown or Begun(_taken_up(journal, stream, source))


def _with_version(journal: Journal, begun: Begun, model: ModelInfo) -> Begun:
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


def _found(journal: Journal, source: SourceNow, streams: Sequence[StreamRecord]) -> Begun | None:
    """Find the stream of a source, by preference: same content, no recorded content, grown content."""
    named = [stream for stream in streams if source.name in stream.names]
    content = source.content
    if content is None:
        return Begun(_taken_up(journal, named[0], source)) if named else None
    relations = {stream.id: source.relation_to(stream) for stream in named}
    for stream in named:
        if relations[stream.id] is Relation.SAME:
            is_at_home = source.name == stream.source or is_still_at(stream.source, content.identity)
            return Begun(_taken_up(journal, stream, source)) if is_at_home else _moved(journal, stream, source)
    others = [stream for stream in streams if stream.id not in relations]
    for stream in others:
        if (seen := recorded_identity(stream)) is not None and is_equal(seen, content.identity):
            return _elsewhere(journal, stream, source, seen)
    if named and named[0].identity_json is None:
        return Begun(_taken_up(journal, named[0], source))
    for stream in named:
        if relations[stream.id] is Relation.GROWN and (grown := _grown(journal, stream, source)) is not None:
            return grown
    return _grown_elsewhere(journal, others, source) if content.is_local else None


def _why_new(journal: Journal, source: SourceNow, model: ModelIdentity, settings: Settings, *, is_live: bool) -> str:
    """Notice that a source known by its name is watched as a new stream; empty for an unknown one."""
    named = [one for one in reversed(journal.streams.all()) if source.name in one.names and one.is_live == is_live]
    for stream in filter(source.is_of, named):
        is_other = stream.identity_json is not None and source.relation_to(stream) is Relation.DIFFERENT
        if source.content is not None and is_other:
            if stream.source == source.name:
                return f"{one_line(source.name)} was replaced since stream {stream.id} was watched: {_AS_NEW}"
            continue
        known, wanted = Settings.from_json(stream.settings_json).watching(), settings.watching()
        changed = ", ".join(name for name, value in wanted.items() if known[name] != value)
        if not stream.is_by(model):
            unlike = one_line(stream.difference_to(model))
            return f"{one_line(source.name)} was watched with {unlike} as stream {stream.id}: {_AS_NEW}"
        if changed:
            return (
                f"{one_line(source.name)} was watched with other settings ({changed}) as stream {stream.id}: {_AS_NEW}"
            )
        if source.content is not None and source.relation_to(stream) is Relation.GROWN:
            grown = f"{one_line(source.name)} has grown since stream {stream.id} was watched"
            return f"{grown}, whose last clips a quota removed: {_AS_NEW}"
    return ""


def _grown_elsewhere(journal: Journal, streams: Sequence[StreamRecord], source: SourceNow) -> Begun | None:
    """Find a recording renamed after completion; not one that still exists at its path and is part of another."""
    for stream in streams:
        seen = recorded_identity(stream)
        if seen is None or source.relation_to(stream) is not Relation.GROWN or is_still_at(stream.source, seen):
            continue
        what = f"was moved from {one_line(stream.source)} and has grown"
        if (grown := _grown(journal, stream, source, what)) is not None:
            return replace(grown, stream=_renamed(journal, grown.stream, source.name))
    return None


def _elsewhere(journal: Journal, stream: StreamRecord, source: SourceNow, seen: SourceIdentity) -> Begun:
    """A stream whose content was watched under another name."""
    if not is_still_at(stream.source, seen):
        return _moved(journal, stream, source)
    names = tuple(dict.fromkeys((*stream.other_names, source.name)))
    for other in journal.streams.all():  # what had the name before was moved away
        is_another = (known := recorded_identity(other)) is None or not is_equal(known, seen)
        if source.name in other.other_names and is_another:
            others = tuple(name for name in other.other_names if name != source.name)
            journal.streams.rename(other.id, other.source, others)
    noted = journal.streams.rename(stream.id, stream.source, names)
    return _known(journal, noted, source, f"has the same content as {one_line(stream.source)}")


def _moved(journal: Journal, stream: StreamRecord, source: SourceNow) -> Begun:
    moved = _renamed(journal, stream, source.name)
    return _known(journal, moved, source, f"was moved from {one_line(stream.source)}")


def _known(journal: Journal, stream: StreamRecord, source: SourceNow, what: str) -> Begun:
    begun = _taken_up(journal, stream, source)
    become = "it was watched to its end" if begun.is_finished else "resuming"
    return Begun(begun, f"{one_line(source.name)} {what}: {become} as stream {stream.id}")


def _renamed(journal: Journal, stream: StreamRecord, name: str) -> StreamRecord:
    others = tuple(one for one in stream.names if one != name)
    return journal.streams.rename(stream.id, name, others)


def _grown(
    journal: Journal, stream: StreamRecord, source: SourceNow, what: str = "has grown since it was watched"
) -> Begun | None:
    """Resume a stream from its last clip, whatever its end; None if a quota removed that clip."""
    with journal.transaction():  # no other program's quota removes it between the check and the resuming
        if not _can_grow(journal, stream):
            return None
        start_seconds = resume_seconds(journal, stream)
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


def _taken_up(journal: Journal, stream: StreamRecord, source: SourceNow) -> StreamRecord:
    """The record of a stream with an unchanged source, reopened if anything is left to watch."""
    if source.content is not None and stream.identity_json is None:
        stream = journal.streams.identify(stream.id, source.identity_json, source.video_stream)
    if not stream.is_live and _is_watched(journal, stream, source):
        return stream
    with journal.transaction():
        if not stream.is_live and stream.is_finished and not _can_grow(journal, stream):
            return stream  # meanwhile another program's quota removed its last clips
        return journal.streams.resume(stream.id)


def _is_watched(journal: Journal, stream: StreamRecord, source: SourceNow) -> bool:
    """Whether nothing is left to watch; a completeness mark counts only if the source is no longer than then."""
    is_complete = stream.end_reason is EndReason.COMPLETE
    if source.info is None or not is_complete or not _can_grow(journal, stream):
        return stream.is_finished
    settings = Settings.from_json(stream.settings_json)
    begin_seconds = resume_seconds(journal, stream)
    return not check_coverage(journal, stream, settings, source.info, None, begin_seconds).problem


def _can_grow(journal: Journal, stream: StreamRecord) -> bool:
    """Whether the stream's end position is known: a quota may have removed the clips of a finished stream."""
    next_index = journal.streams.position(stream.id).next_clip_index
    return next_index == 0 or journal.clips.get(stream.id, next_index - 1) is not None


def resume_seconds(journal: Journal, stream: StreamRecord) -> float:
    """Start of resumed watching: the last clip's start if the source's end cut it, else its end."""
    if (last := journal.last_clips.of(stream.id)) is not None:
        return last.start_seconds
    clip = journal.clips.last(stream.id)
    return 0.0 if clip is None else clip.span.end_seconds
