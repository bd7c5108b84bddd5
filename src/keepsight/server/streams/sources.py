"""What a server may watch: files under its roots, addresses, uploads, and frames that are pushed over HTTP."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from http import HTTPStatus

from starlette.exceptions import HTTPException

from keepsight.errors import (
    AddressRefusedError,
    NotAVideoError,
    NoVideoStreamError,
    SourceUnreachableError,
    VideoError,
    VideoTooLongError,
)
from keepsight.server.pushing.address import is_pushed, push_address, push_settings
from keepsight.server.pushing.points import PushPoints
from keepsight.server.settings import ServerSettings
from keepsight.server.uploads.names import UPLOAD_SCHEME, shown_source, upload_folder
from keepsight.server.uploads.store import UploadStore
from keepsight.server.uploads.upload import UploadLimits
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.isolated import connect
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import parse_url
from keepsight.sources.picture_decoder import PictureDecoder
from keepsight.sources.roots import check_is_under
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection
from keepsight.video import VideoInfo
from keepsight.video.wording import one_line


class ServedSources:
    """The sources of a server. All methods may be called from any thread.

    Args:
        server: from where may be watched, and how much uploaded.
        sources: how sources are read; roots and private addresses are those of the server.
        is_used: whether there is a stream of a source's name.

    Attributes:
        uploads: files that clients brought.
        pushed: where clients push frames.
        pictures: decodes those that come as files.
        guard: which addresses may be connected to.
        longest_seconds: so long a file may be.
    """

    def __init__(self, server: ServerSettings, sources: SourceSettings | None, is_used: Callable[[str], bool]) -> None:
        self._settings = replace(sources or SourceSettings(), allow_private=server.allow_private, roots=server.roots)
        self.longest_seconds = server.max_file_hours * 3600
        self._is_used = is_used
        limits = UploadLimits(server.max_upload_bytes, server.max_uploads, server.max_uploads_total_bytes)
        self.uploads = UploadStore(upload_folder(server.journal), limits, is_used)
        self.pushed = PushPoints()
        self.pictures = PictureDecoder()
        self.guard = Guard(allow_private=server.allow_private)

    def address_of(self, source: str) -> SourceAddress:
        """What a source's name means here; uploads and pushed frames are known to servers alone.

        Raises:
            VideoError, SettingError: it means nothing.
            HTTPException: 404, there is no such upload; 409, it is not whole yet.
        """
        if source.startswith(UPLOAD_SCHEME):
            return self.uploads.address_of(source)
        return push_address(source) if is_pushed(source) else SourceAddress.parse(source)

    def settings_of(self, address: SourceAddress) -> SourceSettings:
        """How a source is read. An upload lies in no root, and in no root does anybody else name its path."""
        if address.name.startswith(UPLOAD_SCHEME):
            return replace(self._settings, roots=(self.uploads.folder,))
        return push_settings(self._settings) if is_pushed(address.name) else self._settings

    def check_place(self, address: SourceAddress) -> None:
        """Refuse what may not be watched before anything of it is opened, and before a live one is waited for.

        Raises:
            AddressRefusedError: it is stdin, lies outside the roots, or in a network that may not be connected to.
        """
        if address.is_stdin:
            raise AddressRefusedError("a server does not read frames from its stdin; push them to a FIFO or a socket")
        if not is_pushed(address.name):
            check_is_under(address, self.settings_of(address).roots)
        if address.kind is SourceKind.RTSP:
            url = parse_url(address.text)
            with suppress(SourceUnreachableError):  # it is waited for
                self.guard.resolve(url.host, url.port)

    def connect(self, address: SourceAddress) -> Connection:
        """Open a source. An upload that is no video, or too long a one, is of no use to anybody, and is removed.

        Raises:
            VideoTooLongError: it has an end, and says that this is later than is allowed.
            VideoError: there is nothing to be watched.
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
        """Refuse what says that it is too long; of what says less than is true, or nothing, see `StreamRun`."""
        seconds = 0.0 if info.is_live or info.duration_seconds is None else info.duration_seconds
        if seconds > self.longest_seconds:
            name = one_line(shown_source(address.name))
            raise VideoTooLongError(
                f"{name} is {seconds / 3600:g} hours long; allowed are at most {self.longest_seconds / 3600:g} hours"
            )

    def opener(self, address: SourceAddress) -> Callable[[SourceAddress, SourceSettings], Connection]:
        """How the thread that watches a source opens it, again and again if it is live."""
        if not is_pushed(address.name):
            return connect
        return lambda one, _: self.pushed.of(one.name).connect()

    def file_of(self, source: str) -> tuple[str, str]:
        """Path of the file that a source is, and the name that tells its type.

        Raises:
            AddressRefusedError: it lies outside the roots.
            HTTPException: 404, it is no file.
        """
        address = self.address_of(source)
        if address.kind is not SourceKind.FILE:
            raise HTTPException(HTTPStatus.NOT_FOUND, "the stream has no video file that can be shown")
        check_is_under(address, self.settings_of(address).roots)
        return address.text, address.name

    def close(self) -> None:
        """End what runs for them all."""
        self.pictures.close()

    def forget(self, source: str) -> None:
        """A stream of a source was removed: if it was the last, what was brought for it goes, too."""
        self.uploads.forget(source)
        if not self._is_used(source):
            self.pushed.forget(source)
