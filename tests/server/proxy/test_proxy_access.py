"""Behind a proxy: the page, its session, and who is let in by which name and from which site."""

from http.cookies import SimpleCookie

import pytest

from keepsight.server.http.access.sessions import SESSION_COOKIE
from tests.server.proxy.tls_client import NAME, TlsClient


def test_the_page_loads_and_a_session_is_for_tls_alone(anybody: TlsClient, proxied: TlsClient) -> None:
    page = anybody("GET", "/")
    assert (page.status, "default-src 'none'" in page.headers["content-security-policy"]) == (200, True)
    shown = anybody("POST", "/v1/session", {"token": proxied.token}, {"Origin": anybody.origin})
    cookie = SimpleCookie(shown.headers["set-cookie"])[SESSION_COOKIE]
    assert (shown.status, cookie["secure"], cookie["httponly"], cookie["samesite"]) == (200, True, True, "strict")
    with_cookie = {"Cookie": f"{SESSION_COOKIE}={cookie.value}"}
    assert anybody("GET", "/v1/streams", headers=with_cookie).data == []
    assert anybody("GET", "/v1/streams").status == 401
    assert anybody("POST", "/v1/streams", {}, with_cookie | {"Origin": anybody.origin}).status == 422
    assert anybody("POST", "/v1/streams", {}, with_cookie).status == 403


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 200),
        ("https://{netloc}", 200),
        ("https://evil.example", 403),
        (f"https://{NAME}", 403),  # another port is another site
        ("null", 403),
    ],
)
def test_sites(proxied: TlsClient, origin: str | None, expected: int) -> None:
    given = {"Origin": origin and origin.format(netloc=proxied.netloc)}
    assert proxied("GET", "/v1/streams", headers=given).status == expected


@pytest.mark.parametrize("more", [{}, {"X-Forwarded-Host": NAME}, {"Forwarded": f"host={NAME}"}])
def test_another_name_gets_nothing(proxied: TlsClient, more: dict[str, str]) -> None:
    """nginx passes it on and Keepsight refuses it; Caddy has nothing to say for a name that it does not know."""
    reply = proxied("GET", "/v1/streams", headers={"Host": "evil.example", **more})
    assert reply.status == 421 or reply.content == b""


def test_agents_find_their_tools(anybody: TlsClient, proxied: TlsClient) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepted = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    reply = proxied("POST", "/mcp", asked, accepted)
    assert (reply.status, b"list_streams" in reply.content) == (200, True), reply.content
    assert anybody("POST", "/mcp", asked, accepted).status == 401
