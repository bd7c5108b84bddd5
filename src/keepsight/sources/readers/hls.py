"""HTTP Live Streaming (RFC 8216).

Playlists are read here and not by FFmpeg, although PyAV can route its demuxer's requests through a function
(`io_open`): that demuxer opens every variant, silently skips unavailable segments, decrypts through its own protocol
and cannot continue after a change of fMP4 header. Here FFmpeg sees only segment bytes, opens nothing, and restarts
where coding or clock change (EXT-X-DISCONTINUITY, another EXT-X-MAP). Every playlist, segment, key and redirect is
checked by the guard.

Not supported: encryption other than AES-128, and separate audio or video renditions (EXT-X-MEDIA).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

from av.video.frame import VideoFrame

from keepsight.errors import NotAVideoError, NoVideoStreamError, TruncatedVideoError, VideoError
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.once_read import OnceReadMedia
from keepsight.sources.network.playlist_parsing import MAX_PLAYLIST_BYTES, parse_playlist
from keepsight.sources.network.playlists import MediaPlaylist
from keepsight.sources.network.segments import LIVE_SEGMENTS_BEHIND, SegmentFeed, SegmentRun
from keepsight.sources.network.stream_reading import StreamReading
from keepsight.sources.network.urls import SourceUrl, parse_url
from keepsight.sources.network.variants import choose_variant
from keepsight.video import VideoInfo
from keepsight.video.packet_times import PacketExtent
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.source import Media, Reading


class _HlsReading:
    """One pass over the pictures of all runs, on one clock."""

    def __init__(self, feed: SegmentFeed, name: str, grid: SampleGrid | None) -> None:
        self.feed = feed
        self.name = name
        self.end_seconds = Fraction(0)
        self.ends_early = False
        self.extent: PacketExtent | None = None
        self._grid = grid
        self._run: StreamReading | None = None

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        while self.feed.begins_run() is not None:
            run = self._open_run()
            if run is None:
                continue
            start = self.end_seconds
            for picture in run.pictures():
                # The grid counts from a run's own first picture, so only the first run can skip pictures.
                self._grid = None
                self.end_seconds = start + picture.start + picture.duration
                yield _moved(picture, start)
            self.ends_early = run.ends_early
            self._add_extent(run.extent)
            self.close()

    def describe(self, first: VideoFrame) -> VideoInfo:
        """Properties of the current run and its first picture."""
        if self._run is None:
            raise VideoError(f"{self.name} is closed")
        return self._run.describe(first)

    def check_end(self) -> None:
        if self.feed.failure is not None:
            raise self.feed.failure

    def close(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None

    def _add_extent(self, of_run: PacketExtent) -> None:
        before = self.extent or PacketExtent(0.0, 0.0)
        self.extent = PacketExtent(
            before.pictures_end_seconds + of_run.pictures_end_seconds,
            before.packets_end_seconds + of_run.packets_end_seconds,
        )

    def _open_run(self) -> StreamReading | None:
        """Next run; None for one without video, such as audio alone between two others."""
        try:
            self._run = StreamReading(SegmentRun(self.feed), self.name, self._grid)
        except (NotAVideoError, NoVideoStreamError):
            if not self.end_seconds:
                raise
            self.ends_early = True
        return self._run


def _moved(picture: TimedPicture[VideoFrame], seconds: Fraction) -> TimedPicture[VideoFrame]:
    """A run's picture on the clock of all runs."""
    at_break = picture.break_before
    if at_break is not None:
        last_seconds, next_seconds = seconds + at_break.last_seconds, seconds + at_break.next_seconds
        at_break = replace(at_break, last_seconds=last_seconds, next_seconds=next_seconds)
    return replace(picture, start=seconds + picture.start, break_before=at_break)


class HlsVideo(Media):
    """A finite segmented stream, which can be sampled like a file. Made by `open_hls`.

    Attributes:
        url: its URL.
        info: properties of its video; its duration is that of all segments.
    """

    def __init__(
        self, url: SourceUrl, info: VideoInfo, fetcher: Fetcher, media_url: SourceUrl, playlist: MediaPlaylist
    ) -> None:
        super().__init__(url.display, info)
        self.url = url
        self._fetcher = fetcher
        self._media_url = media_url
        self._playlist = playlist

    @contextmanager
    def _read(self, grid: SampleGrid) -> Iterator[Reading]:
        feed = SegmentFeed(self._fetcher, self._media_url, self._playlist)
        reading = _HlsReading(feed, self.name, grid)
        try:
            yield _WholeReading(self, reading)
        finally:
            reading.close()


