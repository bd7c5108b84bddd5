"""The official MCP client over HTTP: tools, their results, the gate in front of them, and waiting."""

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import ImageContent
from PIL import Image

from keepsight.server.mcp.served import ServedStreams
from keepsight.server.settings import ServerSettings
from keepsight.server.tokens import ScopedToken, TokenScope
from tests.patience import DEADLINE_SECONDS
from tests.server.mcp_calls import call, connect, is_read_only, refusal
from tests.server.served import Client as Plain
from tests.server.served import Served, ServedModel, serve
from tests.small_videos import MakeVideo

MANAGE, ASK, READ = "a-token-for-tests-only", "a-token-that-may-ask", "a-token-that-may-read"

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> ServerSettings:
    tokens = (ScopedToken(TokenScope.ASK, ASK), ScopedToken(TokenScope.READ, READ))
    journal = tmp_path_factory.mktemp("mcp") / "journal.db"
    return ServerSettings(journal, roots=(make_video(10).parent,), port=0, token=MANAGE, tokens=tokens)


@pytest.fixture(scope="module")
def served(settings: ServerSettings) -> Iterator[Served]:
    with serve(settings, ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def stream_id(served: Served, make_video: MakeVideo) -> str:
    begun = served.client.begin(make_video(10))
    served.client.wait_for_state(begun, "complete")
    return begun


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_there_is_and_how_it_is_used(served: Served, stream_id: str, mode: str) -> None:
    async with connect(served.client.port, ASK, mode) as client:
        assert client.instructions is not None
        assert "data" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"list_streams", "ask", "search", "get_clip", "watch_for", "list_alerts"}
        assert [name for name, tool in tools.items() if not is_read_only(tool)] == ["ask"]  # it is stored
        assert all(tool.description and tool.output_schema for tool in tools.values())
        (stream,) = (await call(client, "list_streams"))["streams"]
        assert (stream["id"], stream["state"], stream["num_clips"]) == (stream_id, "complete", 5)


async def test_asking_and_looking(served: Served, stream_id: str, make_video: MakeVideo) -> None:
    asked = {"stream_id": stream_id, "question": "What comes?", "at_seconds": 6.5}
    expected = served.client("POST", "/v1/questions", asked).data
    async with connect(served.client.port, ASK) as client:
        answer = await call(client, "ask", stream=make_video(10).name, question="What comes?", at_seconds=6.5)
        assert answer == {name: expected[name] for name in answer}
        assert len(answer["citations"]) == 3
        caption = answer["citations"][1]["caption"]
        clips = (await call(client, "search", words=caption, stream=stream_id))["clips"]
        assert clips[0]["clip_index"] == 1
        shown = await client.call_tool("get_clip", {"stream": stream_id, "clip_index": 1})
        assert shown.structured_content["caption"] == caption
        picture = shown.content[1]
        assert isinstance(picture, ImageContent)
        assert (picture.type, picture.mime_type) == ("image", "image/jpeg")
        thumbnail = served.client("GET", f"/v1/streams/{stream_id}/clips/1/thumbnail").content
        assert base64.b64decode(picture.data) == thumbnail
        assert Image.open(io.BytesIO(thumbnail)).format == "JPEG"


async def test_what_cannot_be_done_is_said_in_one_line(served: Served, stream_id: str) -> None:
    async with connect(served.client.port, ASK) as client:
        assert "no stream matches" in await refusal(client, "ask", stream="0" * 16, question="What?")
        said = await refusal(client, "ask", stream=stream_id, question="")
        assert said == "the question must have at least one visible character, got an empty text"
        assert await refusal(client, "ask", stream=stream_id) == "question is required"
        assert await refusal(client, "search", words="dog", limit=0) == "limit must be at least 1, got 0"
        said = await refusal(client, "search", words="dog", colour="red")
        assert said == "colour is unknown; known fields: limit, stream, words"
        assert "no such clip" in await refusal(client, "get_clip", stream=stream_id, clip_index=99)
        said = await refusal(client, "watch_for", stream=stream_id, words="dog", timeout_seconds=9e9)
        assert said == "timeout_seconds must be at most 300, got 9000000000.0"
        said = await refusal(client, "watch_for", stream=stream_id)
        assert said == "the arguments: give either words or question"
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("watch_source", {"source": "/etc/passwd"})


