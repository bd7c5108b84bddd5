"""Which streams a name means, where people and programs may give one in place of an id."""

from keepsight.journal import Journal, StreamRecord


def streams_named(journal: Journal, name: str) -> list[StreamRecord]:
    """The stream with an id; else those whose source has the name, whole; else those that have it after the last slash.

    Empty where none has.
    """
    streams = journal.streams.all()
    for name_of in (_id, _source, _last_part):
        if found := [stream for stream in streams if name_of(stream) == name]:
            return found
    return []


def _id(stream: StreamRecord) -> str:
    return stream.id


def _source(stream: StreamRecord) -> str:
    return stream.source


def _last_part(stream: StreamRecord) -> str:
    return stream.source.rstrip("/").rpartition("/")[2]
