"""Who is answered, and what bad requests get; each error one line of JSON, never a 5xx."""

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from keepsight.errors import SettingError
from keepsight.server.http.access.scopes import ScopeTable
from keepsight.server.http.app import make_app
from keepsight.server.settings import ServerSettings
from keepsight.settings import SELECTOR_NAMES
from tests.patience import DEADLINE_SECONDS
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

TOKEN = "a-token-for-tests-only"
SOME_ID = "0123456789abcdef"
IN_PATHS = {"stream_id": SOME_ID, "question_id": SOME_ID, "upload_id": SOME_ID, "clip_index": 0, "name": "app.js"}
ENDING = "/v1/events?follow=false"
"""Events of all streams would otherwise be told for ever."""


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> ServerSettings:
    journal = tmp_path_factory.mktemp("refusals") / "journal.db"
    return ServerSettings(journal, roots=(make_video(4).parent,), port=0, allowed_hosts=("cameras.example",))


@pytest.fixture(scope="module")
def served(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(server_settings, ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return served.client


@pytest.fixture(scope="module")
def with_token(server_settings: ServerSettings) -> Iterator[Served]:
    with serve(replace(server_settings, token=TOKEN), ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def stream_id(client: Client, make_video: MakeVideo) -> str:
    """A stream that has ended."""
    begun = client.begin(make_video(4))
    client.wait_for_state(begun, "complete")
    return begun


def routes(served: Served, settings: ServerSettings) -> list[tuple[str, str]]:
    """Each method and path that the application knows, its own description too."""
    app = make_app(served.service, settings)
    described = [
        (method.upper(), path.format_map(IN_PATHS).replace("/v1/events", ENDING))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]
    return [*described, ("GET", app.openapi_url or "")]


def test_each_route_needs_the_token(with_token: Served, server_settings: ServerSettings) -> None:
    anybody = Client(with_token.client.port)
    walked = routes(with_token, server_settings)
    assert len(walked) >= 17
    for method, path in [*walked, ("GET", "/docs"), ("OPTIONS", "/v1/streams"), ("GET", "/nothing")]:
        if ScopeTable().needed(method, path) is None:
            continue
        reply = anybody(method, path)
        assert reply.status == 401, (method, path)
        assert reply.headers["www-authenticate"] == "Bearer"
        assert method == "HEAD" or "token" in reply.message  # the answer to HEAD has no body
        assert with_token.client(method, path).status != 401, (method, path)


def test_without_a_token_loopback_is_answered(served: Served, server_settings: ServerSettings) -> None:
    for method, path in routes(served, server_settings):
        assert served.client(method, path).status not in (401, 403, 500), (method, path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xff\xfe",
    ],
)
def test_only_the_token_itself_will_do(with_token: Served, header: str) -> None:
    anybody = Client(with_token.client.port)
    assert anybody("GET", "/v1/streams", headers={"Authorization": header}).status == 401
    assert anybody("GET", "/v1/streams", headers={"Authorization": f"bearer {TOKEN}"}).status == 200


def test_a_token_in_the_address_does_not_count(with_token: Served) -> None:
    assert Client(with_token.client.port)("GET", f"/v1/streams?token={TOKEN}").status == 401


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8765", 200),
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        ("[::1]:8765", 200),
        ("cameras.example", 200),
        ("cameras.example:443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("10.0.0.7", 421),
        ("", 421),
        ("127.0.0.1:x", 421),
        ("[::1", 421),
        ("127.0.0.1/", 421),
    ],
)
def test_hosts(client: Client, host: str, expected: int) -> None:
    reply = client("GET", "/v1/streams", headers={"Host": host})
    assert reply.status in (expected, 400 if expected == 421 else expected)  # uvicorn itself refuses some
    if reply.status == 421:
        assert "name" in reply.message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "http://127.0.0.1:8765", "Host": "127.0.0.1:8765"}, 200),
        ({"Origin": "http://localhost", "Host": "localhost"}, 200),
        ({"Origin": "https://localhost", "Host": "localhost:443"}, 200),
        ({"Origin": "http://127.0.0.1:8766", "Host": "127.0.0.1:8765"}, 403),
        ({"Origin": "http://localhost:8765", "Host": "127.0.0.1:8765"}, 403),
        ({"Origin": "https://evil.example", "Host": "127.0.0.1:8765"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "file://"}, 403),
        ({"Origin": "http://127.0.0.1:8765.evil.example", "Host": "127.0.0.1:8765"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
    ],
)
def test_origins(client: Client, headers: dict[str, str], expected: int) -> None:
    assert client("GET", "/v1/streams", headers=headers).status == expected


