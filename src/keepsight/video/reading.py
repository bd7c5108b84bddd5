"""Decoding a file from start to end, despite damage in between."""

from __future__ import annotations  # PyAV's packets are generic only in its stubs

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keepsight.video.accesspoints import starts_afresh
from keepsight.video.clock import ClockSettings, PresentationClock, usual_duration
from keepsight.video.containers import codec_name
from keepsight.video.geometry import PixelAspect
from keepsight.video.packet_times import LONGEST_STAY, WRAP_SECONDS, Epoch, PacketExtent, PacketTimes, Stamp
from keepsight.video.sampling import Break, SampleGrid, TimedPicture
from keepsight.video.skipping import Order, PacketQueue

# Other codecs have packets that are never displayed (VP8, VP9, AV1) or hold two pictures (MPEG-4 in AVI).
_ONE_PICTURE_A_PACKET = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"})
_WHOLE_FORMATS = frozenset({"matroska,webm", "avi"})
_BROADCAST_FORMATS = frozenset({"mpegts", "mpeg", "mpegvideo", "wtv"})
_MICROSECOND = Fraction(1, 1_000_000)
# A timestamp this far beyond the container's duration is damage.
_SPARE_SECONDS = 3600
# Undisplayed pictures may end a stream, so a small shortfall is no damage if nothing failed to decode.
_QUIET_SHORTFALL_SECONDS = Fraction(1)
_LONGEST_DAMAGE_SECONDS = Fraction(10)
"""A picture before damage stays on screen for at most this long; the rest is a gap."""


