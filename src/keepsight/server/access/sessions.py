"""Sessions of browsers: a random id in a cookie stands for what a token is good for, so that no page holds a token."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock

from keepsight.server.access.tokens import TokenScope

SESSION_COOKIE = "keepsight_session"

MOST_SESSIONS, SESSION_SECONDS = 500, 7 * 86_400
"""So many there are at a time, for so long; the oldest goes when there are more. None outlives the server."""

_ID_BYTES = 32


class SessionStore:
    """Sessions in memory. All methods may be called from any thread.

    Args:
        max_sessions: at a time.
        seconds: how long one lasts.
        now: a clock that never runs back, in seconds.
    """

    def __init__(
        self,
        max_sessions: int = MOST_SESSIONS,
        seconds: float = SESSION_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._seconds = seconds
        self._now = now
        self._lock = Lock()
        self._sessions: OrderedDict[str, tuple[TokenScope, float]] = OrderedDict()

    def __len__(self) -> int:
        """Sessions that there are, some of which may be over."""
        return len(self._sessions)

    def begin(self, scope: TokenScope) -> str:
        """A new session; its id."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        with self._lock:
            self._sessions[session_id] = (scope, self._now() + self._seconds)
            while len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)
        return session_id

    def scope_of(self, session_ids: Iterable[str]) -> TokenScope | None:
        """What the first of some sessions that there is is good for; None if there is none of them, or no longer."""
        with self._lock:
            for session_id in session_ids:
                # An id has 256 random bits: how long looking it up takes helps nobody to guess one.
                scope, ends_at = self._sessions.get(session_id, (None, 0.0))
                if scope is not None and self._now() < ends_at:
                    return scope
                self._sessions.pop(session_id, None)
        return None

    def end(self, session_ids: Iterable[str]) -> None:
        """End sessions; what is none is passed over."""
        with self._lock:
            for session_id in session_ids:
                self._sessions.pop(session_id, None)


def session_ids_of(cookie_headers: Iterable[str]) -> list[str]:
    """The ids in a request's Cookie headers (RFC 6265, section 4.2); another path's cookie may come along."""
    pairs = (pair.partition("=") for header in cookie_headers for pair in header.split(";"))
    return [value.strip() for name, _, value in pairs if name.strip() == SESSION_COOKIE][:4]
