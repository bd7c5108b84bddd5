"""What a server may watch: files under its roots, addresses, uploads, and frames pushed over HTTP."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Protocol

from keepsight.errors import (
    AddressRefusedError,
    NotAVideoError,
    NotFoundError,
    NoVideoStreamError,
    SourceUnreachableError,
    VideoError,
    VideoTooLongError,
)
from keepsight.hub.pushing.connection import is_pushed, push_address, push_settings
from keepsight.hub.pushing.points import PushPoints
from keepsight.hub.settings import HubSettings
from keepsight.hub.uploads.store import UploadStore
from keepsight.hub.uploads.upload import UPLOAD_SCHEME, UploadLimits, shown_source, upload_folder
from keepsight.incoming import one_line
from keepsight.journal import Journal, StreamRecord
from keepsight.sources.address import SourceAddress, SourceKind, check_is_under
from keepsight.sources.contents import Content
from keepsight.sources.credentials import read_credentials
from keepsight.sources.identity import BytesIdentity, Readable, Relation, from_json
from keepsight.sources.isolated import connect
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import parse_url
from keepsight.sources.opening import open_content
from keepsight.sources.picture_decoder import PictureDecoder
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection
from keepsight.video import VideoInfo

_MOST_REMEMBERED = 1_000


class ReadableFile(Readable, Protocol):
    """An open file."""

    @property
    def version(self) -> Hashable:
        """Value that changes when the file is replaced or rewritten."""


class Originals:
    """Checks whether files are still what was watched, once per file version. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Hashable, str], bool] = OrderedDict()

    def is_original(self, stream: StreamRecord, file: ReadableFile) -> bool:
        """Whether a file is what a stream watched, or an extension of it; True if unknown.

        Raises:
            OSError: the file can't be read.
        """
        if stream.identity_json is None:
            return True
        key = (file.version, stream.identity_json)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            seen = from_json(stream.identity_json)
            known = not isinstance(seen, BytesIdentity) or seen.relation_to(file) is not Relation.DIFFERENT
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return known


class ServedSources:
    """Sources of a server. Thread-safe.

    Args:
        hub: where sources may be, and upload limits.
        sources: how sources are read; the hub's roots and private addresses apply.
        is_used: whether a stream has a source name.

    Attributes:
        uploads: uploaded files.
        pushed: push points of clients.
        pictures: decodes pushed image files.
        originals: checks whether files are still what was watched.
        guard: checks addresses before connecting.
        longest_seconds: limit of a file's duration.
    """

    def __init__(self, hub: HubSettings, sources: SourceSettings | None, is_used: Callable[[str], bool]) -> None:
        self._settings = replace(sources or SourceSettings(), allow_private=hub.allow_private, roots=hub.roots)
        self.longest_seconds = hub.max_file_hours * 3600
        self._credentials = read_credentials(hub.credentials)
        self._is_used = is_used
        limits = UploadLimits(hub.max_upload_bytes, hub.max_uploads, hub.max_uploads_total_bytes)
        self.uploads = UploadStore(upload_folder(hub.journal), limits, is_used)
        self.pushed = PushPoints()
        self.pictures = PictureDecoder()
        self.originals = Originals()
        self.guard = Guard(allow_private=hub.allow_private)

    def address_of(self, source: str) -> SourceAddress:
        """Parse a source name; uploads and pushed frames exist only on servers.

        Raises:
            VideoError, SettingError: the name is invalid.
            NotFoundError: no such upload.
            ConflictError: the upload is incomplete.
        """
        if source.startswith(UPLOAD_SCHEME):
            return self.uploads.address_of(source)
        return push_address(source) if is_pushed(source) else SourceAddress.parse(self._credentials.attached(source))

    def settings_of(self, address: SourceAddress) -> SourceSettings:
        """How a source is read. An upload lies outside all roots, so only its upload name reaches it."""
        if address.name.startswith(UPLOAD_SCHEME):
            return replace(self._settings, roots=(self.uploads.folder,))
        return push_settings(self._settings) if is_pushed(address.name) else self._settings

    def check_place(self, address: SourceAddress) -> None:
        """Check where a source is before opening anything of it, and before waiting for a live one.

        Raises:
            AddressRefusedError: it is stdin, outside the roots, or in a network that is not allowed.
        """
        if address.is_stdin:
            raise AddressRefusedError(
                "a server cannot read frames from stdin; push them to push:NAME, a FIFO or a socket"
            )
        if not is_pushed(address.name):
            check_is_under(address, self.settings_of(address).roots, allow_private=self._settings.allow_private)
        if address.kind is SourceKind.RTSP:
            url = parse_url(address.text)
            with suppress(SourceUnreachableError):  # a live source may be offline now
                self.guard.resolve(url.host, url.port)

    def connect(self, address: SourceAddress) -> Connection:
        """Open a source; remove an upload that is no video, or too long.

        Raises:
            VideoTooLongError: its claimed duration exceeds the limit.
            VideoError: the source has no video.
        """
        try:
            connection = connect(address, self.settings_of(address))
            with ExitStack() as on_failure:
                on_failure.callback(connection.close)
                self._check_length(address, connection.info)
                on_failure.pop_all()
            return connection
        except VideoError as error:
            if isinstance(error, NotAVideoError | NoVideoStreamError | VideoTooLongError):
                self.uploads.forget(address.name)
            raise type(error)(self.uploads.without_paths(str(error))) from error

    def _check_length(self, address: SourceAddress, info: VideoInfo) -> None:
        """Refuse a source whose claimed duration is too long; `StreamRun` enforces the actual duration."""
        seconds = 0.0 if info.is_live or info.duration_seconds is None else info.duration_seconds
        if seconds > self.longest_seconds:
            name = one_line(shown_source(address.name))
            raise VideoTooLongError(
                f"{name} must be at most {self.longest_seconds / 3600:g} hours long, got {seconds / 3600:g} hours"
            )

    def content_of(self, address: SourceAddress) -> Content | None:
        """Content of an open source; None if it has none to identify it by.

        Raises:
            VideoError: cannot read it.
        """
        try:
            return open_content(address, allow_private=self._settings.allow_private)
        except VideoError as error:
            raise type(error)(self.uploads.without_paths(str(error))) from error

    def let_go_of_copy(self, address: SourceAddress, stream: StreamRecord, journal: Journal) -> StreamRecord:
        """Remove an upload that duplicates an already watched one."""
        if address.name.startswith(UPLOAD_SCHEME) and address.name != stream.source:
            others = tuple(name for name in stream.other_names if name != address.name)
            stream = journal.streams.rename(stream.id, stream.source, others)
            self.uploads.forget(address.name)
        return stream

    def opener(self, address: SourceAddress) -> Callable[[SourceAddress, SourceSettings], Connection]:
        """Function with which the watching thread opens a source, repeatedly for a live one."""
        if not is_pushed(address.name):
            return connect
        return lambda one, _: self.pushed.of(one.name).connect()

    def file_of(self, source: str) -> tuple[str, str]:
        """Path of a source's file, and the name that gives its type.

        Raises:
            AddressRefusedError: it is outside the roots.
            NotFoundError: it is not a file.
        """
        address = self.address_of(source)
        if address.kind is not SourceKind.FILE:
            raise NotFoundError("the stream has no video file to play")
        check_is_under(address, self.settings_of(address).roots)
        return address.text, address.name

    def close(self) -> None:
        """Stop the shared image decoder."""
        self.pictures.close()

    def forget(self, source: str) -> None:
        """Free what belongs to a removed stream's source, if this was its last stream."""
        self.uploads.forget(source)
        if not self._is_used(source):
            self.pushed.forget(source)
