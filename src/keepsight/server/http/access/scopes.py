"""Token scope that each route needs, in one table.

A route missing from it needs the largest scope, and fails a test.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from keepsight.server.tokens import TokenScope

READ, ASK, MANAGE = TokenScope.READ, TokenScope.ASK, TokenScope.MANAGE

_SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class RouteScope:
    """Scopes that the routes of a path need.

    Attributes:
        path: route path with parameters in braces; a trailing `*` matches any suffix.
        read: scope for GET and HEAD; None for none.
        write: scope for other methods; None for none.
    """

    path: str
    read: TokenScope | None = READ
    write: TokenScope | None = MANAGE

    def pattern(self) -> re.Pattern[str]:
        """Pattern of request paths."""
        escaped = re.escape(self.path.removesuffix("*"))
        parts = re.sub(r"\\{[^/]+?\\}", "[^/]+", escaped)
        return re.compile(parts + (".*" if self.path.endswith("*") else ""), re.DOTALL)


_STREAM = "/v1/streams/{stream_id}"

ROUTE_SCOPES: tuple[RouteScope, ...] = (
    # The page is public, and asks for a token itself.
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
    # A standing question may post alerts to a URL of the client's choice.
    RouteScope("/v1/standing-questions"),
    RouteScope("/v1/standing-questions/{question_id}"),
    RouteScope("/v1/standing-questions/{question_id}/alerts"),
    RouteScope("/v1/toy"),
    RouteScope("/v1/about"),
    # One route for all tools; a tool that changes more than answers checks `granted_scope` itself.
    RouteScope("/mcp", read=ASK, write=ASK),
    RouteScope("/mcp/*", read=ASK, write=ASK),
)
"""All routes of the server. GET and HEAD default to reading, other methods to managing."""


class ScopeTable:
    """Looks up the scope that a request needs.

    Args:
        routes: table of routes; the first match wins.
    """

    def __init__(self, routes: tuple[RouteScope, ...] = ROUTE_SCOPES) -> None:
        self._routes = tuple((route.pattern(), route) for route in routes)

    def needed(self, method: str, path: str) -> TokenScope | None:
        """Scope that a request needs; None for none. An unknown path needs the largest.

        Args:
            method: HTTP method in upper case.
            path: percent-decoded path.
        """
        for pattern, route in self._routes:
            if pattern.fullmatch(path):
                return route.read if method in _SAFE_METHODS else route.write
        return MANAGE


def granted_scope(connection_state: Mapping[str, object]) -> TokenScope:
    """Scope of an accepted request, from its `request.state`; for routes with several actions."""
    granted = connection_state.get("token_scope")
    return granted if isinstance(granted, TokenScope) else READ