def test_every_answer_has_the_security_headers(with_token: Served) -> None:
    for reply in (
        with_token.client("GET", "/v1/streams"),
        with_token.client("GET", "/nothing"),
        Client(with_token.client.port)("GET", "/"),
        with_token.client("POST", "/v1/streams", b"x" * 100_000),
    ):
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "server" not in reply.headers


def test_a_mistake_in_the_server_is_told_without_its_details(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(served.service.journal.streams, "all", fail)
    reply = served.client("GET", "/v1/streams")
    assert reply.status == 500
    assert "secret" not in reply.message
    assert reply.headers["x-content-type-options"] == "nosniff"


BAD_IDS = ("..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%00b", "%ff", "x" * 5000, "0123456789ABCDEF", "'; --", "*")


@pytest.mark.parametrize("bad_id", BAD_IDS)
@pytest.mark.parametrize("rest", ["", "/clips", "/clips/0/thumbnail", "/events", "/export", "/moments?query=a"])
def test_ids_lead_nowhere_else(client: Client, bad_id: str, rest: str) -> None:
    reply = client("GET", f"/v1/streams/{bad_id.replace(' ', '%20')}{rest}")
    assert reply.status == 404
    assert reply.message


@pytest.mark.parametrize("source", ["/etc/passwd", "../../etc/passwd", "/proc/self/environ", "/dev/video0", "unix:/x"])
def test_files_outside_the_roots_are_refused(client: Client, source: str) -> None:
    reply = client("POST", "/v1/streams", {"source": source})
    assert reply.status == 403
    assert "outside" in reply.message


def test_a_link_out_of_the_roots_is_refused(client: Client, make_video: MakeVideo, tmp_path: Path) -> None:
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(make_video(4).read_bytes())
    link = make_video(4).with_name("link.mp4")
    link.symlink_to(outside)
    assert client("POST", "/v1/streams", {"source": str(link)}).status == 403


@pytest.mark.parametrize(
    "source",
    [
        "-",
        "file:///etc/passwd",
        "concat:/etc/passwd",
        "ftp://camera.example/",
        "http://127.0.0.1:9/a.mp4",
        "http://169.254.169.254/latest",
        "rtsp://10.0.0.5/stream",
        "rtsp://localhost/stream",
        "a\0b",
        " ",
    ],
)
def test_sources_that_may_not_be_watched(client: Client, source: str) -> None:
    before = client("GET", "/v1/streams").data
    reply = client("POST", "/v1/streams", {"source": source})
    assert reply.status in (403, 422)
    assert reply.message
    assert len(client("GET", "/v1/streams").data) == len(before)


def test_credentials_of_a_source_are_not_repeated(client: Client) -> None:
    for source in ("rtsp://user:hunter2@10.0.0.5/s", "http://user:hunter2@127.0.0.1:9/a.mp4", "ftp://u:hunter2@h/"):
        assert "hunter2" not in client("POST", "/v1/streams", {"source": source}).message


QUESTION: dict[str, Any] = {"stream_id": SOME_ID, "question": "What?"}


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/streams", b"", 422),
        ("/v1/streams", b"{", 422),
        ("/v1/streams", b"\xff\xfe", 422),
        ("/v1/streams", b"[]", 422),
        ("/v1/streams", b'"x"', 422),
        ("/v1/streams", b"[" * 30_000, 400),
        ("/v1/streams", b'{"source": "\\ud800"}', 422),
        ("/v1/streams", b'{"\\ud800": 1, "source": "x"}', 422),
        ("/v1/streams", b'{"source": "x", "sample_fps": NaN}', 422),
        ("/v1/streams", b'{"source": "x", "sample_fps": 1e999}', 422),
        ("/v1/streams", b'{"source": "x", "sample_fps": ' + b"9" * 6000 + b"}", 400),
        ("/v1/streams", {}, 422),
        ("/v1/streams", {"source": ""}, 422),
        ("/v1/streams", {"source": 7}, 422),
        ("/v1/streams", {"source": None}, 422),
        ("/v1/streams", {"source": "x" * 9000}, 422),
        ("/v1/streams", {"source": "x", "sample_fps": 0}, 422),
        ("/v1/streams", {"source": "x", "sample_fps": -1}, 422),
        ("/v1/streams", {"source": "x", "colour": "red"}, 422),
        ("/v1/questions", QUESTION, 404),
        ("/v1/questions", QUESTION | {"stream_id": "x\0"}, 404),
        ("/v1/questions", QUESTION | {"question": ""}, 422),
        ("/v1/questions", QUESTION | {"question": "x" * 5000}, 422),
        ("/v1/questions", QUESTION | {"at_seconds": -1}, 422),
        ("/v1/questions", b'{"stream_id": "x", "question": "y", "at_seconds": Infinity}', 422),
        ("/v1/nothing", {}, 404),
        ("/v1/moments", {}, 405),
    ],
)
def test_bad_bodies(client: Client, path: str, body: object, expected: int) -> None:
    reply = client("POST", path, body)
    assert reply.status == expected
    assert reply.message


