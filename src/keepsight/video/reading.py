"""Decoding a file from its start to its end, whatever is broken in between."""

from __future__ import annotations  # PyAV's packets are generic in its stubs only

from collections.abc import Iterator
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keepsight.video.accesspoints import starts_afresh
from keepsight.video.clock import LONGEST_HOLD, LONGEST_HOLD_BROADCAST, FrameClock, usual_duration
from keepsight.video.containers import codec_name
from keepsight.video.sampling import SampleGrid, TimedPicture
from keepsight.video.skipping import Order, PacketQueue

# Other codecs have packets that are never shown (VP8, VP9, AV1) or hold two pictures (MPEG-4 in AVI).
_ONE_PICTURE_A_PACKET = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"})
_BROADCAST_FORMATS = frozenset({"mpegts", "mpeg", "mpegvideo", "wtv"})
# Pictures that a codec never shows may end a stream, so some shortfall is no damage where nothing failed to decode.
_QUIET_SHORTFALL_SECONDS = Fraction(1)


class PictureReader:
    """Reads a container's pictures once, in the order in which they are shown.

    A packet that can't be read or decoded is passed over: in the middle of a file the pictures go on at the next one
    that can, and the one before the damage stays on screen meanwhile. Where none follows, `ends_early` tells.

    Args:
        container: an open container, at its start.
        stream: its stream of pictures.
        grid: the instants for which pictures are wanted, or None for every picture.
        is_cut_off: the file is known to lack its end, so a packet that is marked as incomplete is the last one.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, grid: SampleGrid | None, *, is_cut_off: bool = False
    ) -> None:
        self._container = container
        self._stream = stream
        self._is_cut_off = is_cut_off
        self._time_base = stream.time_base or Fraction(1, 90_000)
        self._queue = self._make_queue(grid)
        is_broadcast = container.format.name in _BROADCAST_FORMATS
        self._longest_hold = LONGEST_HOLD_BROADCAST if is_broadcast else LONGEST_HOLD
        self._clock = FrameClock(self._longest_hold)
        self._usual_duration = usual_duration(stream, self._longest_hold)
        self._last_packet_pts: int | None = None
        self._last_picture_pts: int | None = None
        self.num_pictures = 0
        self.num_damaged_packets = 0
        self.end_seconds = Fraction(0)
        stream.thread_type = "AUTO"

    def pictures(self) -> Iterator[TimedPicture[VideoFrame]]:
        """Pictures with their times; with a grid, at least all that it needs. Damage ends it without an error."""
        for order in self._orders():
            self._stream.codec_context.skip_frame = "NONREF" if order.may_skip else "DEFAULT"
            yield from self._place(self._decode(order.packet))
        yield from self._place(self._decode(None))

    @property
    def ends_early(self) -> bool:
        """Whether pictures at the end of the file could not be decoded; final once `pictures` has ended."""
        if self._is_cut_off or self.num_pictures == 0:
            return True
        if self._last_packet_pts is None or self._last_picture_pts is None:
            return False
        shortfall = (self._last_packet_pts - self._last_picture_pts) * self._time_base
        return shortfall > (0 if self.num_damaged_packets else _QUIET_SHORTFALL_SECONDS)

    def _make_queue(self, grid: SampleGrid | None) -> PacketQueue[Packet[VideoStream]] | None:
        context = self._stream.codec_context
        codec, extradata = codec_name(self._stream), context.extradata
        is_intra_only = context.codec.intra_only
        if grid is None or not (is_intra_only or codec in _ONE_PICTURE_A_PACKET):
            return None

        def is_afresh(packet: Packet[VideoStream]) -> bool:
            return packet.is_keyframe and (is_intra_only or starts_afresh(codec, extradata, bytes(packet)))

        return PacketQueue(grid, self._time_base, is_afresh)

    def _orders(self) -> Iterator[Order[Packet[VideoStream]]]:
        for packet in self._packets():
            if self._queue is None:
                yield Order(packet, may_skip=False)
            else:
                yield from self._queue.push(packet)
        if self._queue is not None:
            yield from self._queue.flush()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 or (packet.is_corrupt and self._is_cut_off):
                    continue
                if packet.pts is not None and not packet.is_discard:
                    self._last_packet_pts = max(packet.pts, self._last_packet_pts or packet.pts)
                yield packet
        except FFmpegError:
            self.num_damaged_packets += 1
            self._is_cut_off = True
        except IndexError:
            # PyAV 18 raises this after the last packet of a file in which a stream turned up late; nothing is lost.
            return

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except FFmpegError:
            self.num_damaged_packets += 1
            return []

    def _place(self, pictures: list[VideoFrame]) -> Iterator[TimedPicture[VideoFrame]]:
        for picture in pictures:
            if self._queue is not None:
                self._tell_queue(self._queue, picture)
            timestamp = None if picture.pts is None else picture.pts * self._time_base
            duration = picture.duration * self._time_base
            if not 0 < duration <= self._longest_hold:
                duration = self._usual_duration
            start = self._clock.place(timestamp, duration)
            self.num_pictures += 1
            self._last_picture_pts = picture.pts
            self.end_seconds = start + duration
            yield TimedPicture(start, duration, picture)

    def _tell_queue(self, queue: PacketQueue[Packet[VideoStream]], picture: VideoFrame) -> None:
        if picture.interlaced_frame or picture.pts is None or self.num_damaged_packets:
            # Two fields may be two packets; and what damage leaves on screen depends on all that was decoded before.
            queue.stop()
        elif self.num_pictures == 0:
            queue.begin(picture.pts)
