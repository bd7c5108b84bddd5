"""A media stream that is read once, as it comes: from a camera or over a network.

A file's reader (`video.reading.PictureReader`) passes over damage and asks at the end whether the file was whole. Here
the question is another one: is the other side still there? So a packet that can't be decoded is passed over as in a
file, and a connection that breaks or falls silent is told to the caller, who may connect again. Every packet is decoded
at once: holding some back to leave out others, as for files, would make what is happening now come late.
"""

from __future__ import annotations  # PyAV's packets are generic in its stubs only

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
from keepsight.video import Frame, VideoInfo
from keepsight.video.clock import LONGEST_HOLD_BROADCAST, FrameClock, usual_duration
from keepsight.video.containers import MAX_PIXELS, codec_name
from keepsight.video.pictures import RgbConverter
from keepsight.video.sampling import SampleGrid, TimedPicture, frames_on_screen

LIVE_DECODERS = "h264 hevc mjpeg mpeg4 mpeg1video mpeg2video h263 h263p vp8 vp9 libvpx libvpx-vp9 libdav1d av1 rawvideo"
"""Decoders that live streams may use, by FFmpeg's names: for `codec_whitelist`, at opening as well as here."""

SILENCE_SECONDS = 20.0
"""Seconds without a picture after which a live stream counts as stalled."""

# A demuxer that says "invalid data" may go on at the next packet; one that says nothing else is at its end.
_MOST_BAD_READS = 100


class LiveMedia:
    """A live stream in an open container; has the methods of `reader.Reader`, for one reading.

    Attributes:
        info: what the stream says of its pictures. A live stream has no length, and its pictures may change their size.
        num_damaged_packets: packets that could not be read or decoded so far.
    """

    def __init__(
        self,
        container: InputContainer,
        name: str,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        on_close: Callable[[], None] | None = None,
        is_broken: Callable[[], bool] | None = None,
    ) -> None:
        """Take over a container that was opened with a read timeout; where this fails, it is still the caller's.

        Args:
            container: just opened, with `LIVE_DECODERS`.
            name: what errors call it; holds no password.
            silence_seconds: longest time without a picture that could be decoded.
            on_close: called when the container is closed.
            is_broken: asked when the stream has ended: whether that was not its own end. FFmpeg takes a connection that
                is cut for an end.

        Raises:
            NoVideoStreamError: it has no pictures.
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
        self.info = _describe(self._stream)

    def close(self) -> None:
        """End the connection. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._container.close()
        if self._on_close is not None:
            self._on_close()

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, max_side_pixels: int | None = None
    ) -> Iterator[Frame]:
        """Frames as they come: see `reader.Reader`.

        Raises:
            SettingError: an argument is outside its range; a live stream starts now, at 0 (at once).
            VideoError: it is closed, or was read before (at once).
            SourceUnreachableError: the connection broke; after every frame before that.
            SourceStalledError: no picture came for `silence_seconds`, or nothing at all for the container's read
                timeout. As FFmpeg keeps back one packet, a wait for the next may be counted from two ends and take up
                to twice as long.
        """
        if start_seconds:
            raise SettingError(f"a live stream starts now, so start_seconds is 0, not {start_seconds}")
        if self._is_closed or self._is_begun:
            raise VideoError(f"{self._name} is live: it is read once, while it is open")
        self._is_begun = True
        return self._frames(SampleGrid(sample_fps), RgbConverter(max_side_pixels))

    def _frames(self, grid: SampleGrid, converter: RgbConverter) -> Iterator[Frame]:
        yield from frames_on_screen(self._pictures(), grid, converter.convert)
        if self._failure is not None:
            raise self._failure

    def _pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        clock = FrameClock(LONGEST_HOLD_BROADCAST)
        time_base = self._stream.time_base or Fraction(1, 90_000)
        duration = usual_duration(self._stream, LONGEST_HOLD_BROADCAST)
        latest = time.monotonic()
        has_any = False
        for packet in self._packets():
            for picture in self._decode(packet):
                latest, has_any = time.monotonic(), True
                timestamp = None if picture.pts is None else picture.pts * time_base
                yield TimedPicture(clock.place(timestamp, duration), duration, picture)
            if self._failure is None and time.monotonic() - latest > self._silence_seconds:
                self._failure = SourceStalledError(
                    f"{self._name} has sent no picture that can be decoded for {self._silence_seconds:g} s"
                )
                return
        if not has_any and self._failure is None:
            self._failure = SourceUnreachableError(f"{self._name} ended before its first picture")

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets until the stream ends or fails; a None where one could not be read, and one at the end."""
        num_bad_reads = 0
        while num_bad_reads < _MOST_BAD_READS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # PyAV ends a stream with empty ones
                        num_bad_reads = 0
                        yield packet
            except InvalidDataError:
                num_bad_reads += 1
                self.num_damaged_packets += 1
                continue
            except FFmpegError as error:
                self._failure = _failure_of(error, self._name)
            except IndexError:
                # PyAV 18 raises this at the end of a stream in which another turned up late; nothing is lost.
                pass
            if self._failure is None and self._is_broken is not None and self._is_broken():
                self._failure = SourceUnreachableError(f"{self._name} has ended the connection")
            yield None
            return
        self._failure = SourceUnreachableError(f"{self._name} sends nothing that can be read")

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
        raise NotAVideoError(f"{name} is coded as {codec}, which is not read")
    stream.codec_context.options = {
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
        "max_pixels": str(MAX_PIXELS),
    }
    # Threads that decode several pictures at a time hold back one picture each: seconds, at a slow camera's rate.
    stream.thread_type = "SLICE"
    return stream


def _describe(stream: VideoStream) -> VideoInfo:
    return VideoInfo(
        width=stream.width,
        height=stream.height,
        duration_seconds=None,
        average_fps=float(stream.average_rate) if stream.average_rate else None,
        codec=codec_name(stream),
        rotation_degrees=0,
        num_frames=None,
        is_live=True,
    )


def _failure_of(error: FFmpegError, name: str) -> VideoError:
    """The error to raise. It is raised apart from FFmpeg's, which holds the address with its password."""
    if isinstance(error, ExitError | AvTimeoutError):
        return SourceStalledError(f"{name} is connected and sends nothing")
    return SourceUnreachableError(f"the connection to {name} broke: {error.strerror}")