async def test_a_mistake_of_ours_is_told_without_its_details(
    served: Served, stream_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(served.service.journal.clips, "search", fail)
    async with connect(served.client.port, ASK) as client:
        assert "secret" not in await refusal(client, "search", words="dog")


async def test_waiting_ends_when_it_is_seen_when_time_is_over_and_when_nothing_will_come(
    served: Served, stream_id: str, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = announce_waiting(monkeypatch)
    async with connect(served.client.port, ASK) as client:
        ended = await call(client, "watch_for", stream=stream_id, words="dog")
        assert (ended["found"], ended["last_clip_index"]) == (False, 4)
        assert "not active" in ended["reason"]
        clips = (await call(client, "search", words="a", stream=stream_id))["clips"]
        first = min(clips, key=lambda clip: clip["clip_index"])
        seen = await call(
            client, "watch_for", stream=stream_id, words=first["caption"].upper()[:-1], after_clip_index=-1
        )
        assert (seen["found"], seen["clip"]) == (True, first)
        served.model.gate.clear()
        again = served.client.begin(make_video(10), restart=True)
        try:
            late = await call(client, "watch_for", stream=again, words="a", timeout_seconds=0.1)
            assert (late["found"], late["reason"]) == (False, "timeout")
            async with anyio.create_task_group() as tasks:
                found: dict[str, Any] = {}

                async def wait() -> None:
                    asked = {"stream": again, "words": "a", "after_clip_index": -1, "timeout_seconds": DEADLINE_SECONDS}
                    found.update(await call(client, "watch_for", **asked))

                waits.clear()
                tasks.start_soon(wait)
                await anyio.to_thread.run_sync(waits.wait, DEADLINE_SECONDS)
                served.model.gate.set()
            assert found["clip"]["clip_index"] == 0
        finally:
            served.model.gate.set()
            served.client.wait_for_state(again, "complete")
            served.client("DELETE", f"/v1/streams/{again}")


def announce_waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set whenever a call has begun to wait."""
    waits = threading.Event()

    @contextmanager
    def place(*_: object, **__: object) -> Iterator[None]:
        waits.set()
        yield

    monkeypatch.setattr(ServedStreams, "place", place)
    return waits


async def test_whoever_waits_is_let_go_when_the_server_ends(
    settings: ServerSettings, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, waits = ServedModel(), announce_waiting(monkeypatch)
    model.gate.clear()
    results: list[Any] = []
    with serve(replace(settings, journal=tmp_path / "journal.db"), model) as served:
        begun = served.client.begin(make_video(10))

        async def wait() -> None:
            async with connect(served.client.port, ASK) as client:
                await client.list_tools()  # the client checks results against these, and there is no time afterwards
                results.append(await call(client, "watch_for", stream=begun, words="a", timeout_seconds=300))

        waiting = threading.Thread(target=anyio.run, args=(wait,))
        waiting.start()
        assert waits.wait(DEADLINE_SECONDS)
    waiting.join(DEADLINE_SECONDS)
    assert [result["reason"] for result in results] == ["the server is shutting down"]


async def test_a_tool_that_begins_to_watch_is_for_those_who_may_manage_where_it_is_allowed(
    settings: ServerSettings, make_video: MakeVideo, tmp_path: Path
) -> None:
    allowing = replace(settings, journal=tmp_path / "journal.db", mcp_may_watch=True)
    with serve(allowing, ServedModel()) as served:
        async with connect(served.client.port, ASK) as client:
            assert "watch_source" not in {tool.name for tool in (await client.list_tools()).tools}
            with pytest.raises(MCPError, match="no such tool"):
                await client.call_tool("watch_source", {"source": str(make_video(10))})
        async with connect(served.client.port, MANAGE) as client:
            begun = await call(client, "watch_source", source=str(make_video(10)))
            served.client.wait_for_state(begun["id"], "complete")
            assert "outside" in await refusal(client, "watch_source", source="/etc/passwd")


POSTED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (ASK, {}, 200),
        (MANAGE, {}, 200),
        (READ, {}, 403),
        ("a-token-that-is-wrong", {}, 401),
        (None, {}, 401),
        (ASK, {"Host": "evil.example"}, 421),
        (ASK, {"Origin": "https://evil.example"}, 403),
        (ASK, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
    ],
)
async def test_the_gate_stands_in_front(
    served: Served, token: str | None, headers: dict[str, str], status: int
) -> None:
    reply = Plain(served.client.port, token)("POST", "/mcp", POSTED, ACCEPT | headers)
    assert reply.status == status
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_there_is_no_stream_to_open_and_no_body_without_end(served: Served) -> None:
    client = Plain(served.client.port, ASK)
    assert client("GET", "/mcp", headers=ACCEPT).status == 405
    assert client("DELETE", "/mcp").status == 405
    assert client("POST", "/mcp", b"x" * 100_000, ACCEPT).status == 413
    for bad in (b"", b"{", b"[]", b"\xff", b"[" * 30_000, b'{"jsonrpc": "2.0", "id": 1}'):
        assert client("POST", "/mcp", bad, ACCEPT).status == 400
