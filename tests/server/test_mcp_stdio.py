"""`keepsight mcp`: waiting with a question, judged by the bundled model, and alerts that a server has made."""

import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from keepsight.journal import Journal
from keepsight.journal.standing_records import Step
from tests.journal.clip_records import make_clip
from tests.server.mcp_calls import call

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Journal]:
    """A journal that another process writes."""
    with Journal.create(tmp_path / "journal.db") as journal:
        yield journal


def write(journal: Journal, stream_id: str, *captions: str) -> None:
    first = journal.streams.position(stream_id).next_clip_index
    for index, caption in enumerate(captions, start=first):
        journal.clips.add(make_clip(stream_id, index, caption=caption))


@pytest.mark.slow  # a wait of a minute is part of it
async def test_a_question_is_judged_by_a_model_of_its_own(writing: Journal, tmp_path: Path) -> None:
    stream_id = writing.streams.begin("/videos/door.mp4", "tiny", "{}").id
    question = writing.standing.add("Is there a dog?")
    write(writing, stream_id, "in the kitchen: the dog stays.")
    (progress,) = writing.standing.due()
    (clip,) = writing.clips.captions(stream_id)
    writing.standing.advance(progress, Step(1, True, num_checked=1, alert=clip))
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from keepsight.cli import main; main()", "mcp", str(writing.path), "--device", "cpu"],
    )
    with (tmp_path / "stderr").open("w") as errors, anyio.fail_after(120):
        async with Client(stdio_client(parameters, errlog=errors)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "add_standing_question" not in names  # a journal alone is not written
            (alert,) = (await call(client, "list_alerts"))["alerts"]
            assert (alert["standing_question_id"], alert["clip_index"]) == (question.id, 0)
            asked = {"stream": stream_id, "question": "Tell me when a dog comes in", "after_clip_index": 0}
            nothing = "in the kitchen: nothing happens."
            write(writing, stream_id, nothing, "in the kitchen: the cat arrives.", nothing)
            late = await call(client, "watch_for", **asked, timeout_seconds=60)
            assert (late["found"], late["is_so"], late["last_clip_index"]) == (False, False, 3)
            write(writing, stream_id, "in the kitchen: the dog arrives.")
            seen = await call(client, "watch_for", **asked, timeout_seconds=60)
            assert (seen["found"], seen["clip"]["clip_index"]) == (True, 4)
