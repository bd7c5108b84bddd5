"""Resolves stream names, by one rule for the command line, the API, MCP tools and OpenAI clients."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from keepsight.errors import UnknownStreamError
from keepsight.incoming import one_line, short
from keepsight.journal.records import StreamRecord
from keepsight.sources.network.urls import strip_credentials

MAX_CANDIDATES_SHOWN = 8
"""Streams listed in an error."""

_MAX_NAME_SHOWN = 120
_UPLOAD = re.compile(r"^upload:[^/]*/")
_PREFIX = re.compile(r"^(?:upload|push|unix|v4l2):(?!//)")


def stream_named(streams: Sequence[StreamRecord], name: str) -> StreamRecord:
    """Stream of a name; among streams of one source, the newest.

    The first rule that any stream matches wins: its id; its source's full name, as written, without credentials, or as
    a path from the current folder; the end of the source's name by whole parts (`cam1.mp4`, `kitchen/cam1.mp4`); the
    same without file extension (`cam1`); whole parts anywhere (a folder, a host). Parts are separated by slashes; a
    host matches with or without its port. A name that starts with a slash or scheme matches from the source's start.
    Matching is case-sensitive, unless nothing matches.

    Other names of the same content count as the source's own, unless another stream has them now.

    Args:
        streams: all streams, oldest first.
        name: name from a user or program.

    Raises:
        UnknownStreamError: no stream, or streams of several sources match; the message lists them.
    """
    name = name.encode("utf-8", "backslashreplace").decode()  # sources with undecodable names are stored like this
    found = _fitting(streams, name)
    if len({stream.source for stream in found}) == 1:
        return found[-1]
    shown = _quoted(name)
    if found:
        raise UnknownStreamError(f"{shown} matches several streams: {_listed(found)}; give an id or a full name")
    raise UnknownStreamError(f"no stream matches {shown}; the journal has {_listed(streams) or 'none'}")


def _fitting(streams: Sequence[StreamRecord], name: str) -> list[StreamRecord]:
    """Streams that match by the first matching rule, by their own or other names."""
    sources = {stream.source for stream in streams}
    # A name that another stream owns now no longer names this one.
    aliases = [replace(one, source=other) for one in streams for other in one.other_names if other not in sources]
    named = [*streams, *aliases]
    closest = next(filter(None, ({one.id for one in named if fits(one)} for fits in _rules(name))), set())
    return [stream for stream in streams if stream.id in closest]


@dataclass(frozen=True)
class _Parts:
    """Parts of a source's name, each with its spellings.

    Attributes:
        scheme: of an address; else empty.
        parts: parts between slashes, starting with an address's host.
        stem: spellings of the last part without its extension.
    """

    scheme: str
    parts: tuple[frozenset[str], ...]
    stem: frozenset[str]

    @classmethod
    def of(cls, source: str, key: Callable[[str], str]) -> "_Parts":
        scheme, mark, rest = source.partition("://")
        if not mark:
            words = _split(_PREFIX.sub("", source))
            return cls("", tuple(frozenset({key(word)}) for word in words), _stems(words[-1:], key))
        path, question, query = rest.partition("?")
        words = _split(path)
        parts = [frozenset({key(word)}) for word in words]
        if words:
            parts[0] |= {key(re.sub(r":\d+$", "", words[0])), key(re.sub(r":\d+$", "", words[0]).strip("[]"))}
            parts[-1] |= {key(f"{words[-1]}{question}{query}")}
        return cls(key(scheme), tuple(parts), _stems(words[1:][-1:], key))


def _rules(name: str) -> Iterator[Callable[[StreamRecord], bool]]:
    """Matching rules, strictest first."""
    yield lambda stream: stream.id == name
    for full in (name, strip_credentials(name), _resolved(name)):
        yield partial(_is_called, full)
    for key in (_same_letters, _any_case):
        yield from _part_rules(name, key)


def _is_called(name: str, stream: StreamRecord) -> bool:
    return stream.source == name


def _part_rules(name: str, key: Callable[[str], str]) -> Iterator[Callable[[StreamRecord], bool]]:
    scheme, mark, _ = name.partition("://")
    words = _split(strip_credentials(name).partition("://")[2] if mark else _PREFIX.sub("", name))
    wanted = [key(word) for word in words]
    start = key(scheme) if mark else "" if name.startswith("/") else None
    if not wanted:
        return

    def ends(stream: StreamRecord) -> bool:
        source = _Parts.of(stream.source, key)
        return _runs(wanted, source.parts, start, source.scheme, at_end=True)

    def ends_without_extension(stream: StreamRecord) -> bool:
        source = _Parts.of(stream.source, key)
        return _runs(wanted, (*source.parts[:-1], source.stem), start, source.scheme, at_end=True)

    def runs(stream: StreamRecord) -> bool:
        source = _Parts.of(stream.source, key)
        return _runs(wanted, source.parts, start, source.scheme, at_end=False)

    yield from (ends, ends_without_extension, runs)


def _runs(
    wanted: Sequence[str], parts: Sequence[frozenset[str]], start: str | None, scheme: str, *, at_end: bool
) -> bool:
    """Whether the wanted words are consecutive parts; from the first part if a start is required."""
    last = len(parts) - len(wanted)
    if last < 0 or start not in (None, scheme):
        return False
    places = range(last if at_end else 0, last + 1)
    if start is not None:
        places = range(0, 1) if 0 in places else range(0)
    return any(all(word in parts[place + i] for i, word in enumerate(wanted)) for place in places)


def _split(path: str) -> list[str]:
    return [word for word in path.split("/") if word not in ("", ".")]


def _stems(last: Sequence[str], key: Callable[[str], str]) -> frozenset[str]:
    return frozenset(key(PurePosixPath(word).stem) for word in last)


def _same_letters(text: str) -> str:
    """Normal form of equivalent spellings, such as of accents (Unicode Standard Annex 15)."""
    return unicodedata.normalize("NFC", text)


def _any_case(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _resolved(name: str) -> str:
    """Path as watching would name it; empty if it is not a path."""
    try:
        return os.path.realpath(name) if name.strip() else ""
    except ValueError:  # a NUL, or an unpaired surrogate
        return ""


def _quoted(name: str) -> str:
    return f"'{short(strip_credentials(name), _MAX_NAME_SHOWN)}'"


def _listed(streams: Sequence[StreamRecord]) -> str:
    newest = {stream.source: stream.id for stream in streams}
    shown = [f"{one_line(_UPLOAD.sub('', source))} (id {found})" for source, found in newest.items()]
    more = len(shown) - MAX_CANDIDATES_SHOWN
    return ", ".join(shown[:MAX_CANDIDATES_SHOWN]) + (f" and {more} more" if more > 0 else "")
