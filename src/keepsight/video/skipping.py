"""Leaving out packets whose pictures nobody needs, without changing any picture that is wanted.

Between two sampled instants most pictures are decoded only to be thrown away. Two kinds can be left out exactly:

- pictures to which no other refers and which are on screen at no instant: the decoder is told to pass over
  non-reference pictures for that packet only;
- everything after the last wanted picture of a group, in decoding order, once the next group starts afresh
  (`accesspoints.py`). Its packets never reach the decoder.

Packets wait in a queue until one of these is known. What is wanted follows from timestamps in the packets alone: no
later packet can be shown before the decoding time that the stream has reached, so an instant that lies before it is
settled. Where timestamps are missing, repeated or jump, all packets go through from there on; that costs time and
changes nothing else.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from keepsight.video.clock import LONGEST_HOLD_BROADCAST
from keepsight.video.sampling import SampleGrid

_MOST_QUEUED_PACKETS = 1024
_MOST_QUEUED_BYTES = 16 * 2**20
_MOST_KNOWN_TIMESTAMPS = 2048
# Small enough that two neighbouring pictures can't be so far apart that the clock would see a jump.
_LONGEST_STEP_SECONDS = LONGEST_HOLD_BROADCAST / 3


class Packet(Protocol):
    """What is asked of a coded picture; PyAV's packets have it."""

    @property
    def pts(self) -> int | None:
        """Time at which it is shown, in units of the stream's time base."""

    @property
    def dts(self) -> int | None:
        """Time at which it is decoded, in the same units."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def is_discard(self) -> bool:
        """Whether it is decoded for others only and never shown."""


PacketT = TypeVar("PacketT", bound=Packet)


@dataclass(frozen=True)
class Order(Generic[PacketT]):
    """A packet for the decoder, and whether its picture may be passed over if no other picture refers to it."""

    packet: PacketT
    may_skip: bool


class PacketQueue(Generic[PacketT]):
    """Hands on the packets that are needed to show a stream at the instants of a grid.

    Args:
        grid: the instants.
        time_base: seconds of one unit of the packets' timestamps.
        starts_afresh: whether no picture from a packet on needs an earlier one.
    """

    def __init__(self, grid: SampleGrid, time_base: Fraction, starts_afresh: Callable[[PacketT], bool]) -> None:
        self._steps_per_unit = grid.rate * time_base
        self._first_index = grid.first_index
        self._next_index = grid.first_index
        self._longest_step = _LONGEST_STEP_SECONDS / time_base
        self._starts_afresh = starts_afresh
        self._origin: int | None = None
        self._latest_dts: int | None = None
        self._known: list[int] = []
        self._queue: list[PacketT] = []
        self._queued_bytes = 0
        self._is_stopped = False

    def begin(self, origin: int) -> None:
        """Start leaving out: the first picture has come out of the decoder.

        Args:
            origin: its timestamp, which is that of instant 0.
        """
        self._origin = origin

    def stop(self) -> None:
        """Leave out nothing from here on."""
        self._is_stopped = True

    def push(self, packet: PacketT) -> Iterator[Order[PacketT]]:
        """Take the next packet in decoding order; gives those that are known to be needed now."""
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
        if self._origin is None:
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
        """What is still needed when the stream has ended."""
        yield from self._hand_on(len(self._queue), may_skip=not self._is_stopped)

    def _is_regular(self, packet: PacketT) -> bool:
        if packet.pts is None or packet.dts is None or packet.pts < packet.dts:
            return False
        place = bisect_left(self._known, packet.pts)
        is_repeated = place < len(self._known) and self._known[place] == packet.pts
        if is_repeated or packet.pts - packet.dts > self._longest_step:
            return False
        return self._latest_dts is None or 0 < packet.dts - self._latest_dts <= self._longest_step

    def _step_from(self, timestamp: int) -> int:
        """Index of the first instant at or after a timestamp."""
        steps = (timestamp - (self._origin or 0)) * self._steps_per_unit
        return max(self._first_index, -(-steps.numerator // steps.denominator))

    def _is_never_shown(self, packet: PacketT) -> bool:
        """Whether a picture known to follow comes on screen before the next instant does."""
        if packet.pts is None or packet.is_discard:
            return False
        place = bisect_right(self._known, packet.pts)
        return place < len(self._known) and self._step_from(packet.pts) >= self._step_from(self._known[place])

    def _close_group(self) -> Iterator[Order[PacketT]]:
        """A new group starts: hand on what is shown of the old one and what that needs, forget the rest."""
        wanted = [place for place, packet in enumerate(self._queue) if not self._is_never_shown(packet)]
        yield from self._hand_on(wanted[-1] + 1 if wanted else 0)
        if not self._is_stopped:  # the decoder may have met damage in what was just handed on
            self._queue.clear()
            self._queued_bytes = 0

    def _settle(self, dts: int | None) -> Iterator[Order[PacketT]]:
        """Hand on the pictures of instants that no later packet can change."""
        if dts is None or self._step_from(dts + 1) <= self._next_index:
            return
        shown = set()
        for index in range(self._next_index, self._step_from(dts + 1)):
            last = (self._origin or 0) + index / self._steps_per_unit
            place = bisect_right(self._known, last)
            shown.update(self._known[max(0, place - 1) : place])
        self._next_index = self._step_from(dts + 1)
        places = [place for place, packet in enumerate(self._queue) if packet.pts in shown]
        yield from self._hand_on(places[-1] + 1 if places else 0)

    def _hand_on(self, num_packets: int, *, may_skip: bool = True) -> Iterator[Order[PacketT]]:
        handed, self._queue = self._queue[:num_packets], self._queue[num_packets:]
        self._queued_bytes = sum(packet.size for packet in self._queue)
        for packet in handed:
            yield Order(packet, may_skip=may_skip and self._is_never_shown(packet))