@pytest.mark.parametrize(
    "query",
    [
        "clips?limit=0",
        "clips?limit=99999999999999999999",
        "clips?from_index=-1",
        "clips?from_index=99999999999999999999",
        "clips?from_index=x",
        "clips/-1",
        "clips/99999999999999999999",
        "clips/x/thumbnail",
        "moments",
        "moments?query=",
        f"moments?query={'x' * 2000}",
        "moments?query=a&limit=x",
        "export?format=exe",
        "events?after=x",
        "moments?query=%ff",
        "moments?query=%ED%A0%80",
        "moments?query=a&%C3=b",
    ],
)
def test_bad_queries(client: Client, stream_id: str, query: str) -> None:
    reply = client("GET", f"/v1/streams/{stream_id}/{query}")
    assert reply.status == 422
    assert reply.message


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/v1/moments?query=", None, 422, "query must have at least 1 character, got 0"),
        ("GET", "/v1/moments", None, 422, "query is required"),
        ("GET", "/v1/moments?query=a&limit=0", None, 422, "limit must be at least 1, got 0"),
        ("GET", "/v1/moments?query=a&limit=1001", None, 422, "limit must be at most 1000, got 1001"),
        ("GET", "/v1/moments?query=a&limit=few", None, 422, "limit must be a whole number, got 'few'"),
        (
            "GET",
            "/v1/moments?query=a&limit=" + "9" * 5000,
            None,
            422,
            "limit must be a whole number of fewer digits, got",
        ),
        ("GET", "/v1/events?follow=perhaps", None, 422, "follow must be true or false, got 'perhaps'"),
        ("POST", "/v1/streams", b"nonsense", 422, "the body must be a JSON object"),
        ("POST", "/v1/streams", b"[]", 422, "the body must be a JSON object"),
        ("POST", "/v1/streams", b"", 422, "the body must be a JSON object, with Content-Type: application/json"),
        ("POST", "/v1/streams", b"{", 422, "the body must be a JSON object, with Content-Type: application/json"),
        ("POST", "/v1/streams", {"source": ""}, 422, "source must have at least 1 character, got 0"),
        ("POST", "/v1/streams", {"source": "x" * 8193}, 422, "source must have at most 8192 characters, got 8193"),
        ("POST", "/v1/streams", {"source": 7}, 422, "source must be text, got a number"),
        ("POST", "/v1/streams", {"source": {"a": 1}}, 422, "source must be text, got an object"),
        ("POST", "/v1/streams", {"source": "x", "restart": None}, 422, "restart must be true or false, got null"),
        (
            "POST",
            "/v1/streams",
            {"source": "x", "video_stream": 1.5},
            422,
            "video_stream must be a whole number, got 1.5",
        ),
        (
            "POST",
            "/v1/streams",
            {"source": "http://[::1"},
            403,
            "the address is malformed: its host or port is invalid",
        ),
        (
            "POST",
            "/v1/streams",
            {"source": "noize://x"},
            422,
            "an address must begin with http://, https://, rtsp://, rtsps://, got noize://x; begin with one of these, "
            "or install a package that reads noize://",
        ),
        (
            "POST",
            "/v1/streams",
            {"source": "x", "sample_fps": 1e-300},
            422,
            "sample_fps must be a number from 0.001 to",
        ),
        (
            "POST",
            "/v1/streams",
            {"source": "x", "upload_id": "x"},
            422,
            "the body: give either source or upload_id",
        ),
        ("POST", "/v1/streams", {"query": "x"}, 422, "query is unknown; known fields: caption_partial_clip, "),
        ("POST", "/v1/streams", {"sorce": "x"}, 422, "sorce is unknown; did you mean source?"),
        ("POST", "/v1/questions", {}, 422, "stream_id is required"),
        (
            "POST",
            "/v1/questions",
            QUESTION | {"question": ""},
            422,
            "the question must have at least one visible character, got an empty text",
        ),
        (
            "POST",
            "/v1/questions",
            QUESTION | {"question": " \u200b"},
            422,
            "the question must have at least one visible character, got only invisible characters, such as '\\u200b'",
        ),
        ("POST", "/v1/questions", QUESTION | {"at_second": 1}, 422, "at_second is unknown; did you mean at_seconds?"),
        ("POST", "/v1/questions", QUESTION | {"at_seconds": -1}, 422, "at_seconds must be at least 0, got -1"),
        ("POST", "/v1/questions", QUESTION | {"at_seconds": "soon"}, 422, "at_seconds must be a number, got 'soon'"),
        (
            "POST",
            "/v1/questions",
            b'{"stream_id": "x", "question": "y", "at_seconds": Infinity}',
            422,
            "at_seconds must be a finite number, got inf",
        ),
        ("POST", "/v1/toy", {"minutes": 0}, 422, "minutes must be a number over 0, got 0"),
        ("POST", "/v1/toy", {"seed": 1e300}, 422, "seed must be a whole number of fewer digits, got 1e+300"),
        (
            "POST",
            "/v1/standing-questions",
            {"question": " "},
            422,
            "the question must have at least one visible character, got only white space",
        ),
        (
            "POST",
            "/v1/standing-questions",
            {"question": "A dog?", "method": "guess"},
            422,
            "method must be one of model, words, got 'guess'",
        ),
        (
            "POST",
            "/v1/standing-questions",
            {"question": "A dog?", "method": "modle"},
            422,
            "method must be one of model, words, got 'modle'; did you mean model?",
        ),
        (
            "GET",
            "/v1/moments?query=a&method=meanin",
            None,
            422,
            "method must be one of words, meaning, got 'meanin'; did you mean meaning?",
        ),
        (
            "POST",
            "/v1/streams",
            {"source": "x", "selector": "atention"},
            422,
            f"selector must be one of {', '.join(SELECTOR_NAMES)}, got 'atention'; did you mean attention?",
        ),
        (
            "POST",
            "/v1/standing-questions",
            {"question": "A dog?", "cooldown_seconds": 1e12},
            422,
            "cooldown_seconds must be at most 31622400, got 1000000000000.0",
        ),
        ("GET", "/nothing", None, 404, "no such route; see /v1/openapi.json"),
        ("PUT", "/v1/streams", None, 405, "method not allowed"),
        ("GET", "/v1/streams/0000000000000000", None, 404, "no such stream"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    client: Client, method: str, path: str, body: object, status: int, said: str
) -> None:
    reply = client(method, path, body)
    assert (reply.status, reply.message[: len(said)]) == (status, said)


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/v1/moments?query=apple&limt=3", "limt is unknown; did you mean limit?"),
        ("GET", "/v1/moments?qurey=apple", "qurey is unknown; did you mean query?"),
        ("GET", "/v1/moments?query=a&colour=1", "colour is unknown; known parameters: limit, method, query"),
        (
            "GET",
            "/v1/moments?query=a&=1",
            "a parameter without a name is unknown; known parameters: limit, method, query",
        ),
        ("GET", "/v1/moments?query=a&Limit=1", "Limit is unknown; did you mean limit?"),
        ("GET", "/v1/events?folow=false", "folow is unknown; did you mean follow?"),
        (
            "GET",
            f"/v1/streams/{SOME_ID}/clips?from_indx=1",
            "from_indx is unknown; did you mean from_index?",
        ),
        (
            "GET",
            f"/v1/streams/{SOME_ID}/clips?stream_id=x",
            "stream_id is unknown; known parameters: from_index, limit",
        ),
        ("GET", "/v1/streams?limit=1", "limit is unknown; this route has no query parameters"),
        ("GET", "/v1/health/live?verbose=1", "verbose is unknown; this route has no query parameters"),
        ("POST", "/v1/questions?stream=true", "stream is unknown; this route has no query parameters"),
        ("GET", "/v1/streams?a%0Ab=1", "a\\nb is unknown; this route has no query parameters"),
    ],
)
def test_an_unknown_query_parameter_is_named(client: Client, method: str, path: str, said: str) -> None:
    reply = client(method, path, {"stream_id": SOME_ID, "question": "A dog?"} if method == "POST" else None)
    assert (reply.status, reply.message) == (422, said)


