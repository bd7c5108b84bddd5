"""Segments of an HLS stream in order, waiting for future ones of a live stream."""

from collections import deque
from fractions import Fraction
from time import monotonic, sleep

from keepsight.errors import (
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    TruncatedVideoError,
    VideoError,
)
from keepsight.sources.network.decryption import Decryption
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.playlist_parsing import MAX_PLAYLIST_BYTES, parse_playlist
from keepsight.sources.network.playlists import MediaPlaylist, Resource, Segment
from keepsight.sources.network.stream_reading import StreamBytes
from keepsight.sources.network.urls import SourceUrl
from keepsight.video.clock import LONGEST_LIVE_STEP

MAX_SEGMENT_BYTES = 128 << 20
"""Size limit of a segment; one is held in memory. Ten seconds at 25 Mbit/s are 31 MB."""

MAX_TRIES = 3
"""Attempts to get a segment or live playlist before it counts as lost."""

MAX_LOST_SEGMENTS = 3
"""Consecutive segments that a live stream may lose."""

LIVE_SEGMENTS_BEHIND = 3
"""How many segments before the end of a live playlist to start (RFC 8216, section 6.3.3)."""

_SHORTEST_WAIT_SECONDS = 0.1
_STALL_TARGETS = 4


class SegmentFeed:
    """Segments with their bytes, in order.

    Args:
        fetcher: HTTP client.
        url: URL of the media playlist.
        playlist: its current content. Without an end mark it is live: started a few segments before its end, and
            polled.

    Attributes:
        failure: why segments ended early, or None.
        longest_step_seconds: maximum distance of pictures that the playlist explains.
    """

    def __init__(self, fetcher: Fetcher, url: SourceUrl, playlist: MediaPlaylist) -> None:
        self.failure: VideoError | None = None
        self._fetcher = fetcher
        self._url = url
        self.longest_step_seconds = _longest_step_seconds(playlist)
        self._is_live = not playlist.is_ended
        self._is_ended = playlist.is_ended
        self._target_seconds = playlist.target_seconds
        self._waiting = deque(playlist.segments[-LIVE_SEGMENTS_BEHIND:] if self._is_live else playlist.segments)
        self._last_number = playlist.segments[-1].number if playlist.segments else -1
        self._asked_at = self._grown_at = monotonic()
        self._next: tuple[Segment, bytes] | None = None
        self._owes_new_run = False
        self._num_lost = 0
        self._headers: dict[Resource, bytes] = {}
        self._decryption = Decryption(self._try_to_get)

    @property
    def is_live(self) -> bool:
        """Whether the playlist had no end when reading started."""
        return self._is_live

    def begins_run(self) -> bool | None:
        """Whether the next segment starts a run; None if there is no next one. May wait for it."""
        while self._next is None and self.failure is None and self._has_waiting():
            segment = self._waiting.popleft()
            self._owes_new_run |= segment.is_new_run
            data = None if segment.is_gap else self._get(segment.media)
            if data is not None:
                self._next = (segment, data)
        return None if self._next is None else self._owes_new_run

    def take(self, *, with_header: bool) -> bytes:
        """Bytes of the next segment (see `begins_run`); empty after a failure."""
        if self._next is None:
            return b""
        (segment, data), self._next = self._next, None
        self._owes_new_run = False
        if not with_header or segment.header is None:
            return data
        header = self._headers.get(segment.header) or self._get(segment.header)
        if header is None:
            return b""
        self._headers = {segment.header: header}
        return header + data

    def _has_waiting(self) -> bool:
        while not self._waiting and not self._is_ended and self.failure is None:
            self._ask_again()
        return bool(self._waiting) and self.failure is None

    def _ask_again(self) -> None:
        """Wait as RFC 8216, section 6.3.4, requires, and reload the playlist."""
        has_grown = self._grown_at >= self._asked_at
        wait_seconds = max(_SHORTEST_WAIT_SECONDS, self._target_seconds / (1 if has_grown else 2))
        sleep(max(0.0, self._asked_at + wait_seconds - monotonic()))
        self._asked_at = monotonic()
        playlist = self._get_playlist()
        if playlist is None:
            return
        self._target_seconds = playlist.target_seconds
        self._is_ended = playlist.is_ended
        self._add(playlist)
        stall_seconds = max(_STALL_TARGETS * self._target_seconds, self._fetcher.timeouts.read_seconds)
        if not self._waiting and not self._is_ended and monotonic() - self._grown_at > stall_seconds:
            self.failure = SourceStalledError(f"{self._url} had no new segment for {stall_seconds:g} s")

    def _add(self, playlist: MediaPlaylist) -> None:
        segments = playlist.segments
        # A cache may return a slightly older playlist; a much older one means that the server restarted.
        if segments and segments[-1].number < self._last_number - len(segments):
            segments = segments[-LIVE_SEGMENTS_BEHIND:]
            self._last_number = segments[0].number - 1
            self._owes_new_run = True
        fresh = [segment for segment in segments if segment.number > self._last_number]
        if fresh:
            self._waiting.extend(fresh)
            self._last_number = fresh[-1].number
            self._grown_at = monotonic()

    def _get_playlist(self) -> MediaPlaylist | None:
        data = self._try_to_get(Resource(self._url, ""), MAX_PLAYLIST_BYTES)
        if isinstance(data, VideoError):
            self.failure = data
            return None
        try:
            playlist = parse_playlist(data, self._url)
        except VideoError as error:
            self.failure = error
            return None
        if not isinstance(playlist, MediaPlaylist):
            self.failure = SourceUnreachableError(f"{self._url} changed to another kind of playlist")
            return None
        return playlist

    def _get(self, resource: Resource) -> bytes | None:
        """Bytes of a segment; None if lost."""
        data = self._try_to_get(resource, MAX_SEGMENT_BYTES)
        if isinstance(data, bytes):
            data = self._decryption.open(resource, data)
        if isinstance(data, bytes):
            self._num_lost = 0
            return data
        self._num_lost += 1
        is_lost = isinstance(data, SourceNotFoundError | SourceUnreachableError | SourceStalledError)
        if not is_lost or (self._is_live and self._num_lost > MAX_LOST_SEGMENTS):
            self.failure = data
        elif not self._is_live:
            self.failure = TruncatedVideoError(f"a segment of {self._url} is missing: {data}")
        return None

    def _try_to_get(self, resource: Resource, most_bytes: int) -> bytes | VideoError:
        for num_failed in range(MAX_TRIES):
            try:
                return self._fetcher.get_bytes(resource.url, most_bytes, resource.part)[0]
            except (SourceUnreachableError, SourceStalledError) as error:
                failure: VideoError = error
                if num_failed + 1 < MAX_TRIES:
                    sleep(self._fetcher.timeouts.pause_seconds * 2**num_failed)
            except VideoError as error:
                return error
        return failure


def _longest_step_seconds(playlist: MediaPlaylist) -> Fraction:
    """A picture may stay for a whole segment, plus segments marked missing."""
    longest = max((segment.seconds for segment in playlist.segments), default=0.0)
    missing = sum(segment.seconds for segment in playlist.segments if segment.is_gap)
    return LONGEST_LIVE_STEP + Fraction(longest) + Fraction(missing)


class SegmentRun(StreamBytes):
    """Bytes of a run of segments that one demuxer can read."""

    def __init__(self, feed: SegmentFeed) -> None:
        self._feed = feed
        self.may_be_live = feed.is_live
        self.longest_step_seconds = feed.longest_step_seconds
        self._data = memoryview(b"")
        self._is_begun = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; empty at the end of the run. May wait for a segment."""
        while not self._data:
            begins_run = self._feed.begins_run()
            if begins_run is None or (begins_run and self._is_begun):
                return b""
            self._data = memoryview(self._feed.take(with_header=not self._is_begun))
            self._is_begun = True
        stop = len(self._data) if size < 0 else size
        data, self._data = bytes(self._data[:stop]), self._data[stop:]
        return data
