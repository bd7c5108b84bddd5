"""What each route needs: one table of them all. A route that is not in it needs the most, and a test finds it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from keepsight.server.access.tokens import TokenScope

READ, ASK, MANAGE = TokenScope.READ, TokenScope.ASK, TokenScope.MANAGE

_SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class RouteScope:
    """What requests for the routes of a path need.

    Attributes:
        path: as in the route, with parameters in braces; `*` at its end stands for all paths that begin so.
        read: what GET and HEAD need; None for nothing.
        write: what every other method needs; None for nothing.
    """

    path: str
    read: TokenScope | None = READ
    write: TokenScope | None = MANAGE

    def pattern(self) -> re.Pattern[str]:
        """Matches the paths of requests."""
        escaped = re.escape(self.path.removesuffix("*"))
        parts = re.sub(r"\\{[^/]+?\\}", "[^/]+", escaped)
        return re.compile(parts + (".*" if self.path.endswith("*") else ""), re.DOTALL)


_STREAM = "/v1/streams/{stream_id}"

ROUTE_SCOPES: tuple[RouteScope, ...] = (
    # The page is the same for everybody, and asks for a token itself.
    RouteScope("/", read=None),
    RouteScope("/assets/*", read=None),
    RouteScope("/v1/session", read=None, write=None),
    RouteScope("/v1/health/live", read=None),
    RouteScope("/v1/health/ready"),
    RouteScope("/v1/openapi.json"),
    RouteScope("/metrics"),
    RouteScope("/v1/streams"),
    RouteScope(_STREAM),
    RouteScope(f"{_STREAM}/pause"),
    RouteScope(f"{_STREAM}/resume"),
    RouteScope(f"{_STREAM}/clips"),
    RouteScope(f"{_STREAM}/clips/{{clip_index}}"),
    RouteScope(f"{_STREAM}/clips/{{clip_index}}/thumbnail"),
    RouteScope(f"{_STREAM}/clips/{{clip_index}}/pin"),
    RouteScope(f"{_STREAM}/gaps"),
    RouteScope(f"{_STREAM}/moments"),
    RouteScope(f"{_STREAM}/events"),
    RouteScope(f"{_STREAM}/questions"),
    RouteScope(f"{_STREAM}/export"),
    RouteScope(f"{_STREAM}/memory"),
    RouteScope(f"{_STREAM}/clips/{{clip_index}}/kept"),
    RouteScope(f"{_STREAM}/video"),
    RouteScope(f"{_STREAM}/frames"),
    RouteScope(f"{_STREAM}/frames/newest"),
    RouteScope("/v1/uploads", read=MANAGE),
    RouteScope("/v1/uploads/{upload_id}", read=MANAGE),
    RouteScope("/v1/moments"),
    RouteScope("/v1/events"),
    RouteScope("/v1/questions", write=ASK),
    RouteScope("/v1/models"),
    RouteScope("/v1/models/*"),
    RouteScope("/v1/chat/completions", write=ASK),
    # A standing question may send what is seen to an address of the asker's choice.
    RouteScope("/v1/standing-questions"),
    RouteScope("/v1/standing-questions/{question_id}"),
    RouteScope("/v1/standing-questions/{question_id}/alerts"),
    RouteScope("/v1/toy"),
    RouteScope("/v1/about"),
    # One route for all tools; one that changes more than an answer looks at `granted_scope` itself.
    RouteScope("/mcp", read=ASK, write=ASK),
    RouteScope("/mcp/*", read=ASK, write=ASK),
)
"""All routes of the server. Reading is reading whatever the path; what else a path does is managing unless told."""


class ScopeTable:
    """Looks up what requests need.

    Args:
        routes: the first whose path fits counts.
    """

    def __init__(self, routes: tuple[RouteScope, ...] = ROUTE_SCOPES) -> None:
        self._routes = tuple((route.pattern(), route) for route in routes)

    def needed(self, method: str, path: str) -> TokenScope | None:
        """What a request needs; None for nothing. Where nothing is known of the path it is the most.

        Args:
            method: in capital letters.
            path: percent-decoded, as routes are matched with it.
        """
        for pattern, route in self._routes:
            if pattern.fullmatch(path):
                return route.read if method in _SAFE_METHODS else route.write
        return MANAGE


def granted_scope(connection_state: Mapping[str, object]) -> TokenScope:
    """What a request that passed the gate may do, from its `request.state`; for routes that do several things."""
    granted = connection_state.get("token_scope")
    return granted if isinstance(granted, TokenScope) else READ
