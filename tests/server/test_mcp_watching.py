"""Waiting until something becomes so, standing questions and alerts, by the official MCP client over HTTP."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from keepsight.method.protocol import AnswerRequest
from keepsight.server.settings import ServerSettings
from keepsight.server.tokens import ScopedToken, TokenScope
from tests.patience import DEADLINE_SECONDS
from tests.server.mcp_calls import call, connect, is_read_only, refusal
from tests.server.served import PATIENCE_SECONDS, Served, serve
from tests.server.standing_model import YesModel, add_clips, add_still_clip

MANAGE, ASK = "a-token-for-tests-only", "a-token-that-may-ask"
DOG = "Tell me when a dog comes in"

pytestmark = pytest.mark.anyio


def asked_of(served: Served) -> list[tuple[str, str]]:
    """Context and question of each answer of the server's model."""
    assert isinstance(served.model, YesModel)
    return served.model.asked


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class HeldModel(YesModel):
    """Judges captions while it may."""

    may_judge: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        assert self.may_judge.wait(PATIENCE_SECONDS)
        return super().answer(request)


@pytest.fixture
def settings(server_settings: ServerSettings) -> ServerSettings:
    return replace(server_settings, token=MANAGE, tokens=(ScopedToken(TokenScope.ASK, ASK),), max_standing_questions=2)


@pytest.fixture
def served(settings: ServerSettings) -> Iterator[Served]:
    with serve(settings, HeldModel()) as running:
        assert isinstance(running.model, HeldModel)
        running.model.may_judge.set()
        try:
            yield running
        finally:
            running.model.may_judge.set()


@pytest.fixture
def stream_id(served: Served) -> str:
    """A stream that another program watches, so that its clips come when the test says."""
    return served.service.journal.streams.begin("/videos/door.mp4", "fake", "{}").id


def watch(served: Served, stream_id: str, truths: Sequence[bool]) -> None:
    """New clips, with a dog in some."""
    add_clips(served.service.journal, stream_id, truths)
    served.service.signals.notify(stream_id)


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_SECONDS):
        while not is_so():
            await anyio.sleep(0.01)


