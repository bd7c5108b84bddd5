"""Limits on video players, in total and per client; a player that reads nothing makes room for a new one.

A paused player keeps its connection open and reads nothing. After a disconnect, browsers resume by requesting the next
byte range.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from anyio import CapacityLimiter
from starlette.types import Scope

from keepsight.errors import BusyError

IDLE_SECONDS = 5.0
"""A player that read nothing for this long may be disconnected for a new one."""

SHARE_OF_A_CLIENT = 4
"""One client may have at most one part in this many of all places."""

MOST_READERS = 8
"""Threads that read files for players, separate from those of other requests."""

Address = tuple[str, int]
"""Host and port of a client; identifies the connection."""


@dataclass(eq=False)
class Player:
    """A connection that a video is sent on.

    Attributes:
        client: its client; see `client_of`.
        address: peer address; None if unknown.
        took_at: last time that it read data, by the clock of `Players`.
    """

    client: str
    address: Address | None
    took_at: float = field(compare=False)


class Players:
    """Active players. Used only by the event loop's thread.

    Args:
        most: limit of players.
        now: monotonic clock in seconds.

    Attributes:
        readers: limiter of file-reading threads.
    """

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._most_of_a_client = max(1, most // SHARE_OF_A_CLIENT)
        self._now = now
        self._players: list[Player] = []
        self._cut_off: Callable[[Address], None] | None = None
        self.readers = CapacityLimiter(MOST_READERS)

    def __len__(self) -> int:
        return len(self._players)

    def cut_off_by(self, cut_off: Callable[[Address], None]) -> None:
        """Set how to abort a connection. Until then no player is disconnected, and new ones are refused when full."""
        self._cut_off = cut_off

    def begin(self, client: str, address: Address | None) -> Player:
        """Add a player, disconnecting an idle one if needed.

        Raises:
            BusyError: the limit is reached and no player is idle.
        """
        own = [player for player in self._players if player.client == client]
        if len(own) >= self._most_of_a_client:
            self._make_room(own, f"{self._most_of_a_client} videos to this client")
        elif len(self._players) >= self._most:
            self._make_room(self._players, f"{self._most} videos")
        player = Player(client, address, self._now())
        self._players.append(player)
        return player

    def took(self, player: Player) -> None:
        """Note that a player read some data."""
        player.took_at = self._now()

    def end(self, player: Player) -> None:
        """Remove a player. Idempotent; does nothing for a disconnected player."""
        if player in self._players:
            self._players.remove(player)

    def _make_room(self, players: Iterable[Player], limit: str) -> None:
        idlest = min(players, key=lambda player: player.took_at)
        if self._cut_off is None or idlest.address is None or self._now() - idlest.took_at < IDLE_SECONDS:
            raise BusyError(f"limit reached ({limit}); try again later")
        self.end(idlest)
        self._cut_off(idlest.address)


def client_of(scope: Scope) -> str:
    """Client of a request: its token or session (see `Gate`) and its host."""
    host, _ = scope.get("client") or ("", 0)
    return f"{scope.get('state', {}).get('bearer', '')}@{host}"
