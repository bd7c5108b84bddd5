"""Detects connections whose clients stopped reading."""

import asyncio
from collections.abc import Iterable


class Standstill:
    """Tracks how long the number of bytes waiting on each connection has not changed.

    Only the kernel takes bytes, and it stops when a client's buffers are full. A client that is sent no more than its
    buffers hold is not detected, and blocks nothing.
    """

    def __init__(self) -> None:
        self._since: dict[asyncio.Transport, tuple[int, float]] = {}

    def longer_than(
        self, seconds: float, transports: Iterable[asyncio.Transport], now: float
    ) -> list[asyncio.Transport]:
        """Transports on which nothing moved for more than `seconds`; call it regularly."""
        sizes = {one: one.get_write_buffer_size() for one in transports}
        before = self._since
        self._since = {
            one: before[one] if before.get(one, (0, 0.0))[0] == size else (size, now)
            for one, size in sizes.items()
            if size
        }
        return [one for one, (_, since) in self._since.items() if now - since > seconds]