@asynccontextmanager
async def waiting(served: Served, token: str = ASK, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
    """A client that waits while the block lasts; then it must be told, within its patience, what ended its waiting."""
    ended: dict[str, Any] = {}

    async def wait() -> None:
        async with connect(served.client.port, token) as client:
            ended.update(await call(client, "watch_for", **arguments))

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            yield ended


async def test_it_is_told_when_it_becomes_so_each_time(served: Served, stream_id: str) -> None:
    watch(served, stream_id, [True])
    async with waiting(served, stream=stream_id, question=DOG, timeout_seconds=DEADLINE_SECONDS) as seen:
        # The clip that was there is judged first: the dog that is in already must leave before it can come in.
        await until(lambda: len(asked_of(served)) == 1)
        watch(served, stream_id, [True])
        watch(served, stream_id, [False])
        await until(lambda: len(asked_of(served)) == 3)
        assert not seen
        watch(served, stream_id, [True, True])
    assert (seen["found"], seen["clip"]["clip_index"], seen["last_clip_index"]) == (True, 3, 3)
    assert (seen["clip"]["caption"], seen["is_so"]) == (f"a dog waits 3 {stream_id}", True)
    assert seen["reason"] == "found"
    again = {"stream": stream_id, "question": DOG, "after_clip_index": seen["last_clip_index"]}
    async with connect(served.client.port, ASK) as client:
        still = await call(client, "watch_for", **again, timeout_seconds=3)  # long enough to judge two clips
        assert (still["found"], still["is_so"], still["last_clip_index"]) == (False, True, 4)
        assert still["reason"] == "timeout"
        watch(served, stream_id, [False, True])
        later = await call(client, "watch_for", **again, timeout_seconds=DEADLINE_SECONDS)
    assert (later["found"], later["clip"]["clip_index"], later["num_clips_left_out"]) == (True, 6, 0)


async def test_a_still_clip_is_not_judged_and_changes_nothing(served: Served, stream_id: str) -> None:
    """As the one before it is taken the captioned clip that it continues, with the dog that is in already."""
    watch(served, stream_id, [True])
    add_still_clip(served.service.journal, stream_id, since=0)
    add_still_clip(served.service.journal, stream_id, since=0)
    watch(served, stream_id, [True, False])
    add_still_clip(served.service.journal, stream_id, since=4)
    watch(served, stream_id, [True])
    async with connect(served.client.port, ASK) as client:
        seen = await call(client, "watch_for", stream=stream_id, question=DOG, after_clip_index=1)
    assert (seen["found"], seen["clip"]["clip_index"], seen["is_so"]) == (True, 6, True)
    assert len(asked_of(served)) == 4
    assert not any("nothing changed" in context for context, _ in asked_of(served))


async def test_words_that_stay_are_found_again(served: Served, stream_id: str) -> None:
    watch(served, stream_id, [True, True])
    async with connect(served.client.port, ASK) as client:
        seen = await call(client, "watch_for", stream=stream_id, words="dog", after_clip_index=0)
    assert (seen["found"], seen["clip"]["clip_index"], seen["is_so"]) == (True, 1, None)
    assert asked_of(served) == []


async def test_one_thing_is_waited_for(served: Served, stream_id: str) -> None:
    async with connect(served.client.port, ASK) as client:
        either = "give either words or question"
        assert either in await refusal(client, "watch_for", stream=stream_id)
        assert either in await refusal(client, "watch_for", stream=stream_id, words="dog", question=DOG)
        assert "question" in await refusal(client, "watch_for", stream=stream_id, question=" ")


async def test_of_too_many_clips_the_newest_are_judged(served: Served, stream_id: str) -> None:
    watch(served, stream_id, [True] + [False] * 148 + [True, True])
    async with connect(served.client.port, ASK) as client:
        seen = await call(client, "watch_for", stream=stream_id, question=DOG, after_clip_index=-1, timeout_seconds=200)
    assert (seen["clip"]["clip_index"], seen["num_clips_left_out"]) == (149, 51)
    assert len(asked_of(served)) == 99  # of the 100 newest, up to the one that is reported


async def test_a_place_is_given_back_by_whoever_goes_away(served: Served, stream_id: str) -> None:
    watch(served, stream_id, [False])
    places = served.service.standing.waiting
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(wait_for_long, served, stream_id)
        await until(lambda: places.num_taken == 2)
        async with connect(served.client.port, ASK) as client:
            assert "limit reached" in await refusal(client, "watch_for", stream=stream_id, question=DOG)
            late = await call(client, "watch_for", stream=stream_id, words="dog", timeout_seconds=0.1)
            assert late["reason"] == "timeout"  # words need no place of these
        # Those who wait take no place of a standing question.
        assert served.client("POST", "/v1/standing-questions", {"question": DOG}).status == 201
        tasks.cancel_scope.cancel()
    await until(lambda: places.num_taken == 0)
    await until(lambda: "\nkeepsight_viewers 0.0" in served.client("GET", "/metrics").content.decode())


async def wait_for_long(served: Served, stream_id: str) -> None:
    async with connect(served.client.port, ASK) as client:
        await call(client, "watch_for", stream=stream_id, question=DOG, timeout_seconds=300)


async def test_time_is_over_though_the_model_is_busy(served: Served, stream_id: str) -> None:
    assert isinstance(served.model, HeldModel)
    served.model.may_judge.clear()
    watch(served, stream_id, [False])
    async with connect(served.client.port, ASK) as client:
        late = await call(client, "watch_for", stream=stream_id, question=DOG, timeout_seconds=0.2)
    assert (late["found"], late["is_so"], late["last_clip_index"]) == (False, None, 0)
    assert late["reason"] == "timeout"
    assert served.service.standing.waiting.num_taken == 0


async def test_a_standing_question_goes_on_when_the_agent_is_gone(served: Served, stream_id: str) -> None:
    async with connect(served.client.port, MANAGE) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert not is_read_only(tools["add_standing_question"])
        assert is_read_only(tools["list_alerts"])
        added = await call(client, "add_standing_question", question=DOG, stream=stream_id, cooldown_seconds=100)
        assert "limit reached" in await refusal_of_third(client, served)
        assert "cooldown_seconds" in await refusal(client, "add_standing_question", question=DOG, cooldown_seconds=-1)
    view = served.client("GET", f"/v1/standing-questions/{added['id']}").data
    assert (view["question"], view["stream_id"], view["cooldown_seconds"]) == (DOG, stream_id, 100)
    watch(served, stream_id, [False, True, False, True, False, True])
    alerts = f"/v1/standing-questions/{added['id']}/alerts"
    await until(lambda: len(served.client("GET", alerts).data["alerts"]) == 2)
    async with connect(served.client.port, ASK) as client:
        assert "add_standing_question" not in {tool.name for tool in (await client.list_tools()).tools}
        told = (await call(client, "list_alerts", stream=stream_id))["alerts"]
        assert [(alert["clip_index"], alert["question"]) for alert in told] == [(5, DOG), (1, DOG)]
        older = await call(client, "list_alerts", before_alert_id=told[0]["id"], limit=1)
        assert older["alerts"] == told[1:]
        assert "no stream matches" in await refusal(client, "list_alerts", stream="none")


async def refusal_of_third(client: Any, served: Served) -> str:
    assert served.client("POST", "/v1/standing-questions", {"question": "Is there a cat?"}).status == 201
    return await refusal(client, "add_standing_question", question="Is there a bird?")
