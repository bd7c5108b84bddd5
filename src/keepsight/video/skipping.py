"""Skips packets whose pictures are not needed, without changing any needed picture.

Most pictures between two sampling instants are decoded only to be discarded. Two kinds can be skipped exactly:

- non-reference pictures that are on screen at no instant: the decoder skips them for that packet only;
- everything after the last wanted picture of a group, in decoding order, once the next group starts afresh
  (`accesspoints.py`). Its packets never reach the decoder.

Packets are queued until one of these is known. What is needed follows from packet timestamps alone: no later packet can
be displayed before the decoding time reached, so an earlier instant is settled. From missing, repeated or backward
timestamps on, all packets pass; that only costs time. The clock (`clock.py`) takes every forward step for real time, so
a picture's time does not depend on what was skipped before it.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from keepsight.video.sampling import SampleGrid

_MOST_QUEUED_PACKETS = 1024
_MOST_QUEUED_BYTES = 16 * 2**20
_MOST_KNOWN_TIMESTAMPS = 2048


class Packet(Protocol):
    """Interface of a coded picture; PyAV's packets have it."""

    @property
    def pts(self) -> int | None:
        """Display time, in units of the stream's time base."""

    @property
    def dts(self) -> int | None:
        """Decoding time, in the same units."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def is_discard(self) -> bool:
        """Whether it is decoded only as a reference and never displayed."""


PacketT = TypeVar("PacketT", bound=Packet)


@dataclass(frozen=True)
class Order(Generic[PacketT]):
    """A packet for the decoder, and whether its picture may be skipped if nothing refers to it."""

    packet: PacketT
    may_skip: bool


class PacketQueue(Generic[PacketT]):
    """Yields the packets needed to show a stream at a grid's instants.

    Args:
        time_base: seconds per unit of the packets' timestamps.
        starts_afresh: whether a packet is a random access point.
    """

    def __init__(self, time_base: Fraction, starts_afresh: Callable[[PacketT], bool]) -> None:
        self._time_base = time_base
        self._starts_afresh = starts_afresh
        self._steps_per_unit = Fraction(0)
        self._anchor: Fraction | None = None
        self._first_index = 0
        self._next_index = 0
        self._latest_dts: int | None = None
        self._known: list[int] = []
        self._queue: list[PacketT] = []
        self._queued_bytes = 0
        self._is_stopped = False

    def begin(self, grid: SampleGrid, zero: Fraction) -> None:
        """Start skipping, once the first picture is decoded.

        Args:
            grid: sampling instants, anchored at that picture.
            zero: timestamp at the stream's time 0, in units of the time base.
        """
        self._steps_per_unit = grid.rate * self._time_base
        self._anchor = zero + grid.origin / self._time_base
        self._first_index = self._next_index = grid.first_index

    def stop(self) -> None:
        """Skip nothing from here on."""
        self._is_stopped = True

    def push(self, packet: PacketT) -> Iterator[Order[PacketT]]:
        """Add the next packet in decoding order; yield those now known to be needed."""
        if not self._is_regular(packet):
            self.stop()
        if self._is_stopped:
            yield from self._hand_on(len(self._queue), may_skip=False)
            yield Order(packet, may_skip=False)
            return
        if packet.pts is not None and not packet.is_discard:
            insort(self._known, packet.pts)
            del self._known[:-_MOST_KNOWN_TIMESTAMPS]
        self._latest_dts = packet.dts
        if self._anchor is None:
            yield Order(packet, may_skip=False)
            return
        if self._starts_afresh(packet):
            yield from self._close_group()
        self._queue.append(packet)
        self._queued_bytes += packet.size
        yield from self._settle(packet.dts)
        if len(self._queue) > _MOST_QUEUED_PACKETS or self._queued_bytes > _MOST_QUEUED_BYTES:
            yield from self._hand_on(len(self._queue))

    def flush(self) -> Iterator[Order[PacketT]]:
        """Yield the packets still needed at the end of the stream."""
        yield from self._hand_on(len(self._queue), may_skip=not self._is_stopped)

    def _is_regular(self, packet: PacketT) -> bool:
        if packet.pts is None or packet.dts is None or packet.pts < packet.dts:
            return False
        place = bisect_left(self._known, packet.pts)
        is_repeated = place < len(self._known) and self._known[place] == packet.pts
        return not is_repeated and (self._latest_dts is None or packet.dts > self._latest_dts)

    def _step_from(self, timestamp: int) -> int:
        """Index of the first instant at or after a timestamp."""
        steps = (timestamp - (self._anchor or 0)) * self._steps_per_unit
        return max(self._first_index, -(-steps.numerator // steps.denominator))

    def _is_never_shown(self, packet: PacketT) -> bool:
        """Whether a known later picture is displayed before the next instant."""
        if packet.pts is None or packet.is_discard:
            return False
        place = bisect_right(self._known, packet.pts)
        return place < len(self._known) and self._step_from(packet.pts) >= self._step_from(self._known[place])

    def _close_group(self) -> Iterator[Order[PacketT]]:
        """On a new group: yield what the old one displays and needs, drop the rest."""
        wanted = [place for place, packet in enumerate(self._queue) if not self._is_never_shown(packet)]
        yield from self._hand_on(wanted[-1] + 1 if wanted else 0)
        if not self._is_stopped:  # the decoder may have met damage in what was just yielded
            self._queue.clear()
            self._queued_bytes = 0

    def _settle(self, dts: int | None) -> Iterator[Order[PacketT]]:
        """Yield the pictures of instants that no later packet can change."""
        if dts is None or self._step_from(dts + 1) <= self._next_index:
            return
        shown = self._shown_between(self._next_index, self._step_from(dts + 1))
        self._next_index = self._step_from(dts + 1)
        places = [place for place, packet in enumerate(self._queue) if packet.pts in shown]
        yield from self._hand_on(places[-1] + 1 if places else 0)

    def _shown_between(self, first_index: int, stop_index: int) -> set[int]:
        """Timestamps of known pictures on screen at a range of instants, however large."""
        shown = set()
        first_timestamp = (self._anchor or 0) + first_index / self._steps_per_unit
        start = max(0, bisect_right(self._known, first_timestamp) - 1)
        for place in range(start, len(self._known)):
            begin = max(first_index, self._step_from(self._known[place]))
            is_last = place + 1 == len(self._known)
            if begin >= stop_index:
                break
            if begin < (stop_index if is_last else min(stop_index, self._step_from(self._known[place + 1]))):
                shown.add(self._known[place])
        return shown

    def _hand_on(self, num_packets: int, *, may_skip: bool = True) -> Iterator[Order[PacketT]]:
        handed, self._queue = self._queue[:num_packets], self._queue[num_packets:]
        self._queued_bytes = sum(packet.size for packet in self._queue)
        for packet in handed:
            yield Order(packet, may_skip=may_skip and self._is_never_shown(packet))
