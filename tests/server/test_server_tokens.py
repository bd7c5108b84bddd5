"""Tokens with scopes, and the sessions of browsers: every route of the application is walked."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from keepsight.cli.settings import SERVE
from keepsight.errors import SettingError
from keepsight.schema.sources import load_settings
from keepsight.server.http.access.scopes import ROUTE_SCOPES, ScopeTable
from keepsight.server.http.access.sessions import SESSION_COOKIE, SessionStore, session_ids_of
from keepsight.server.http.app import make_app
from keepsight.server.settings import ServerSettings
from keepsight.server.tokens import ScopedToken, TokenRing, TokenScope, parse_tokens
from tests.server.served import Client, Reply, Served, ServedModel, serve

MANAGE, ASK, READ = "manage-token-of-tests", "ask-token-of-the-tests", "read-token-of-the-tests"
TOKEN_OF = {TokenScope.MANAGE: MANAGE, TokenScope.ASK: ASK, TokenScope.READ: READ}
SCOPED = (ScopedToken(TokenScope.ASK, ASK), ScopedToken(TokenScope.READ, READ))

# Nobody needs a token for these; anything that is added here is seen by everybody who reaches the server.
OPEN = {
    ("GET", "/"),
    ("GET", "/assets/{name}"),
    ("GET", "/v1/session"),
    ("POST", "/v1/session"),
    ("DELETE", "/v1/session"),
    ("GET", "/v1/health/live"),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServerSettings:
    folder = tmp_path_factory.mktemp("tokens")
    return ServerSettings(folder / "journal.db", roots=(folder,), port=0, token=MANAGE, tokens=SCOPED)


@pytest.fixture(scope="module")
def served(settings: ServerSettings) -> Iterator[Served]:
    with serve(settings, ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def anybody(served: Served) -> Client:
    return Client(served.client.port)


def walk(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of each route, those of mounted applications and of included routers, too."""
    for route in iter_route_contexts(list(routes)):
        mounted = route.original_route
        if isinstance(mounted, Mount):
            yield from walk(mounted.routes, prefix + (route.path or ""))
            yield "GET", f"{prefix}{route.path}/something"
        else:
            assert route.path is not None, route
            for method in sorted((route.methods or {"GET", "POST", "DELETE"}) - {"HEAD"}):
                yield method, prefix + (route.path_format or route.path)


@pytest.fixture(scope="module")
def walked(served: Served, settings: ServerSettings) -> list[tuple[str, str]]:
    app = make_app(served.service, settings)
    found = list(walk(app.routes))
    described = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert described - {("HEAD", path) for _, path in described} <= set(found)
    assert len(found) >= 20
    return found


def concrete(path: str) -> str:
    return re.sub(r"{[^}]*}", "0123456789abcdef", path)


def test_each_route_is_in_the_table(walked: list[tuple[str, str]]) -> None:
    patterns = [route.pattern() for route in ROUTE_SCOPES]
    forgotten = [path for _, path in walked if not any(pattern.fullmatch(path) for pattern in patterns)]
    assert not forgotten, "these have no line in ROUTE_SCOPES of server/http/access/scopes.py"


def test_each_route_refuses_without_a_token_and_with_one_that_is_good_for_less(
    walked: list[tuple[str, str]], anybody: Client
) -> None:
    table = ScopeTable()
    for method, path in walked:
        if (method, path) in OPEN:
            assert anybody(method, concrete(path)).status != 401 or path == "/v1/session"
            continue
        needed = table.needed(method, concrete(path))
        assert needed is not None, (method, path)
        refused = anybody(method, concrete(path))
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
        for scope, token in TOKEN_OF.items():
            if scope < needed:
                reply = replace(anybody, token=token)(method, concrete(path))
                assert reply.status == 403, (method, path)
                assert f'scope="{needed.label}"' in reply.headers["www-authenticate"]
                assert needed.label in reply.message