class PictureReader:
    """Reads a container's pictures once, in display order.

    An undecodable packet is skipped: within a file, pictures continue at the next decodable one, and the one before the
    damage stays on screen meanwhile. If none follows, `ends_early` is true.

    Args:
        container: an open container, at its start.
        stream: its video stream.
        grid: sampling instants, or None for every picture.
        is_cut_off: the file is known to be truncated, so a packet marked incomplete is the last.
        is_live: packets arrive in real time, so a clock leap that arrival does not confirm is a jump.
        longest_step_seconds: a longer step between pictures is a clock jump; None if every step is real.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        grid: SampleGrid | None,
        *,
        is_cut_off: bool = False,
        is_live: bool = False,
        longest_step_seconds: Fraction | None = None,
    ) -> None:
        self._container = container
        self._stream = stream
        self._grid = grid
        self._is_cut_off = is_cut_off
        self._is_live = is_live
        self._time_base = stream.time_base or Fraction(1, 90_000)
        self._queue = self._make_queue(grid)
        settings = replace(clock_settings(container), longest_step_seconds=longest_step_seconds or LONGEST_STAY)
        self._clock = PresentationClock(settings.zero)
        is_broadcast = container.format.name in _BROADCAST_FORMATS
        self._packet_times = PacketTimes(stream, settings, finds_holes=is_broadcast and not is_live, is_live=is_live)
        self._usual_duration = usual_duration(stream)
        self._pixel_aspect = PixelAspect(stream)
        self._last_picture_pts: int | None = None
        self._epoch = Epoch(settings.zero)
        self._num_damaged_told = 0
        self.num_pictures = 0
        self.num_damaged_packets = 0
        self.end_seconds = Fraction(0)
        stream.thread_type = "AUTO"
        stream.codec_context.copy_opaque = True

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures with times; with a grid, at least those it needs. Damage ends iteration without an error."""
        for order in self._orders():
            self._stream.codec_context.skip_frame = "NONREF" if order.may_skip else "DEFAULT"
            yield from self._place(self._decode(order.packet))
        yield from self._place(self._decode(None))

    @property
    def extent(self) -> PacketExtent:
        """Extent of the packets; final once `pictures` has ended."""
        return self._packet_times.extent

    @property
    def ends_early(self) -> bool:
        """Whether pictures at the end of the file could not be decoded; final once `pictures` has ended."""
        if self._is_cut_off or self.num_pictures == 0:
            return True
        last_packet_pts = self._packet_times.last_shown_pts
        if last_packet_pts is None or self._last_picture_pts is None:
            return False
        shortfall = (last_packet_pts - self._last_picture_pts) * self._time_base
        return shortfall > (0 if self.num_damaged_packets else _QUIET_SHORTFALL_SECONDS)

    def _make_queue(self, grid: SampleGrid | None) -> PacketQueue[Packet[VideoStream]] | None:
        context = self._stream.codec_context
        codec, extradata = codec_name(self._stream), context.extradata
        is_intra_only = context.codec.intra_only
        if grid is None or not (is_intra_only or codec in _ONE_PICTURE_A_PACKET):
            return None

        def is_afresh(packet: Packet[VideoStream]) -> bool:
            return packet.is_keyframe and (is_intra_only or starts_afresh(codec, extradata, bytes(packet)))

        return PacketQueue(self._time_base, is_afresh)

    def _orders(self) -> Iterator[Order[Packet[VideoStream]]]:
        for packet in self._packet_times.watch(self._read_packets()):
            if self._queue is None:
                yield Order(packet, may_skip=False)
            else:
                yield from self._queue.push(packet)
        if self._queue is not None:
            yield from self._queue.flush()

    def _read_packets(self) -> Iterator[Packet[Stream]]:
        try:
            for packet in self._container.demux(self._demuxed_streams()):
                if packet.size == 0 or (packet.is_corrupt and self._is_cut_off):
                    continue
                yield packet
        except FFmpegError:
            self.num_damaged_packets += 1
            self._is_cut_off = True
        except IndexError:
            # PyAV 18 raises this after the last packet of a file with a late stream; nothing is lost.
            return

    def _demuxed_streams(self) -> list[Stream]:
        """Video stream, and for a file its audio, which shows its duration."""
        return [self._stream] if self._is_live else [self._stream, *self._container.streams.audio]

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            self.num_damaged_packets += 1
            return []

    def _place(self, pictures: list[VideoFrame]) -> Iterator[TimedPicture[VideoFrame]]:
        for picture in pictures:
            stamp = picture.opaque if isinstance(picture.opaque, Stamp) else Stamp(self._epoch)
            timestamp = picture.pts * self._time_base if picture.pts is not None and stamp.has_time else None
            duration = picture.duration * self._time_base
            if not 0 < duration <= LONGEST_STAY:
                duration = self._usual_duration
            end_before = self.end_seconds
            start = self._clock.place(timestamp, duration, stamp.epoch.zero)
            at_break = self._break_before(start, end_before, stamp.epoch) if self.num_pictures else None
            self._epoch = max(self._epoch, stamp.epoch, key=lambda epoch: epoch.number)
            if self._queue is not None:
                self._tell_queue(self._queue, picture, start)
            self.num_pictures += 1
            self._last_picture_pts = picture.pts
            self.end_seconds = start + duration
            self._pixel_aspect.note_on(picture)  # replaces the stamp, which is no longer needed
            yield TimedPicture(start, duration, picture, at_break)

    def _break_before(self, start: Fraction, end_before: Fraction, epoch: Epoch) -> Break | None:
        """Break before a picture; None if it continues the previous one."""
        was_damaged = self.num_damaged_packets > self._num_damaged_told
        self._num_damaged_told = self.num_damaged_packets
        if epoch.number > self._epoch.number and epoch.break_before is not None:
            return epoch.break_before
        if was_damaged and start - end_before > _LONGEST_DAMAGE_SECONDS:
            return Break(end_before, start, "the video is damaged here")
        return None

    def _tell_queue(self, queue: PacketQueue[Packet[VideoStream]], picture: VideoFrame, start: Fraction) -> None:
        if picture.interlaced_frame or picture.pts is None or self.num_damaged_packets:
            # Two fields may be two packets; and after damage, what is on screen depends on all decoded before.
            queue.stop()
        elif self.num_pictures == 0 and self._grid is not None:
            queue.begin(self._grid.anchored(start), self._clock.zero / self._time_base)


def clock_settings(container: InputContainer) -> ClockSettings:
    """Clock settings of a container. Its zero is that of FFmpeg's `-ss` and players."""
    is_broadcast = container.format.name in _BROADCAST_FORMATS
    return ClockSettings(
        zero=_zero(container),
        wrap_seconds=WRAP_SECONDS if is_broadcast else None,
        latest_seconds=_latest_seconds(container),
    )


def _latest_seconds(container: InputContainer) -> Fraction | None:
    """Upper bound of picture times, if the container's header states the whole duration."""
    # A fragmented MP4's header counts no pictures, and its duration may cover only the first fragment.
    is_whole = container.format.name in _WHOLE_FORMATS or any(stream.frames for stream in container.streams.video)
    if not is_whole or container.format.name in _BROADCAST_FORMATS or not container.duration:
        return None
    return 2 * container.duration * _MICROSECOND + _SPARE_SECONDS


def _zero(container: InputContainer) -> Fraction | None:
    """Timestamp of time 0 in seconds: that of the earliest stream, which FFmpeg gives in microseconds."""
    if container.start_time is None:
        return None
    rounded = container.start_time * _MICROSECOND
    for stream in container.streams:
        if stream.start_time is not None and stream.time_base is not None:
            exact = stream.start_time * stream.time_base
            if abs(exact - rounded) <= _MICROSECOND:
                return exact
    return rounded
