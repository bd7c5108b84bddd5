"""Browser sessions: a random id in a cookie stands for a token's scope, so that no page stores a token."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock

from keepsight.server.tokens import TokenScope

SESSION_COOKIE = "keepsight_session"

MOST_SESSIONS, SESSION_SECONDS = 500, 7 * 86_400
"""Limit and lifetime of sessions; the oldest is dropped at the limit. Sessions end with the server."""

_ID_BYTES = 32


class SessionStore:
    """Sessions in memory. Thread-safe.

    Args:
        max_sessions: limit of sessions.
        seconds: lifetime.
        now: monotonic clock in seconds.
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
        """Number of sessions, including expired ones."""
        return len(self._sessions)

    def begin(self, scope: TokenScope) -> str:
        """Start a session and return its id."""
        session_id = secrets.token_urlsafe(_ID_BYTES)
        with self._lock:
            self._sessions[session_id] = (scope, self._now() + self._seconds)
            while len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)
        return session_id

    def scope_of(self, session_ids: Iterable[str]) -> TokenScope | None:
        """Scope of the first live session in `session_ids`, or None."""
        with self._lock:
            for session_id in session_ids:
                # Ids have 256 random bits, so lookup time gives no useful hint.
                scope, ends_at = self._sessions.get(session_id, (None, 0.0))
                if scope is not None and self._now() < ends_at:
                    return scope
                self._sessions.pop(session_id, None)
        return None

    def first_of(self, session_ids: Iterable[str]) -> str:
        """First known id in `session_ids`; empty if none."""
        with self._lock:
            return next((session_id for session_id in session_ids if session_id in self._sessions), "")

    def end(self, session_ids: Iterable[str]) -> None:
        """End sessions; unknown ids are ignored."""
        with self._lock:
            for session_id in session_ids:
                self._sessions.pop(session_id, None)


def session_ids_of(cookie_headers: Iterable[str]) -> list[str]:
    """Session ids in a request's Cookie headers (RFC 6265, section 4.2), at most 4; cookies of other paths may be
    included.
    """
    pairs = (pair.partition("=") for header in cookie_headers for pair in header.split(";"))
    return [value.strip() for name, _, value in pairs if name.strip() == SESSION_COOKIE][:4]