def test_what_is_open_is_named_here(walked: list[tuple[str, str]]) -> None:
    table = ScopeTable()
    assert {(method, path) for method, path in walked if table.needed(method, concrete(path)) is None} <= OPEN


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/streams", {READ: 200, ASK: 200, MANAGE: 200}),
        ("HEAD", "/v1/streams", {READ: 405, ASK: 405, MANAGE: 405}),
        ("POST", "/v1/questions", {READ: 403, ASK: 422, MANAGE: 422}),
        ("POST", "/v1/streams", {READ: 403, ASK: 403, MANAGE: 422}),
        ("DELETE", "/v1/streams/0123456789abcdef", {READ: 403, ASK: 403, MANAGE: 404}),
        ("PUT", "/v1/streams", {READ: 403, ASK: 403, MANAGE: 405}),
        ("GET", "/nothing", {READ: 403, ASK: 403, MANAGE: 404}),
        ("GET", "/v1//streams", {READ: 403, MANAGE: 404}),
        ("POST", "/v1/questions/", {ASK: 403, MANAGE: 404}),
        ("POST", "/v1/%71uestions", {READ: 403, ASK: 422}),
        ("GET", "/assets/../v1/streams", {READ: 404}),
        ("GET", "/v1/streams%0a", {READ: 403}),
    ],
)
def test_what_scopes_are_good_for(anybody: Client, method: str, path: str, expected: dict[str, int]) -> None:
    assert {token: replace(anybody, token=token)(method, path).status for token in expected} == expected


def test_a_route_that_was_forgotten_needs_the_most(
    served: Served, settings: ServerSettings, walked: list[tuple[str, str]]
) -> None:
    forgotten = APIRouter()
    forgotten.add_api_route("/v1/forgotten/{name}", lambda: {})
    app = make_app(served.service, settings)
    app.include_router(forgotten)
    assert set(walk(app.routes)) - set(walked) == {("GET", "/v1/forgotten/{name}")}
    assert ScopeTable().needed("GET", "/v1/forgotten/x") is TokenScope.MANAGE


def begin_session(anybody: Client, token: str, origin: str | None = None) -> tuple[Reply, str]:
    reply = anybody("POST", "/v1/session", {"token": token}, {"Origin": origin})
    assert reply.status == 200, reply.content
    return reply, f"{SESSION_COOKIE}={SimpleCookie(reply.headers['set-cookie'])[SESSION_COOKIE].value}"


def test_a_session_stands_for_a_token(anybody: Client) -> None:
    assert anybody("GET", "/v1/session").data == {"needs_token": True, "scope": None}
    origin = f"http://127.0.0.1:{anybody.port}"
    reply, cookie = begin_session(anybody, ASK, origin)
    assert reply.data == {"needs_token": True, "scope": "ask"}
    attributes = {part.strip().lower() for part in reply.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert "secure" not in attributes
    assert ASK not in reply.headers["set-cookie"]
    with_cookie = {"Cookie": f"other=1; {cookie}"}
    assert anybody("GET", "/v1/session", headers=with_cookie).data["scope"] == "ask"
    assert anybody("GET", "/v1/streams", headers=with_cookie).status == 200
    from_page = with_cookie | {"Origin": origin}
    assert anybody("POST", "/v1/questions", {}, from_page).status == 422
    assert anybody("POST", "/v1/streams", {}, from_page).status == 403
    assert anybody("DELETE", "/v1/session", headers=from_page).status == 204
    assert anybody("GET", "/v1/streams", headers=with_cookie).status == 401


@pytest.mark.parametrize(
    ("origin", "expected"),
    [("http://127.0.0.1:{port}", 422), (None, 403), ("http://evil.example", 403), ("http://127.0.0.1:1", 403)],
)
def test_a_cookie_changes_nothing_for_another_site(anybody: Client, origin: str | None, expected: int) -> None:
    _, cookie = begin_session(anybody, MANAGE)
    headers = {"Cookie": cookie, "Origin": origin and origin.format(port=anybody.port)}
    assert anybody("POST", "/v1/streams", {}, headers).status == expected
    headers["Authorization"] = f"Bearer {MANAGE}"  # what no other site has
    assert anybody("POST", "/v1/streams", {}, headers).status == (403 if origin and "{port}" not in origin else 422)


def test_a_session_over_https_is_sent_over_https_alone(anybody: Client) -> None:
    headers = {"Origin": "https://localhost", "Host": "localhost"}
    reply = anybody("POST", "/v1/session", {"token": READ}, headers)
    assert "secure" in reply.headers["set-cookie"].lower()


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 7}, {"token": "x" * 2000}, {"token": READ, "a": 1}])
def test_bad_bodies_begin_no_session(anybody: Client, body: object) -> None:
    assert anybody("POST", "/v1/session", body).status == 422


def test_a_wrong_token_begins_no_session(anybody: Client) -> None:
    reply = anybody("POST", "/v1/session", {"token": READ[:-1]})
    assert (reply.status, "set-cookie" in reply.headers) == (401, False)
    assert READ[:-1] not in reply.message


