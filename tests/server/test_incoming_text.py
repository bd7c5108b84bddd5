"""No route and no tool takes half of a surrogate pair: each says so, none fails, and nothing of it is stored."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keepsight.journal import Journal
from keepsight.server.settings import ServerSettings
from tests.patience import PROCESS_SECONDS
from tests.server.served import Served, ServedModel, serve
from tests.small_videos import MakeVideo

HALF = "a\ud800b"
CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("incoming")
    settings = ServerSettings(folder / "journal.db", roots=(make_video(4).parent,), port=0)
    with serve(settings, ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def description(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client("GET", "/v1/openapi.json").data
    return found


def with_half(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[Any]:
    """Values of a schema, as simple as may be, with half a pair in one text each."""
    if reference := schema.get("$ref"):
        schema = schemas[reference.rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        yield from with_half(one, schemas)
    if schema.get("type") == "string":
        yield HALF
    if schema.get("type") == "array":
        yield from ([value] for value in with_half(schema["items"], schemas))
    if schema.get("type") == "object":
        whole = {name: simple(one, schemas) for name, one in schema["properties"].items() if name in needed(schema)}
        for name, one in schema["properties"].items():
            yield from ({**whole, name: value} for value in with_half(one, schemas))
        yield {**whole, "unheard_of": [{"of": HALF}]}
        yield {**whole, HALF: 1}


def needed(schema: dict[str, Any]) -> list[str]:
    found: list[str] = schema.get("required", [])
    return found


def simple(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value of a schema."""
    if reference := schema.get("$ref"):
        return simple(schemas[reference.rpartition("/")[2]], schemas)
    if "enum" in schema or schema.get("examples"):
        return (schema.get("enum") or schema["examples"])[0]
    if schema.get("type") == "object":
        return {name: simple(schema["properties"][name], schemas) for name in needed(schema)}
    if schema.get("type") == "array":
        return [simple(schema["items"], schemas)]
    return {"string": "x", "integer": 1, "number": 1.0, "boolean": False}[schema["type"]]


def test_no_body_of_a_route_may_have_half_a_pair(
    served: Served, description: dict[str, Any], make_video: MakeVideo
) -> None:
    stream_id = served.client.begin(make_video(4))
    served.client.wait_for_state(stream_id, "complete")
    num_tried = 0
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            for value in with_half(body["schema"], description["components"]["schemas"]) if body else ():
                place = path.replace("{stream_id}", stream_id).replace("{upload_id}", "0" * 32)
                reply = served.client(method.upper(), place, value)
                num_tried += 1
                assert reply.status == (400 if path == "/v1/chat/completions" else 422), (method, path, value)
                assert "UTF-8" in reply.data["error"]["message"], (path, value, reply.content)
    assert num_tried >= 30
    journal = served.service.journal
    assert [stream.id for stream in journal.streams.all()] == [stream_id]
    assert not journal.answers.of(stream_id)
    assert not journal.standing.all()


@pytest.mark.parametrize("question", ["a\0b", "\x1b[31mred", " \n ", "\u200b", "x" * 4001, "\x9b1m"])
def test_a_question_is_text_that_can_be_seen(served: Served, make_video: MakeVideo, question: str) -> None:
    stream_id = served.client.begin(make_video(4))
    served.client.wait_for_state(stream_id, "complete")
    chat = {"model": stream_id, "messages": [{"role": "user", "content": question}]}
    tool = {"name": "ask", "arguments": {"stream": stream_id, "question": question}}
    assert served.client("POST", "/v1/questions", {"stream_id": stream_id, "question": question}).status == 422
    assert served.client("POST", "/v1/standing-questions", {"question": question}).status == 422
    assert served.client("POST", "/v1/chat/completions", chat).status == 400
    reply = served.client(
        "POST",
        "/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool},
        {"Accept": "application/json, text/event-stream"},
    )
    assert b'"isError":true' in reply.content
    assert not served.service.journal.answers.of(stream_id)


@pytest.mark.parametrize("question", ["Wo ist\tder\nHund?\r\n", "\u202eמה\u202c?", "\U0001f415?", "x" * 4000])
def test_other_text_is_a_question(served: Served, make_video: MakeVideo, question: str) -> None:
    stream_id = served.client.begin(make_video(4))
    served.client.wait_for_state(stream_id, "complete")
    assert served.client("POST", "/v1/questions", {"stream_id": stream_id, "question": question}).status == 200


@pytest.mark.parametrize(
    "message",
    [
        {"method": "tools/call", "params": {"name": "ask", "arguments": {"stream": "door", "question": HALF}}},
        {"method": "tools/call", "params": {"name": HALF, "arguments": {}}},
        {"method": HALF},
    ],
    ids=["argument", "tool", "method"],
)
def test_over_http_mcp_answers_half_a_pair_with_an_error(served: Served, message: dict[str, Any]) -> None:
    headers = {"Accept": "application/json, text/event-stream"}
    reply = served.client("POST", "/mcp", {"jsonrpc": "2.0", "id": 7, **message}, headers)
    assert reply.status == 400
    assert reply.data["error"]["code"] == -32700


def test_over_stdio_mcp_replies_to_each_message_that_cannot_be_read(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        journal.streams.begin("/videos/door.mp4", "tiny", "{}")
    asked = {"name": "ask", "arguments": {"stream": "door", "question": HALF}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": CLIENT},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": asked},
        {"id": "three", "method": "tools/call", "params": {"name": HALF}},
        {"id": 4, "method": HALF},
        {"id": HALF, "method": "tools/list"},
    ]
    lines = b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)
    ended = subprocess.run(
        [sys.executable, "-c", "from keepsight.cli import main; main()", "mcp", str(tmp_path / "journal.db")],
        input=lines + b"\xff\xfe\n",
        capture_output=True,
        timeout=PROCESS_SECONDS,
        check=True,
    )
    replies = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == [1, 2, "three", 4, None, None]
    assert all(reply["error"]["code"] == -32700 for reply in replies[1:])
    assert b"Traceback" not in ended.stderr