def test_every_route_of_ours_refuses_an_unknown_query_parameter(served: Served) -> None:
    """All that are described, but those for OpenAI's clients, which may send some of their own."""
    checked = 0
    for path, methods in served.client("GET", "/v1/openapi.json").data["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/v1/") or operation["tags"] == ["openai"]:
                continue
            known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
            concrete = re.sub(r"{(\w+)}", lambda found: str(IN_PATHS[found[1]]), path)
            reply = served.client(
                method.upper(), f"{concrete}?no_such_name=1", b"{}" if "requestBody" in operation else None
            )
            assert reply.status == 422, (method, path)
            if method != "head":
                assert reply.message.startswith("no_such_name is unknown; "), (method, path)
                assert all(name in reply.message for name in known), (method, path)
            assert "422" in operation["responses"], (method, path)
            checked += 1
    assert checked >= 25


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/models", "/v1/openapi.json"])
def test_where_other_programs_add_parameters_they_are_ignored(client: Client, path: str) -> None:
    assert client("GET", f"{path}?no_such_name=1").status == 200


def test_what_is_given_is_said_to_be_wrong_before_what_is_missing(client: Client) -> None:
    """The name that was meant to be the missing one is among what is given."""
    asked = {"question": "A dog?", "stream": "toy"}
    assert client("POST", "/v1/questions", asked).message == "stream must be true or false, got 'toy'"
    said = client("POST", "/v1/standing-questions", asked).message
    assert said == "stream is unknown; did you mean stream_id?"