def test_a_wrong_header_is_not_mended_by_a_cookie(anybody: Client) -> None:
    _, cookie = begin_session(anybody, READ)
    wrong = {"Cookie": cookie, "Authorization": "Bearer of-bad-tidings-only"}
    assert anybody("GET", "/v1/streams", headers=wrong).status == 401
    assert anybody("GET", "/v1/streams", headers={"Cookie": f"{SESSION_COOKIE}={READ}"}).status == 401
    assert anybody("GET", "/v1/streams", headers={"Cookie": f"{SESSION_COOKIE}=\xff; {cookie}"}).status == 200


def test_without_tokens_no_session_is_needed(settings: ServerSettings, tmp_path: Path) -> None:
    with serve(replace(settings, journal=tmp_path / "a.db", token=None, tokens=()), ServedModel()) as served:
        assert served.client("GET", "/v1/session").data == {"needs_token": False, "scope": "manage"}
        reply = served.client("POST", "/v1/session", {"token": "anything"})
        assert (reply.status, "set-cookie" in reply.headers) == (200, False)
        assert served.client("DELETE", "/v1/session").status == 204
        assert served.client("POST", "/v1/streams", {}, {"Cookie": "a=b"}).status == 422


def test_sessions_are_bounded_in_number_and_age() -> None:
    clock = [0.0]
    sessions = SessionStore(max_sessions=3, seconds=10.0, now=lambda: clock[0])
    ids = [sessions.begin(TokenScope.ASK) for _ in range(4)]
    assert len({*ids}) == 4
    assert [sessions.scope_of([one]) for one in ids] == [None, *[TokenScope.ASK] * 3]
    clock[0] = 9.9
    assert sessions.scope_of(ids) is TokenScope.ASK
    clock[0] = 10.0
    assert sessions.scope_of(ids) is None
    assert len(sessions) == 0


def test_cookies_of_other_programs_are_passed_over() -> None:
    name = SESSION_COOKIE
    assert session_ids_of([f"a=b;{name}=x; {name} = y", f"{name}", "", f"x{name}=z"]) == ["x", "y", ""]
    assert len(session_ids_of([f"{name}=x;" * 1000])) <= 4


def test_tokens_from_texts() -> None:
    assert parse_tokens([f"read:{READ},ask:{ASK}", f" manage:{MANAGE} ", ""]) == (
        ScopedToken(TokenScope.READ, READ),
        ScopedToken(TokenScope.ASK, ASK),
        ScopedToken(TokenScope.MANAGE, MANAGE),
    )
    assert READ not in repr(parse_tokens([f"read:{READ}"]))
    for wrong in ("read:short", READ, f"write:{READ}", f":{READ}", "read:", f"READ:{READ}"):
        with pytest.raises(SettingError) as error:
            parse_tokens([wrong])
        assert READ not in str(error.value)


def test_a_ring_of_tokens() -> None:
    ring = TokenRing(SCOPED)
    assert [ring.scope_of(one) for one in (ASK, READ, MANAGE, "", "\ud800")] == [
        TokenScope.ASK,
        TokenScope.READ,
        None,
        None,
        None,
    ]
    assert not TokenRing(()).is_needed


def test_settings_of_tokens(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ServerSettings(tmp_path / "a", (tmp_path,), host="0.0.0.0", tokens=SCOPED).token is None
    assert not any(token in repr(settings) for token in TOKEN_OF.values())
    with pytest.raises(SettingError, match="twice"):
        replace(settings, token=READ)
    monkeypatch.setenv("KEEPSIGHT_TOKENS", f"ask:{ASK},read:{READ}")
    assert load_settings(SERVE, {}).make(ServerSettings).tokens == SCOPED
    assert load_settings(SERVE, {"tokens": [f"read:{READ}"]}).make(ServerSettings).tokens == SCOPED[1:]
    config = tmp_path / "keepsight.toml"
    config.write_text(f'tokens = ["ask:{ASK}", "read:{READ}"]')
    monkeypatch.delenv("KEEPSIGHT_TOKENS")
    assert load_settings(SERVE, {}, config).make(ServerSettings).tokens == SCOPED
    monkeypatch.setenv("KEEPSIGHT_TOKENS", READ)
    with pytest.raises(SettingError) as error:
        load_settings(SERVE, {})
    assert READ not in str(error.value)
