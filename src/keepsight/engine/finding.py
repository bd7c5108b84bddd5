"""Finding the stream of a source in a journal: by content, even if the file moved, or a new stream.

The name decides for sources without identifiable content (cameras, live streams, pushed frames) and for streams of
older journals, which recorded no content.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from keepsight.engine.reopening import Begun, is_watched, reopened, resumed_grown, version_of, with_version
from keepsight.engine.watched_source import SourceNow, recorded_identity
from keepsight.incoming import one_line
from keepsight.journal import Journal, StreamRecord
from keepsight.method.model_info import ModelIdentity
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.sources.contents import is_still_at
from keepsight.sources.identity import Relation, SourceIdentity, is_equal

_AS_NEW = "watching it as a new stream"


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
        return with_version(journal, found, info)
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
            return stream if is_watched(journal, stream, source) else None
    return None


def _found(journal: Journal, source: SourceNow, streams: Sequence[StreamRecord]) -> Begun | None:
    """Find the stream of a source, by preference: same content, no recorded content, grown content."""
    named = [stream for stream in streams if source.name in stream.names]
    content = source.content
    if content is None:
        return Begun(reopened(journal, named[0], source)) if named else None
    relations = {stream.id: source.relation_to(stream) for stream in named}
    for stream in named:
        if relations[stream.id] is Relation.SAME:
            is_at_home = source.name == stream.source or is_still_at(stream.source, content.identity)
            return Begun(reopened(journal, stream, source)) if is_at_home else _moved(journal, stream, source)
    others = [stream for stream in streams if stream.id not in relations]
    for stream in others:
        if (seen := recorded_identity(stream)) is not None and is_equal(seen, content.identity):
            return _elsewhere(journal, stream, source, seen)
    if named and named[0].identity_json is None:
        return Begun(reopened(journal, named[0], source))
    for stream in named:
        if relations[stream.id] is Relation.GROWN and (grown := resumed_grown(journal, stream, source)) is not None:
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
        if (grown := resumed_grown(journal, stream, source, what)) is not None:
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
    begun = reopened(journal, stream, source)
    become = "it was watched to its end" if begun.is_finished else "resuming"
    return Begun(begun, f"{one_line(source.name)} {what}: {become} as stream {stream.id}")


def _renamed(journal: Journal, stream: StreamRecord, name: str) -> StreamRecord:
    others = tuple(one for one in stream.names if one != name)
    return journal.streams.rename(stream.id, name, others)