SECRET = "4f9b1c7e-a-secret"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/session", {"token": [SECRET]}, "token must be text, got a list"),
        ("/v1/session", {"token": SECRET * 100}, "token must have at most 1000 characters, got 1700"),
        ("/v1/session", {"tokn": SECRET}, "tokn is unknown; did you mean token?"),
        ("/v1/streams", {"source": "x", "password": {SECRET: 1}}, "password must be text, got an object"),
        ("/v1/streams", {"source": "x", "password": 495867}, "password must be text, got a number"),
        (
            "/v1/streams",
            {"source": "x", "password": SECRET * 100},
            "password must have at most 1024 characters, got 1700",
        ),
        (
            "/v1/standing-questions",
            {"question": "A dog?", "webhook_url": [f"https://hooks.example/{SECRET}"]},
            "webhook_url must be text, got a list",
        ),
        (
            "/v1/standing-questions",
            {"question": "A dog?", "webhook_url": f"https://hooks.example/{SECRET * 200}"},
            "webhook_url must have at most 2048 characters, got 3422",
        ),
        (
            "/v1/standing-questions",
            {"question": "A dog?", "webhook_secret": SECRET},
            "webhook_secret is unknown; known fields: cooldown_seconds, method, question, stream_id, webhook_url",
        ),
    ],
)
def test_a_refusal_does_not_repeat_a_secret(client: Client, path: str, body: object, said: str) -> None:
    reply = client("POST", path, body)
    assert (reply.status, reply.message) == (422, said)
    assert SECRET not in reply.message
    assert "495867" not in reply.message


