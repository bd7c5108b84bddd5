"""Timing of a container's packets, before decoding or skipping.

It serves two purposes. The extent of video and audio is compared with the container's claimed duration and with what
was watched. And in formats whose recordings may be interrupted (MPEG transport streams), it distinguishes a leap of
timestamps from a still picture: no audio fills the leap, and the pictures around it are much denser.
"""

from __future__ import annotations  # PyAV's packets are generic only in its stubs

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from keepsight.video.clock import LONGEST_LIVE_STEP, ClockSettings, FrameClock, usual_duration
from keepsight.video.sampling import Break

LONGEST_BROADCAST_STAY = Fraction(10)
"""How long a picture of a transport stream may stay without further evidence, in seconds."""

INTERRUPTED = "the recording was interrupted"
"""Reason of a gap in the timestamps."""

LONGEST_STAY = Fraction(7 * 86_400)
"""How long a picture may stay at most, in seconds: a leap of more than a week is damage."""

WRAP_SECONDS = Fraction(1 << 33, 90_000)
"""Period after which MPEG timestamps wrap: 33 bits at 90 kHz (ISO/IEC 13818-1, section 2.4.3.7)."""

_LONGEST_SILENCE = Fraction(2)
_LONGEST_DELAY = Fraction(3600)
_MOST_REORDERED_PICTURES = 32  # H.264 and HEVC allow 16
_USUAL_STEPS = 3
"""A leap is a gap if it is longer than this many of the longest steps around it."""


@dataclass(frozen=True)
class PacketExtent:
    """Extent of a container's packets, in seconds since its zero.

    Attributes:
        pictures_end_seconds: end of the last displayed picture.
        packets_end_seconds: end of the last packet of any kind, including audio and undisplayed pictures.
    """

    pictures_end_seconds: float
    packets_end_seconds: float


@dataclass(frozen=True)
class Epoch:
    """A run of packets whose timestamps share one clock.

    Attributes:
        zero: timestamp of the stream's time 0 in seconds; None until the first timestamp.
        number: 0, 1, ... in packet order.
        break_before: break before its pictures; None if they continue the previous epoch.
    """

    zero: Fraction | None
    number: int = 0
    break_before: Break | None = None


@dataclass(frozen=True, eq=False)
class Stamp:
    """Attached to a packet and its picture. A new object per packet, since PyAV keys them by identity.

    Attributes:
        epoch: epoch of the packet.
        has_time: whether its timestamp is plausible, given its decoding time.
    """

    epoch: Epoch
    has_time: bool = True


