"""`keepsight mcp` as a process of its own, asked by the official client over stdin and stdout."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from keepsight.cli.app import run
from keepsight.engine.watcher import Watcher
from keepsight.journal import Journal
from keepsight.settings import Settings
from tests.engine_server import KEY, engine_server, refuses, says
from tests.fake_model import FakeModel
from tests.models.random_model import RandomShape, write_random_model
from tests.server.mcp_calls import text_of
from tests.small_videos import MakeVideo

KEEPSIGHT = ["-c", "from keepsight.cli import main; main()"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Path:
    path = tmp_path_factory.mktemp("mcp-command") / "journal.db"
    settings = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25)
    watcher = Watcher(FakeModel(), path, settings)
    list(watcher.watch(str(make_video(10))))
    watcher.close()
    return path


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("model"), RandomShape(num_layers=2))


@asynccontextmanager
async def connect(journal: Path, log: Path, *words: str) -> AsyncIterator[Client]:
    server = StdioServerParameters(command=sys.executable, args=[*KEEPSIGHT, "mcp", str(journal), *words])
    with log.open("w") as errors:
        async with Client(stdio_client(server, errlog=errors)) as client:
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def test_a_journal_is_asked_and_not_written(
    journal: Path, random_model: Path, make_video: MakeVideo, tmp_path: Path
) -> None:
    log = tmp_path / "stderr"
    with Journal.open(journal, read_only=True) as opened:
        (stream,) = opened.streams.all()
        captions = opened.clips.captions(stream.id)
    async with connect(journal, log, "--model", str(random_model)) as client:
        tools = (await client.list_tools()).tools
        names = {"list_streams", "ask", "search", "get_clip", "watch_for", "list_alerts"}
        assert {tool.name for tool in tools} == names
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        (found,) = (await call(client, "list_streams"))["streams"]
        assert (found["id"], found["state"], found["num_clips"]) == (stream.id, "complete", 5)
        answer = await call(client, "ask", stream=make_video(10).name, question="What comes?")
        assert [citation["caption"] for citation in answer["citations"]] == [clip.caption for clip in captions]
        hits = (await call(client, "search", words=captions[3].caption))["clips"]
        assert hits[0]["clip_index"] == 3
        shown = await client.call_tool("get_clip", {"stream": stream.id, "clip_index": 3})
        assert [part.type for part in shown.content] == ["text", "image"]
        refused = await client.call_tool("ask", {"stream": "nothing", "question": "What?"})
        assert refused.is_error
        assert "no stream matches" in text_of(refused.content[0])
    assert log.read_text() == ""
    with Journal.open(journal, read_only=True) as opened:
        assert opened.answers.of(stream.id) == []


async def test_another_server_answers(journal: Path, random_model: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    with engine_server() as writer:
        writer.will(says("A dog", " comes."))
        words = ("--answer-url", writer.url, "--answer-model", "qwen3", "--answer-key-file", str(key))
        async with connect(journal, tmp_path / "stderr", "--model", str(random_model), *words) as client:
            answer = await call(client, "ask", stream=make_video(10).name, question="What comes?")
            writer.will(refuses(401, KEY))
            refused = await client.call_tool("ask", {"stream": make_video(10).name, "question": "What?"})
    assert (answer["answer"], answer["answer_model"], answer["answer_url"]) == ("A dog comes.", "qwen3", writer.url)
    assert all(citation["caption"] in writer.asked() for citation in answer["citations"])
    assert refused.is_error
    assert "refused with status 401: ***" in text_of(refused.content[0])
    assert (tmp_path / "stderr").read_text() == ""


async def test_a_clip_that_another_process_writes_is_waited_for(
    journal: Path, tmp_path: Path, make_video: MakeVideo
) -> None:
    watched = tmp_path / "journal.db"
    settings = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25)
    with Journal.create(watched) as writing:
        watcher = Watcher(FakeModel(), writing, settings)
        moments = watcher.watch(str(make_video(10)))
        first = next(moments)
        async with connect(watched, tmp_path / "stderr") as client:
            stream = make_video(10).name
            seen = await call(client, "watch_for", stream=stream, words="a", after_clip_index=-1)
            assert (seen["found"], seen["clip"]["caption"]) == (True, first.caption)
            late = await call(client, "watch_for", stream=stream, words="unseen", timeout_seconds=0.1)
            assert (late["found"], late["reason"]) == (False, "timeout")
            second = next(moments)
            later = await call(client, "watch_for", stream=stream, words="a", after_clip_index=seen["last_clip_index"])
            assert later["clip"]["caption"] == second.caption
            moments.close()


async def test_nothing_but_the_protocol_is_on_stdout(journal: Path) -> None:
    asked = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
    }
    done = subprocess.run(
        [sys.executable, *KEEPSIGHT, "mcp", str(journal)],
        input=json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        timeout=300,
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["result"]["serverInfo"]["name"] == "keepsight"
    assert (done.returncode, done.stderr) == (0, "")


async def test_what_is_wrong_with_the_journal_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert run(["mcp", str(tmp_path / "none.db")]) == 2
    finally:
        signal.signal(signal.SIGINT, handler)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert "none.db" in line
