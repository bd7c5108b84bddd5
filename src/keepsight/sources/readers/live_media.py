"""A live media stream, read once as it comes, from a camera or a network.

A file's reader (`video.reading.PictureReader`) skips damage and finally checks whether the file was whole. Here the
question is whether the peer is still there: undecodable packets are skipped as in a file, but a broken or silent
connection is reported to the caller, who may reconnect. Every packet is decoded at once: holding packets back to skip
others, as for files, would add latency.
"""

from __future__ import annotations  # PyAV's packets are generic only in its stubs

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError
from av.error import TimeoutError as AvTimeoutError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keepsight.errors import (
    NotAVideoError,
    NoVideoStreamError,
    SettingError,
    SourceStalledError,
    SourceUnreachableError,
    VideoError,
)
from keepsight.sources.live_clock import LeaplessClock
from keepsight.video import Frame, VideoInfo
from keepsight.video.clock import LONGEST_LIVE_STEP, FrameClock, usual_duration
from keepsight.video.containers import MAX_PIXELS, codec_name
from keepsight.video.geometry import PixelAspect, stretched
from keepsight.video.packet_times import PacketExtent
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen

LIVE_DECODERS = "h264 hevc mjpeg mpeg4 mpeg1video mpeg2video h263 h263p vp8 vp9 libvpx libvpx-vp9 libdav1d av1 rawvideo"
"""Allowed decoders of live streams, by FFmpeg's names, for `codec_whitelist` on opening and here."""

SILENCE_SECONDS = 20.0
"""Timeout without a picture, after which a live stream counts as stalled."""

# After "invalid data" a demuxer may continue at the next packet; one that only repeats it has ended.
_MOST_BAD_READS = 100


class LiveMedia:
    """A live stream in an open container; has the methods of `reader.Reader`, for one pass.

    Attributes:
        info: properties of its video. A live stream has no duration, and its frame size may change.
        num_damaged_packets: unreadable or undecodable packets so far.
    """

    extent: PacketExtent | None = None  # there are no packets with a duration to compare with

    def __init__(
        self,
        container: InputContainer,
        name: str,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        on_close: Callable[[], None] | None = None,
        is_broken: Callable[[], bool] | None = None,
    ) -> None:
        """Take ownership of a container opened with a read timeout; on failure it remains the caller's.

        Args:
            container: just opened, with `LIVE_DECODERS`.
            name: name in errors; holds no password.
            silence_seconds: timeout without a decodable picture.
            on_close: called when the container is closed.
            is_broken: called when the stream has ended, returns whether the connection broke; FFmpeg reports that as an
                end.

        Raises:
            NoVideoStreamError: it has no video.
            NotAVideoError: its codec is not among `LIVE_DECODERS`.
        """
        self._container = container
        self._name = name
        self._silence_seconds = silence_seconds
        self._on_close = on_close
        self._is_broken = is_broken
        self._stream = _choose_stream(container, name)
        self._failure: VideoError | None = None
        self._is_closed = False
        self._is_begun = False
        self.num_damaged_packets = 0
        self._pixel_aspect = PixelAspect(self._stream)
        self.info = _describe(self._stream)

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._container.close()
        if self._on_close is not None:
            self._on_close()

    def sampled_frames(self, sample_fps: float, *, start_seconds: float = 0.0) -> Iterator[Frame]:
        """Frames as they come: see `reader.Reader`.

        Raises:
            SettingError: an argument is out of range; a live stream starts now, at 0 (raised at once).
            VideoError: it is closed, or was already read (raised at once).
            SourceUnreachableError: the connection was lost; raised after all frames.
            SourceStalledError: no picture for `silence_seconds`, or no data for the container's read timeout. FFmpeg
                holds back one packet, so the wait may take up to twice as long.
        """
        if start_seconds:
            raise SettingError(f"a live stream starts now, so start_seconds must be 0, got {start_seconds}")
        if self._is_closed or self._is_begun:
            raise VideoError(f"{self._name} is live and can be read only once, while open")
        self._is_begun = True
        return self._frames(SampleGrid(sample_fps), RgbConverter())

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        yield from frames_on_screen(self._pictures(), grid, converter.convert)
        if self._failure is not None:
            raise self._failure

    def _pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        clock, leapless = FrameClock(), LeaplessClock(LONGEST_LIVE_STEP)
        time_base = self._stream.time_base or Fraction(1, 90_000)
        duration = usual_duration(self._stream)
        latest = time.monotonic()
        has_any = False
        for packet in self._packets():
            for picture in self._decode(packet):
                latest, has_any = time.monotonic(), True
                timestamp = None
                if picture.pts is not None:
                    timestamp = leapless.without_leap(picture.pts * time_base, duration)
                self._pixel_aspect.note_on(picture)
                yield TimedPicture(clock.place(timestamp, duration), duration, picture)
            if self._failure is None and time.monotonic() - latest > self._silence_seconds:
                self._failure = SourceStalledError(
                    f"{self._name} sent no decodable frame for {self._silence_seconds:g} s"
                )
                return
        if not has_any and self._failure is None:
            self._failure = SourceUnreachableError(f"{self._name} ended before its first frame")

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets until the stream ends or fails; None for an unreadable one, and at the end."""
        num_bad_reads = 0
        while num_bad_reads < _MOST_BAD_READS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # PyAV ends a stream with empty packets
                        num_bad_reads = 0
                        yield packet
            except InvalidDataError:
                num_bad_reads += 1
                self.num_damaged_packets += 1
                continue
            except FFmpegError as error:
                self._failure = _failure_of(error, self._name)
            except IndexError:
                # PyAV 18 raises this at the end of a stream with a late stream; nothing is lost.
                pass
            if self._failure is None and self._is_broken is not None and self._is_broken():
                self._failure = SourceUnreachableError(f"{self._name} closed the connection")
            yield None
            return
        self._failure = SourceUnreachableError(f"{self._name} sends data that cannot be read")

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            self.num_damaged_packets += 1
            return []


def _choose_stream(container: InputContainer, name: str) -> VideoStream:
    if not container.streams.video:
        raise NoVideoStreamError(f"{name} has no video stream")
    stream = container.streams.video[0]
    codec = codec_name(stream)
    if codec not in LIVE_DECODERS.split():
        raise NotAVideoError(f"{name} uses the codec {codec}, which is not supported")
    stream.codec_context.options = {
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
        "max_pixels": str(MAX_PIXELS),
    }
    # Frame threads would hold back one picture each: seconds, at a slow camera's rate.
    stream.thread_type = "SLICE"
    return stream


def _describe(stream: VideoStream) -> VideoInfo:
    width, height = stretched(stream.width, stream.height, PixelAspect(stream).now)
    return VideoInfo(
        width=width,
        height=height,
        duration_seconds=None,
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        codec=codec_name(stream),
        rotation_degrees=0,
        num_frames=None,
        is_live=True,
    )


def _failure_of(error: FFmpegError, name: str) -> VideoError:
    """Error to raise. It is raised without FFmpeg's, which contains the address with password."""
    if isinstance(error, ExitError | AvTimeoutError):
        return SourceStalledError(f"{name} is connected but sends nothing")
    return SourceUnreachableError(f"the connection to {name} was lost: {error.strerror}")