class PacketTimes:
    """Forwards video packets, each with its `Stamp` as `opaque`, which decoders pass on to the picture.

    Args:
        stream: the watched video stream.
        settings: settings of the container's clock.
        finds_holes: whether a leap may be an interruption; a packet may then be held until the next one.
        is_live: packets arrive in real time, so a forward leap that arrival times do not confirm is a clock jump.
    """

    def __init__(
        self, stream: VideoStream, settings: ClockSettings, *, finds_holes: bool = False, is_live: bool = False
    ) -> None:
        self._stream = stream
        self._time_base = stream.time_base or Fraction(1, 90_000)
        self._usual_duration = usual_duration(stream)
        self._clock = FrameClock(settings)
        self._finds_holes = finds_holes
        self._is_live = is_live
        self._epoch = Epoch(settings.zero)
        self._decoded: Fraction | None = None
        self._longest_step = Fraction(0)
        self._shown_end: Fraction | None = None
        self._sound = _Sound()
        self._pictures_end = Fraction(0)
        self._packets_end = Fraction(0)
        self._arrived = time.monotonic()
        self.last_shown_pts: int | None = None
        """Largest picture timestamp so far, since the last restart of timestamps."""

    @property
    def extent(self) -> PacketExtent:
        """Extent of the packets so far."""
        return PacketExtent(float(self._pictures_end), float(max(self._pictures_end, self._packets_end)))

    def watch(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[VideoStream]]:
        """Video packets in order; packets of other streams are only noted."""
        waiting: tuple[Packet[VideoStream], Fraction] | None = None
        for packet in packets:
            if packet.stream_index != self._stream.index:
                self._note_other(packet)
                continue
            step = self._step_to(packet)
            if waiting is not None:
                yield self._judged(*waiting, step)
                waiting = None
            self._begin_epoch_where_the_clock_does(packet)
            if self._may_be_hole(packet, step):
                waiting = packet, step
                continue
            self._longest_step = max(self._longest_step, step)
            yield self._shown(packet)
        if waiting is not None:
            yield self._shown(waiting[0])

    def _step_to(self, packet: Packet[VideoStream]) -> Fraction:
        """Seconds since the previous packet, in decoding order."""
        seconds = None if packet.dts is None else packet.dts * self._time_base
        decoded = self._clock.follow(seconds, self._duration(packet), self._longest_live_step())
        step = Fraction(0) if self._decoded is None else decoded - self._decoded
        self._decoded = decoded
        return step

    def _longest_live_step(self) -> Fraction | None:
        """Longest plausible step of a live clock: what arrival times confirm, plus a margin."""
        if not self._is_live:
            return None
        arrived_before, self._arrived = self._arrived, time.monotonic()
        return LONGEST_LIVE_STEP + Fraction(self._arrived - arrived_before)

    def _begin_epoch_where_the_clock_does(self, packet: Packet[VideoStream]) -> None:
        """Start a new epoch before a packet whose timestamps jumped or wrapped."""
        if packet.pts is None or self._shown_end is None:
            return
        if self._clock.jump:
            here = self._pictures_end
            self._epoch = self._next_epoch(packet.pts * self._time_base - here, Break(here, here, self._clock.jump))
        elif self._clock.has_wrapped:
            self._epoch = self._next_epoch(self._zero - WRAP_SECONDS, None)
        else:
            return
        self.last_shown_pts = self._shown_end = None

    def _next_epoch(self, zero: Fraction, break_before: Break | None) -> Epoch:
        return Epoch(zero, self._epoch.number + 1, break_before)

    @property
    def _zero(self) -> Fraction:
        return self._epoch.zero or Fraction(0)

    def _seconds(self, timestamp: Fraction) -> Fraction:
        """Time of a timestamp in the current epoch, both in seconds."""
        return timestamp - self._zero

    def _duration(self, packet: Packet[VideoStream]) -> Fraction:
        """Usual display duration of a packet's picture in seconds, above 0."""
        said = (packet.duration or 0) * self._time_base
        return said if 0 < said <= LONGEST_STAY else self._usual_duration

    def _note_other(self, packet: Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base is not None:
            seconds = packet.pts * packet.time_base - self._zero
            self._sound.note(packet.stream_index, seconds)
            self._packets_end = max(self._packets_end, seconds + (packet.duration or 0) * packet.time_base)

    def _may_be_hole(self, packet: Packet[VideoStream], step: Fraction) -> bool:
        if not self._finds_holes or packet.pts is None or self._shown_end is None:
            return False
        is_long = step > max(LONGEST_BROADCAST_STAY, _USUAL_STEPS * self._longest_step)
        return is_long and not self._sound.fills(
            self._seconds(self._shown_end), self._seconds(packet.pts * self._time_base)
        )

    def _judged(self, packet: Packet[VideoStream], leap: Fraction, next_step: Fraction) -> Packet[VideoStream]:
        """A packet after a leap, marked as a gap if the next packet follows much faster."""
        if leap > _USUAL_STEPS * next_step and packet.pts is not None and self._shown_end is not None:
            hole = Break(self._seconds(self._shown_end), self._seconds(packet.pts * self._time_base), INTERRUPTED)
            self._epoch = self._next_epoch(self._zero, hole)
        else:
            self._longest_step = max(self._longest_step, leap)
        return self._shown(packet)

    def _shown(self, packet: Packet[VideoStream]) -> Packet[VideoStream]:
        """Note a forwarded packet."""
        if self._epoch.zero is None and packet.pts is not None:
            self._epoch = Epoch(packet.pts * self._time_base)
        packet.opaque = Stamp(self._epoch, self._has_time(packet))
        if packet.pts is None or not packet.opaque.has_time:
            return packet
        end = packet.pts * self._time_base + self._duration(packet)
        if packet.is_discard:
            self._packets_end = max(self._packets_end, self._seconds(end))
            return packet
        self._pictures_end = max(self._pictures_end, self._seconds(end))
        self.last_shown_pts = max(packet.pts, packet.pts if self.last_shown_pts is None else self.last_shown_pts)
        self._shown_end = end if self._shown_end is None else max(end, self._shown_end)
        return packet

    def _has_time(self, packet: Packet[VideoStream]) -> bool:
        if packet.pts is None or packet.dts is None:
            return packet.pts is not None
        longest = max(_LONGEST_DELAY, _MOST_REORDERED_PICTURES * max(self._longest_step, self._duration(packet)))
        return abs(packet.pts - packet.dts) * self._time_base <= longest


class _Sound:
    """Tracks whether other streams continue between two pictures."""

    def __init__(self) -> None:
        self._runs: dict[int, tuple[Fraction, Fraction]] = {}

    def note(self, stream_index: int, seconds: Fraction) -> None:
        """Note the time of another stream's packet."""
        begin, latest = self._runs.get(stream_index, (seconds, seconds))
        if abs(seconds - latest) > _LONGEST_SILENCE:
            begin = seconds
        self._runs[stream_index] = begin, seconds

    def fills(self, start_seconds: Fraction, end_seconds: Fraction) -> bool:
        """Whether a stream runs without a leap from before a span to its middle or beyond."""
        middle = (start_seconds + end_seconds) / 2
        return any(begin <= start_seconds and middle <= latest for begin, latest in self._runs.values())
