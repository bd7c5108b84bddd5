"""Checks of sources and journal before loading a model; leaves no empty journal behind."""

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import JournalError, JournalWriteError, SourceStalledError, SourceUnreachableError
from keepsight.settings import Settings

if TYPE_CHECKING:
    from keepsight.cli.remembered import FoundModel
    from keepsight.journal import Quota
    from keepsight.models.engines.engine import Engine
    from keepsight.sources.address import SourceAddress
    from keepsight.sources.isolated import IsolatedReader
    from keepsight.sources.settings import SourceSettings


@dataclass(frozen=True)
class WatchJob:
    """Job of one `keepsight watch`.

    Attributes:
        sources: sources, as given or parsed, in order.
        names: the same without credentials.
        journal: path of the journal.
        questions: questions to ask when every source has ended.
        settings: settings of watching.
        reading: how sources are read.
        restart: whether to watch from the beginning as a new stream.
        duration_seconds: duration of the only source, if known.
        quota: size limits of the journal; None for none.
        connection: the only source, if already open.
        engine: server that answers the questions; None for the model.
    """

    sources: "tuple[str | SourceAddress, ...]"
    names: tuple[str, ...]
    journal: Path
    questions: tuple[str, ...]
    settings: Settings
    reading: "SourceSettings"
    restart: bool
    duration_seconds: float | None
    quota: "Quota | None" = None
    connection: "IsolatedReader | None" = None
    engine: "Engine | None" = None

    def close(self) -> None:
        """Close the open source."""
        if self.connection is not None:
            self.connection.close()


_LONGEST_STEM = 100
_DIGITS = 6


def journal_path(addresses: "Sequence[SourceAddress]") -> Path:
    """Default journal for sources, in the current folder.

    Earlier versions named the journal of an address by its last part only; an existing one with this source is used.

    Args:
        addresses: one or more.
    """
    path = Path(f"{journal_stem(addresses)}.db")
    earlier = Path(f"{_last_words(addresses[0].name)}.db")
    is_used = len(addresses) == 1 and earlier != path and not path.exists() and _has(earlier, addresses[0].name)
    return earlier if is_used else path


def journal_stem(addresses: "Sequence[SourceAddress]") -> str:
    """Journal name without extension: a file's name, an address's host and path, or one name for several sources.

    Addresses that differ only in their query get a digest of it, since it may contain a secret.
    """
    if len(addresses) > 1:
        return "keepsight"
    name = addresses[0].name
    scheme, mark, rest = name.partition("://")
    if not mark:
        return _last_words(name)
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    folder, _, last = path.rstrip("/").rpartition("/")
    stem = Path(last).stem if scheme.startswith("http") else last
    words = _words(f"{host}{slash}{folder}/{stem}")
    if query or len(words) > _LONGEST_STEM:
        digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        words = f"{words[:_LONGEST_STEM]}-{digest}"
    return words or "stream"


def check_journal_place(path: Path) -> None:
    """Check that a journal can be opened or created at a path, leaving nothing behind.

    Raises:
        JournalError: the file is not a journal, or too new.
        JournalLogError: another journal's log is there.
        JournalWriteError: it is not writable, or its folder is missing.
    """
    from keepsight.journal import Journal
    from keepsight.journal.stray_log import check_log

    if path.is_dir():
        raise JournalWriteError(f"the journal must be a file, got the folder {path}; give a name in it")
    if path.exists():
        Journal.create(path).close()
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        raise JournalWriteError(f"cannot create the journal {path}: create the folder {folder} first")
    check_log(path)
    try:  # test by creating, since only that works on read-only and odd file systems
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.unlink()
    except OSError as error:
        raise JournalWriteError(f"cannot create the journal {path}: {error.strerror}") from error


def open_sources(addresses: "Sequence[SourceAddress]", reading: "SourceSettings") -> "IsolatedReader | None":
    """Open the sources to find problems; a single file stays open for watching.

    A live source that is offline is waited for later, and so is one of several on an unreachable server.

    Raises:
        VideoError: one of them is not a video source.
    """
    from keepsight.sources.address import SourceKind
    from keepsight.sources.isolated import connect
    from keepsight.sources.network.guard import Guard
    from keepsight.sources.network.urls import parse_url

    guard, opened = Guard(allow_private=reading.allow_private), None
    for address in addresses:
        if address.kind is SourceKind.PUSHED:
            continue
        is_waited_for = address.is_always_live or (address.may_be_live and len(addresses) > 1)
        with suppress(*((SourceUnreachableError, SourceStalledError) if is_waited_for else ())):
            if address.kind is SourceKind.RTSP:
                url = parse_url(address.text)
                guard.resolve(url.host, url.port)
                continue
            opened = connect(address, reading)
            # Live sources are reopened later: a model takes long to load, and frames would queue up.
            if len(addresses) > 1 or opened.info.is_live or address.is_always_live:
                opened.close()
                opened = None
    return opened


def is_nothing_new(job: WatchJob, model: "FoundModel") -> bool:
    """Whether no model is needed: the only source was watched to its end before, and there are no questions."""
    from keepsight.engine.finding import watched_to_its_end
    from keepsight.engine.watched_source import SourceNow
    from keepsight.journal import Journal
    from keepsight.models.load_options import choices_of
    from keepsight.models.naming import identity_of
    from keepsight.sources.address import SourceAddress
    from keepsight.sources.opening import open_content

    if job.connection is None or job.restart or job.questions or not job.journal.exists():
        return False
    source = job.sources[0]
    address = SourceAddress.parse(source) if isinstance(source, str) else source
    content = open_content(address, allow_private=job.reading.allow_private)
    if content is None:
        return False
    choices = choices_of(model.tokens_per_frame, model.repetition_penalty)
    identity = replace(identity_of(model.model), choices=choices)
    with closing(content), Journal.open(job.journal, read_only=True) as journal:
        now = SourceNow.of(address.name, job.connection.info, content)
        return watched_to_its_end(journal, now, identity, job.settings) is not None


def remove_if_empty(path: Path) -> None:
    """Remove a journal created by this run if nothing was watched, missed or asked."""
    from keepsight.journal import Journal

    with suppress(JournalError, OSError):
        with Journal.open(path) as journal:
            streams = journal.streams.all()
            is_used = any(
                journal.clips.count(one.id) or journal.gaps.of(one.id) or journal.answers.of(one.id) for one in streams
            )
            is_empty = not is_used and not journal.standing.count()
        if is_empty:
            for ending in ("", "-wal", "-shm"):
                Path(f"{path}{ending}").unlink(missing_ok=True)


def _has(path: Path, source: str) -> bool:
    from keepsight.journal import Journal

    if not path.is_file():
        return False
    try:
        with Journal.open(path, read_only=True) as journal:
            return bool(journal.streams.of_source(source))
    except JournalError:
        return False


def _last_words(name: str) -> str:
    shown = name.partition("?")[0].rstrip("/")
    return _words(Path(shown.removeprefix("unix:")).stem) or "stream"


def _words(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")