PYDANTIC = re.compile(r"Input should|should have|should be|Field required|Extra inputs|Value error|valid dictionary")


def test_no_refusal_is_in_the_words_of_pydantic(client: Client) -> None:
    """Each field of each body with a value of each kind that JSON has, and each field that is left out."""
    description = client("GET", "/v1/openapi.json").data
    said = []
    for path, methods in description["paths"].items():
        if path == "/v1/toy":  # would make videos: its fields stand in the table above
            continue
        for method, operation in methods.items():
            address = path.format_map(IN_PATHS).replace("/v1/events", ENDING)
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    said += [
                        client(method.upper(), with_query(address, parameter["name"], one)) for one in ("", "x", "-1")
                    ]
            for body in bodies(description, operation):
                said.append(client(method.upper(), address, body))
    refused = [reply.data["error"]["message"] for reply in said if reply.status in (400, 422)]
    assert len(refused) > 100
    assert not [message for message in refused if PYDANTIC.search(message)]


def with_query(address: str, name: str, value: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{name}={value}"


def bodies(description: dict[str, Any], operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A body without a field, and with nonsense for it, for each field of a route's body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    schema = description["components"]["schemas"].get(reference.rpartition("/")[2], {})
    fields = schema.get("properties", {})
    whole = {name: examples[0] for name, field in fields.items() if (examples := field.get("examples"))}
    whole.pop("webhook_url", None)  # its host would be looked up
    for name in [*fields, "colour"] if fields else []:
        yield {key: value for key, value in whole.items() if key != name}
        for value in (None, True, -1, 1e300, "", " ", "x" * 10_000, [], ["x"], {}, {"type": "x"}):
            yield whole | {name: value}


@pytest.mark.parametrize("words", ["%00", "%22", "a%20OR%20b", "NEAR(", "*", "caption:x", "-", "%F0%9F%90%95"])
def test_odd_words_are_only_words(client: Client, stream_id: str, words: str) -> None:
    assert client("GET", f"/v1/streams/{stream_id}/moments?query={words}").status == 200


def test_large_bodies_are_refused_unread(client: Client) -> None:
    reply = client("POST", "/v1/streams", b"x" * 70_000)
    assert (reply.status, "65536" in reply.message) == (413, True)
    with closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=DEADLINE_SECONDS)) as connection:
        connection.request("POST", "/v1/streams", iter([b"x" * 20_000] * 4), encode_chunked=True)
        assert connection.getresponse().status == 413


def test_a_body_that_does_not_come_is_not_waited_for(server_settings: ServerSettings) -> None:
    with serve(replace(server_settings, body_seconds=0.1), ServedModel()) as served:
        slow = socket.create_connection(("127.0.0.1", served.client.port), timeout=DEADLINE_SECONDS)
        slow.sendall(b"POST /v1/streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        assert slow.recv(12) == b"HTTP/1.1 408"
        slow.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "cameras.example", ""])
def test_others_are_answered_only_with_a_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingError, match="token"):
        ServerSettings(tmp_path / "a.db", (tmp_path,), host=host)
    assert TOKEN not in repr(ServerSettings(tmp_path / "a.db", (tmp_path,), host=host, token=TOKEN))


@pytest.mark.parametrize(
    "token", ["", "short", "with blanks in the middle", "täglich-neu-und-lang", "line\nbreak-and-more"]
)
def test_tokens_that_will_not_do(tmp_path: Path, token: str) -> None:
    with pytest.raises(SettingError, match="token must be 16"):
        ServerSettings(tmp_path / "a.db", (tmp_path,), token=token)


@pytest.mark.parametrize(
    "changes",
    [{"port": -1}, {"port": 70_000}, {"max_streams": 0}, {"max_viewers": 0}, {"roots": ()}, {"body_seconds": 0}],
)
def test_settings_outside_their_range(server_settings: ServerSettings, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        replace(server_settings, **changes)


def test_all_routes_are_described_with_an_answer(served: Served, server_settings: ServerSettings) -> None:
    app = make_app(served.service, server_settings)
    for route in app.routes:
        if isinstance(route, APIRoute):
            assert route.path in app.openapi()["paths"]
            assert route.description