class _WholeReading:
    def __init__(self, media: HlsVideo, reading: _HlsReading) -> None:
        self._media = media
        self._reading = reading
        self.pictures = reading.pictures

    @property
    def extent(self) -> PacketExtent | None:
        return self._reading.extent

    def check_end(self) -> None:
        failure = self._reading.feed.failure
        if failure is not None and not isinstance(failure, TruncatedVideoError):
            raise failure
        if failure is not None or self._reading.ends_early:
            raise self._media.early_end(float(self._reading.end_seconds)) from failure


def open_hls(url: str | SourceUrl, guard: Guard, *, fetcher: Fetcher | None = None) -> Media:
    """Open an HLS stream and read its properties; decodes the first picture. Use as a context manager.

    A playlist with an end behaves like a file, one without is live. Of several variants, the one nearest to 720 lines
    is read (`keepsight.sources.network.variants`).

    Args:
        url: http or https; a master or a media playlist.
        guard: checks hosts before connecting.
        fetcher: client with other timeouts or certificates; None for the default under `guard`.

    Raises:
        AddressRefusedError: an address is not allowed.
        SourceNotFoundError: status 404 or 410.
        SourceUnreachableError: unreachable, or another error status.
        SourceStalledError: timeout.
        NotAVideoError, NoVideoStreamError: it is not a playlist, unsupported, or has no video.
        TruncatedVideoError: a segment is missing before the first frame.
    """
    return open_playlist(parse_url(url) if isinstance(url, str) else url, fetcher or Fetcher(guard))


def open_playlist(url: SourceUrl, fetcher: Fetcher) -> Media:
    """Like `open_hls`, with an existing client."""
    media_url, playlist = media_playlist(url, fetcher)
    feed = SegmentFeed(fetcher, media_url, playlist)
    reading = _HlsReading(feed, url.display, None)
    try:
        pictures = reading.pictures()
        first = _first_picture(reading, pictures)
        info = replace(reading.describe(first.picture), num_frames=None, started_at=_started_at(playlist))
        if not playlist.is_ended:
            return OnceReadMedia(url.display, info, reading, first, pictures)
    except BaseException:
        reading.close()
        raise
    reading.close()
    seconds = sum(segment.seconds for segment in playlist.segments)
    return HlsVideo(url, replace(info, duration_seconds=seconds), fetcher, media_url, playlist)


def _first_picture(reading: _HlsReading, pictures: Iterator[TimedPicture[VideoFrame]]) -> TimedPicture[VideoFrame]:
    try:
        first = next(pictures, None)
    except VideoError:
        reading.check_end()
        raise
    if first is None:
        reading.check_end()
        raise NotAVideoError(f"{reading.name} has no frame that can be decoded")
    return first


def media_playlist(url: SourceUrl, fetcher: Fetcher) -> tuple[SourceUrl, MediaPlaylist]:
    """Media playlist at a URL, or of the chosen variant of the master playlist there.

    Raises:
        VideoError: it is unavailable or invalid.
    """
    data, came_from = fetcher.get_bytes(url, MAX_PLAYLIST_BYTES)
    playlist = parse_playlist(data, came_from)
    if not isinstance(playlist, MediaPlaylist):
        variant = choose_variant(playlist, came_from)
        data, came_from = fetcher.get_bytes(variant.url, MAX_PLAYLIST_BYTES)
        playlist = parse_playlist(data, came_from)
    if not isinstance(playlist, MediaPlaylist):
        raise NotAVideoError(f"{url} is a master playlist that leads to another one")
    return came_from, playlist


def _started_at(playlist: MediaPlaylist) -> float | None:
    """Unix time of the first segment to be read."""
    behind = 0 if playlist.is_ended else max(0, len(playlist.segments) - LIVE_SEGMENTS_BEHIND)
    return next((segment.started_at for segment in playlist.segments[behind : behind + 1]), None)
