"""Access check: token scope, Host header and Origin header.

Without it, a page of another site in the user's browser could query a server on loopback, by its address or by a domain
that it points there (DNS rebinding). Host reveals the domain, Origin the site.
"""

import hashlib
import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.server.http.access.scopes import ScopeTable
from keepsight.server.http.access.sessions import SessionStore, session_ids_of
from keepsight.server.http.failures import error_response
from keepsight.server.http.security_headers import SECURITY_HEADERS
from keepsight.server.settings import ServerSettings, is_loopback
from keepsight.server.tokens import ScopedToken, TokenRing, TokenScope

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def token_ring(settings: ServerSettings) -> TokenRing:
    """All tokens that a server accepts."""
    whole = () if settings.token is None else (ScopedToken(TokenScope.MANAGE, settings.token),)
    return TokenRing((*whole, *settings.tokens))


class Gate:
    """ASGI middleware that checks access and adds security headers to responses.

    An accepted request has its scope in `request.state.token_scope` (None if it has and needs none), and a digest of
    its token or session in `request.state.bearer` (empty if none), which tells clients apart.

    Args:
        app: handles accepted requests.
        settings: tokens and allowed host names.
        sessions: sessions of browsers that signed in.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, sessions: SessionStore) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions
        self._ring = token_ring(settings)
        self._table = ScopeTable()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        """Error response, or None if the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            message = "host name not allowed; add it with --allowed-host"
            return error_response(HTTPStatus.MISDIRECTED_REQUEST, message)
        if not _is_same_site(headers, hosts[0]):
            return error_response(HTTPStatus.FORBIDDEN, "requests from other sites' pages are not allowed")
        needed = self._table.needed(scope["method"], scope["path"])
        granted = self._granted(headers)
        scope.setdefault("state", {}).update(token_scope=granted, bearer=self._bearer(headers))
        if needed is None:
            return None
        if granted is None:
            message = "token required: Authorization: Bearer TOKEN"
            return error_response(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
        if granted < needed:
            message = f"token scope must be {needed.label}, got {granted.label}"
            challenge = f'Bearer error="insufficient_scope", scope="{needed.label}"'  # RFC 6750, section 3.1
            return error_response(HTTPStatus.FORBIDDEN, message, {"WWW-Authenticate": challenge})
        if self._rests_on_a_cookie(headers) and scope["method"] not in _SAFE_METHODS and "origin" not in headers:
            return error_response(
                HTTPStatus.FORBIDDEN, "a cookie-authenticated request that changes something must send Origin"
            )
        return None

    def _granted(self, headers: Headers) -> TokenScope | None:
        """Scope of a request: everything if the server has no tokens, else that of its token or session."""
        if not self._ring.is_needed:
            return TokenScope.MANAGE
        given = headers.getlist("authorization")
        if not given:
            return self._sessions.scope_of(session_ids_of(headers.getlist("cookie")))
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        granted = self._ring.scope_of(token.strip())
        return granted if scheme.lower() == "bearer" else None

    def _bearer(self, headers: Headers) -> str:
        """Digest of the request's token or session; empty if none."""
        if not self._ring.is_needed:
            return ""
        _, _, token = headers.get("authorization", "").partition(" ")
        known = token.strip() or self._sessions.first_of(session_ids_of(headers.getlist("cookie")))
        return hashlib.sha256(known.encode("utf-8", "surrogatepass")).hexdigest()

    def _rests_on_a_cookie(self, headers: Headers) -> bool:
        return self._ring.is_needed and "authorization" not in headers

    def _is_ours(self, host_header: str) -> bool:
        """Whether a Host header is the server's own address, an allowed name, or a plain IP address.

        An IP address cannot be another site's domain. On loopback only loopback addresses are accepted.
        """
        host, _ = _host_and_port(host_header)
        if host is None:
            return False
        if host in {name.lower() for name in (*self._settings.allowed_hosts, self._settings.host)}:
            return True
        return is_loopback(host) or (not is_loopback(self._settings.host) and _is_ip_address(host))


def _host_and_port(netloc: str) -> tuple[str | None, int | None]:
    """Host in lower case without brackets, and port; (None, None) if malformed."""
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
    """Whether a request comes from the server's own page or from no page at all; following a link to the page is
    allowed.
    """
    origins = headers.getlist("origin")
    if origins:
        return len(origins) == 1 and _is_same_origin(origins[0], host_header)
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_same_origin(origin: str, host_header: str) -> bool:
    """Whether an origin is the requested host. The scheme may differ, since a proxy may terminate TLS."""
    scheme, separator, netloc = origin.partition("://")
    default = _DEFAULT_PORTS.get(scheme.lower())
    if not separator or default is None:
        return False
    host, port = _host_and_port(netloc)
    asked_host, asked_port = _host_and_port(host_header)
    return host is not None and (host, port or default) == (asked_host, asked_port or default)
