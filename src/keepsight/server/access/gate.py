"""Who is answered: a token of the right scope, the right name, and no other site's page (promises S1 and S7).

A page of another site that the user has open could otherwise ask a server on loopback, by its address or by a name of
its own that it lets point there (DNS rebinding). The Host header has that name, and the Origin header the site.
"""

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.server.access.headers import SECURITY_HEADERS
from keepsight.server.access.scopes import ScopeTable
from keepsight.server.access.sessions import SessionStore, session_ids_of
from keepsight.server.access.tokens import ScopedToken, TokenRing, TokenScope
from keepsight.server.failures import error_response
from keepsight.server.settings import ServerSettings, is_loopback

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def token_ring(settings: ServerSettings) -> TokenRing:
    """All tokens that a server answers to."""
    whole = () if settings.token is None else (ScopedToken(TokenScope.MANAGE, settings.token),)
    return TokenRing((*whole, *settings.tokens))


class Gate:
    """Lets through to an application what may come to it, and puts the headers on what it answers.

    What is let through has its scope in `request.state.token_scope`; None where it has none and needs none.

    Args:
        app: answers what is let through.
        settings: tokens, and names that the server goes by.
        sessions: of browsers that have shown a token.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, sessions: SessionStore) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions
        self._ring = token_ring(settings)
        self._table = ScopeTable()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered instead, or None where the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            message = "the server does not go by this name; see --allowed-host"
            return error_response(HTTPStatus.MISDIRECTED_REQUEST, message)
        if not _is_same_site(headers, hosts[0]):
            return error_response(HTTPStatus.FORBIDDEN, "pages of other sites may not ask this server")
        needed = self._table.needed(scope["method"], scope["path"])
        granted = self._granted(headers)
        scope.setdefault("state", {})["token_scope"] = granted
        if needed is None:
            return None
        if granted is None:
            message = "a token is needed: Authorization: Bearer TOKEN"
            return error_response(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
        if granted < needed:
            message = f"this needs a token with the scope {needed.label}; the one given has {granted.label}"
            challenge = f'Bearer error="insufficient_scope", scope="{needed.label}"'  # RFC 6750, section 3.1
            return error_response(HTTPStatus.FORBIDDEN, message, {"WWW-Authenticate": challenge})
        if self._rests_on_a_cookie(headers) and scope["method"] not in _SAFE_METHODS and "origin" not in headers:
            return error_response(HTTPStatus.FORBIDDEN, "a request that changes something on a cookie needs an Origin")
        return None

    def _granted(self, headers: Headers) -> TokenScope | None:
        """What a request may do: all where there are no tokens, else what its token says, or its session."""
        if not self._ring.is_needed:
            return TokenScope.MANAGE
        given = headers.getlist("authorization")
        if not given:
            return self._sessions.scope_of(session_ids_of(headers.getlist("cookie")))
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        granted = self._ring.scope_of(token.strip())
        return granted if scheme.lower() == "bearer" else None

    def _rests_on_a_cookie(self, headers: Headers) -> bool:
        return self._ring.is_needed and "authorization" not in headers

    def _is_ours(self, host_header: str) -> bool:
        """Whether the server goes by a name: its own address, one that was allowed, or a plain IP address.

        An IP address can be no one else's name. On loopback only loopback's own are let through all the same.
        """
        host, _ = _host_and_port(host_header)
        if host is None:
            return False
        if host in {name.lower() for name in (*self._settings.allowed_hosts, self._settings.host)}:
            return True
        return is_loopback(host) or (not is_loopback(self._settings.host) and _is_ip_address(host))


def _host_and_port(netloc: str) -> tuple[str | None, int | None]:
    """Host in lower case without brackets, and port; (None, None) for what is no host."""
    if not netloc or not netloc.isascii() or any(sign in netloc for sign in "/?#@\\ \t"):
        return None, None
    try:
        parts = urlsplit(f"//{netloc}")
        return parts.hostname, parts.port
    except ValueError:
        return None, None


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_same_site(headers: Headers, host_header: str) -> bool:
    """Whether a request comes from the server's own page or from no page at all; a link to the page may be followed."""
    origins = headers.getlist("origin")
    if origins:
        return len(origins) == 1 and _is_same_origin(origins[0], host_header)
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_same_origin(origin: str, host_header: str) -> bool:
    """Whether an origin is the host that was asked; the scheme may differ, since a proxy may speak TLS for us."""
    scheme, separator, netloc = origin.partition("://")
    default = _DEFAULT_PORTS.get(scheme.lower())
    if not separator or default is None:
        return False
    host, port = _host_and_port(netloc)
    asked_host, asked_port = _host_and_port(host_header)
    return host is not None and (host, port or default) == (asked_host, asked_port or default)
