"""Identity of web content: a file by validators and bytes, a playlist by segments."""

from http import HTTPStatus
from time import sleep

from keepsight.errors import SourceStalledError, SourceUnreachableError
from keepsight.sources.contents import Items, ListedContent
from keepsight.sources.identity import HEADER_BYTES, BytesIdentity, Relation, SourceIdentity
from keepsight.sources.network.fetching import ByteRange, Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.remote_file import MAX_RECONNECTIONS, part_of
from keepsight.sources.network.urls import SourceUrl, parse_url
from keepsight.sources.readers.hls import media_playlist
from keepsight.sources.readers.http import PLAYLIST_START

_END_BYTES = 16_384


class WebFileContent:
    """A remote file. Each check takes one or two requests: its start, and its end if the server supports ranges.

    Args:
        fetcher: HTTP client.
        url: its URL.

    Raises:
        VideoError: as `Fetcher.get`.
    """

    def __init__(self, fetcher: Fetcher, url: SourceUrl) -> None:
        self._fetcher = fetcher
        self._url = url
        self.is_local = False
        self._look()
        places = [(0, len(self.beginning))]
        if self._has_parts and self.num_bytes is not None and self.num_bytes > len(self.beginning):
            length = min(_END_BYTES, self.num_bytes - len(self.beginning))
            places.append((self.num_bytes - length, length))
        self.identity: SourceIdentity = BytesIdentity.of(self, places, self._validator)

    def relation_to(self, seen: SourceIdentity) -> Relation:
        self._look()
        return seen.relation_to(self, self._validator) if isinstance(seen, BytesIdentity) else Relation.DIFFERENT

    def read(self, offset: int, length: int) -> bytes:
        if offset + length <= len(self.beginning):
            return self.beginning[offset : offset + length]
        if not self._has_parts:
            raise SourceUnreachableError(f"{self._url} does not support range requests")
        data, _ = self._fetcher.get_bytes(self._url, length, ByteRange(offset, offset + length))
        return data

    def close(self) -> None: ...

    def _look(self) -> None:
        """Read the start and the server's validators; retry if the connection is lost."""
        for attempt in range(MAX_RECONNECTIONS):
            try:
                return self._look_once()
            except (SourceUnreachableError, SourceStalledError):
                sleep(self._fetcher.timeouts.pause_seconds * 2**attempt)
        return self._look_once()

    def _look_once(self) -> None:
        with self._fetcher.get(self._url, ByteRange(0, HEADER_BYTES)) as response:
            self._has_parts = response.status == HTTPStatus.PARTIAL_CONTENT
            part = part_of(response)
            self.num_bytes = part[1] if part is not None else response.length
            tag, changed = (response.headers.get(name) or "" for name in ("ETag", "Last-Modified"))
            self._validator = str(tag or changed)
            beginning = b""
            while len(beginning) < HEADER_BYTES and (data := response.read()):
                beginning += data
        self.beginning = beginning[:HEADER_BYTES]


def open_web_content(url: str, guard: Guard) -> WebFileContent | ListedContent | None:
    """Content of a file or a playlist; None for a live playlist.

    Raises:
        VideoError: it is not readable.
    """
    address, fetcher = parse_url(url), Fetcher(guard)
    file = WebFileContent(fetcher, address)
    if not file.beginning.startswith(PLAYLIST_START):
        return file
    if not media_playlist(address, fetcher)[1].is_ended:
        return None
    return ListedContent(lambda: _segments(address, fetcher), is_local=False)


def _segments(url: SourceUrl, fetcher: Fetcher) -> Items:
    """Name and duration of each segment; not its whole URL, which may contain a changing key."""
    return [
        (segment.media.reference.partition("?")[0].rpartition("/")[2], f"{segment.seconds:.3f} {segment.media.part}")
        for segment in media_playlist(url, fetcher)[1].segments
    ]
