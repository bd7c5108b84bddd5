"""Video from a web server: files and endless streams.

Example:
    with open_http("https://example.org/kitchen.mp4", Guard()) as video:
        for frame in video.sampled_frames(sample_fps=0.5):
            ...

FFmpeg sees bytes and opens nothing itself. A file is read through range requests if the server supports them, else
sequentially; an MP4 file must then have its index first. A source without length and duration, such as a camera's
MPEG-TS or consecutive JPEG images, is live.
"""

import re
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
from keepsight.video.packet_times import PacketExtent
from keepsight.video.sampling import SampleGrid
from keepsight.video.source import Media, Reading

PLAYLIST_START = b"#EXTM3U"
"""First bytes of every HLS playlist."""


_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
"""Start of an HTML page that a server sends instead of a video (WHATWG MIME Sniffing, section 7.1)."""


class WebFile(Media):
    """A remote file that can be sampled repeatedly, at several rates. Made by `open_http`.

    Attributes:
        url: its URL.
        info: properties of its video.
    """

    def __init__(self, url: SourceUrl, info: VideoInfo, fetcher: Fetcher) -> None:
        super().__init__(url.display, info)
        self.url = url
        self._fetcher = fetcher

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:
        reading = StreamReading(RemoteFile(self._fetcher, self.url), self.name, grid, self.info.video_stream)
        try:
            yield _FileReading(self, reading)
        finally:
            reading.close()


class _FileReading:
    def __init__(self, media: WebFile, reading: StreamReading) -> None:
        self._media = media
        self._reading = reading
        self.pictures = reading.pictures

    @property
    def extent(self) -> PacketExtent | None:
        return self._reading.extent

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

    @property
    def extent(self) -> PacketExtent | None:
        return None

    def check_end(self) -> None:
        if self._file.failure is not None:
            raise self._file.failure
        if self._file.read(1):
            raise SourceUnreachableError(f"{self._reading.name} sends data that can no longer be read")
        if not self._file.is_end_marked:
            raise SourceUnreachableError(f"{self._reading.name} closed the connection")


def open_http(
    url: str | SourceUrl, guard: Guard, *, fetcher: Fetcher | None = None, number: int | None = None
) -> Media:
    """Open video on a web server and read its properties; decodes the first picture. Use as a context manager.

    A playlist is recognised by its first bytes and read like in `keepsight.sources.readers.hls.open_hls`.

    Args:
        url: http or https.
        guard: checks hosts before connecting.
        fetcher: client with other timeouts or certificates; None for the default under `guard`.
        number: video stream of a file to read, from 0; None for the choice of `video.stream_choice`.

    Raises:
        AddressRefusedError: the address, or a redirect's, is not allowed.
        SourceNotFoundError: status 404 or 410.
        SourceUnreachableError: unreachable, or another error status.
        SourceStalledError: timeout.
        NotAVideoError, NoVideoStreamError: it is not media, unsupported, or has no video.
        TruncatedVideoError: it is truncated before its first frame.
    """
    address = parse_url(url) if isinstance(url, str) else url
    address.require({"http", "https"})
    fetcher = fetcher or Fetcher(guard)
    file = RemoteFile(fetcher, address)
    try:
        head = file.peek()
        if _HTML.match(head):
            raise NotAVideoError(f"{address.display} is a web page, not a video; give the address of the video itself")
        if head.startswith(PLAYLIST_START):
            file.close()
            return open_playlist(address, fetcher)
        return _open_file(address, file, fetcher, number)
    except BaseException:
        file.close()
        raise


def _open_file(url: SourceUrl, file: RemoteFile, fetcher: Fetcher, number: int | None) -> Media:
    name = url.display
    has_index_behind = not file.seekable() and file.peek()[4:8] == b"ftyp"
    try:
        reading = StreamReading(file, name, None, number)
    except NotAVideoError as error:
        if has_index_behind:
            raise NotAVideoError(
                f"cannot read {name} sequentially, and the server does not support range requests"
            ) from error
        raise
    try:
        pictures = reading.pictures()
        first = next(pictures, None)
        if first is None:
            raise file.failure or NotAVideoError(f"{name} has no frame that can be decoded")
        info = reading.describe(first.picture)
        if file.size is None and info.duration_seconds is None:
            return OnceReadMedia(name, info, _LiveReading(file, reading), first, pictures)
    except BaseException:
        reading.close()
        raise
    reading.close()
    return WebFile(url, info, fetcher)
