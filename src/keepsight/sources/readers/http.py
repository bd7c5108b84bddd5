"""Video from a web server: files, and streams without an end.

Example:
    with open_http("https://example.org/kitchen.mp4", Guard()) as video:
        for frame in video.sampled_frames(sample_fps=0.5):
            ...

FFmpeg sees bytes and opens nothing itself. A file is read through ranges where the server has them and from its start
otherwise; then an MP4 file must have its index in front. What has no length and says no duration, such as a camera's
MPEG-TS or JPEG pictures one after another, is live.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from keepsight.errors import NotAVideoError, SourceUnreachableError, TruncatedVideoError
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.once_read import OnceReadMedia
from keepsight.sources.network.remote_file import RemoteFile
from keepsight.sources.network.stream_reading import StreamReading
from keepsight.sources.network.urls import SourceUrl, parse_url
from keepsight.sources.readers.hls import open_playlist
from keepsight.video import VideoInfo
from keepsight.video.sampling import SampleGrid
from keepsight.video.source import Media, Reading

PLAYLIST_START = b"#EXTM3U"
"""First bytes of every HLS playlist."""


class WebFile(Media):
    """A file on a server that can be sampled, more than once and at several rates. Made by `open_http`.

    Attributes:
        url: its address.
        info: what it says of its pictures.
    """

    def __init__(self, url: SourceUrl, info: VideoInfo, fetcher: Fetcher) -> None:
        super().__init__(url.display, info)
        self.url = url
        self._fetcher = fetcher

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:
        reading = StreamReading(RemoteFile(self._fetcher, self.url), self.name, grid)
        try:
            yield _FileReading(self, reading)
        finally:
            reading.close()


class _FileReading:
    def __init__(self, media: WebFile, reading: StreamReading) -> None:
        self._media = media
        self._reading = reading
        self.pictures = reading.pictures

    def check_end(self) -> None:
        failure = self._reading.file.failure
        if isinstance(failure, TruncatedVideoError):
            raise self._media.early_end(float(self._reading.end_seconds)) from failure
        if failure is not None:
            raise failure
        if self._reading.ends_early:
            raise self._media.early_end(float(self._reading.end_seconds))


class _LiveReading:
    def __init__(self, file: RemoteFile, reading: StreamReading) -> None:
        self._file = file
        self._reading = reading
        self.pictures = reading.pictures
        self.close = reading.close

    def check_end(self) -> None:
        if self._file.failure is not None:
            raise self._file.failure
        if self._file.read(1):
            raise SourceUnreachableError(f"{self._reading.name} sends what can't be read any more")
        if not self._file.is_end_marked:
            raise SourceUnreachableError(f"{self._reading.name} ended the connection")


def open_http(url: str | SourceUrl, guard: Guard, *, fetcher: Fetcher | None = None) -> Media:
    """Open video on a web server and read what it is; decodes its first picture. Use it as a context manager.

    A playlist is found by its first bytes and read as `keepsight.sources.readers.hls.open_hls` does.

    Args:
        url: http or https.
        guard: which hosts may be connected to.
        fetcher: with other timeouts or certificates; None for the usual ones under `guard`.

    Raises:
        AddressRefusedError: the address, or one it redirects to, may not be connected to.
        SourceNotFoundError: the server has no such file (404, 410).
        SourceUnreachableError: it can't be reached, or answers with another error.
        SourceStalledError: it sends nothing for too long.
        NotAVideoError, NoVideoStreamError: it is no media, of a format or codec that is not read, or has no pictures.
        TruncatedVideoError: it is cut off before its first picture.
    """
    address = parse_url(url) if isinstance(url, str) else url
    address.require({"http", "https"})
    fetcher = fetcher or Fetcher(guard)
    file = RemoteFile(fetcher, address)
    try:
        if file.peek().startswith(PLAYLIST_START):
            file.close()
            return open_playlist(address, fetcher)
        return _open_file(address, file, fetcher)
    except BaseException:
        file.close()
        raise


def _open_file(url: SourceUrl, file: RemoteFile, fetcher: Fetcher) -> Media:
    name = url.display
    has_index_behind = not file.seekable() and file.peek()[4:8] == b"ftyp"
    try:
        reading = StreamReading(file, name, None)
    except NotAVideoError as error:
        if has_index_behind:
            raise NotAVideoError(
                f"{name} cannot be read from its start on, and the server sends no parts of files"
            ) from error
        raise
    try:
        pictures = reading.pictures()
        first = next(pictures, None)
        if first is None:
            raise file.failure or NotAVideoError(f"{name} holds no picture that can be decoded")
        info = reading.describe(first.picture)
        if file.size is None and info.duration_seconds is None:
            return OnceReadMedia(name, info, _LiveReading(file, reading), first, pictures)
    except BaseException:
        reading.close()
        raise
    reading.close()
    return WebFile(url, info, fetcher)
