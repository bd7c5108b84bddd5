"""A server whose questions another server answers: every face, every failure, and what it never says."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import anyio
import openai
import pytest
from playwright.sync_api import Browser, expect

from keepsight.models.engines.engine import Engine, EngineLimits
from keepsight.server.settings import ServerSettings
from tests.engine_server import DONE, KEY, EngineServer, Sent, delta, engine_server, refuses, says
from tests.patience import DEADLINE_SECONDS, wait_for
from tests.server.mcp_calls import call, connect
from tests.server.openai_replies import grounds_of
from tests.server.paged import visit
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

NEVER = threading.Event()
LIMITS = EngineLimits(wait_seconds=DEADLINE_SECONDS, total_seconds=DEADLINE_SECONDS, retries=0)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineServer]:
    monkeypatch.setenv("no_proxy", "*")
    with engine_server() as played:
        yield played


@pytest.fixture
def served(server_settings: ServerSettings, writer: EngineServer) -> Iterator[Served]:
    engine = Engine(writer.url, "qwen3", key=KEY, limits=LIMITS)
    with serve(server_settings, ServedModel(), engine=engine) as running:
        yield running


@pytest.fixture
def stream_id(served: Served, make_video: MakeVideo) -> str:
    begun = served.client.begin(make_video(10))
    served.client.wait_for_state(begun, "complete")
    return begun


def ask(client: Client, stream_id: str, **more: Any) -> Any:
    return client("POST", "/v1/questions", {"stream_id": stream_id, "question": "What comes?", **more})


def past(client: Client, stream_id: str) -> Any:
    return client("GET", f"/v1/streams/{stream_id}/questions").data


def test_the_engine_answers_from_the_captions(served: Served, writer: EngineServer, stream_id: str) -> None:
    writer.will(says("A dog", " comes."))
    answer = ask(served.client, stream_id).data
    assert (answer["answer"], answer["num_captions_given"]) == ("A dog comes.", 5)
    assert (answer["answer_model"], answer["answer_url"]) == ("qwen3", writer.url)
    for citation in answer["citations"]:
        assert citation["caption"] in writer.asked()
    assert "Question: What comes?" in writer.asked()
    (stored,) = past(served.client, stream_id)
    assert (stored["answer"], stored["answer_model"], stored["answer_url"]) == ("A dog comes.", "qwen3", writer.url)
    assert served.model.calls == []


def test_the_engine_answers_in_pieces(served: Served, writer: EngineServer, stream_id: str) -> None:
    gate = threading.Event()
    writer.will(Sent([delta("A dog"), delta(" comes.", "stop")], gate=gate))
    asked = {"stream_id": stream_id, "question": "What comes?", "stream": True}
    with closing(served.client.events("/v1/questions", "POST", asked)) as events:
        assert next(events).name == "citations"
        assert next(events).data["text"] == "A dog"
        gate.set()
        rest = list(events)
    assert [one.name for one in rest] == ["piece", "answer"]
    assert rest[-1].data["answer_url"] == writer.url


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_openai_clients_get_it_with_the_reason_of_its_end(
    served: Served, writer: EngineServer, stream_id: str, reason: str
) -> None:
    writer.will(says("A dog comes.", finish_reason=reason))
    question: Any = [{"role": "user", "content": "What comes?"}]
    base = f"http://127.0.0.1:{served.client.port}/v1"
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        whole = client.chat.completions.create(model=stream_id, messages=question, max_tokens=9)
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("A dog comes.", reason)
        assert grounds_of(whole)["answer_model"] == "qwen3"
        chunks = list(client.chat.completions.create(model=stream_id, messages=question, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "A dog comes."
        assert chunks[-1].choices[0].finish_reason == reason
        writer.will(refuses(500))
        with pytest.raises(openai.InternalServerError, match="refused with status 500"):
            client.chat.completions.create(model=stream_id, messages=question)
    assert writer.bodies[0]["max_tokens"] == 9


def test_agents_get_it(served: Served, writer: EngineServer, stream_id: str) -> None:
    writer.will(says("A dog comes."))

    async def ask_as_agent() -> Any:
        async with connect(served.client.port) as client:
            return await call(client, "ask", stream=stream_id, question="What comes?")

    found = anyio.run(ask_as_agent)
    assert (found["answer"], found["answer_model"], found["answer_url"]) == ("A dog comes.", "qwen3", writer.url)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (refuses(401, KEY), 502, "refused with status 401: ***"),
        (refuses(503, Retry_After="7"), 503, "refused with status 503"),
        (Sent([delta("A dog")], is_whole=False), 502, "broke off its answer"),
        (Sent([b"<html>"], headers={"Content-Type": "text/html"}), 502, "got text/html"),
    ],
)
def test_a_failure_is_one_line_and_nothing_is_stored(
    served: Served, writer: EngineServer, stream_id: str, sent: Sent, status: int, said: str
) -> None:
    writer.will(sent)
    refused = ask(served.client, stream_id)
    assert refused.status == status
    assert said in refused.message
    assert KEY not in refused.message
    assert refused.headers.get("retry-after") == ("7" if status == 503 else None)
    events = list(
        served.client.events("/v1/questions", "POST", {"stream_id": stream_id, "question": "?!x", "stream": True})
    )
    assert events[-1].name == "error"
    assert said in events[-1].data["error"]["message"]
    assert past(served.client, stream_id) == []
    assert b'keepsight_answers_total{outcome="failed"} 2.0' in served.client("GET", "/metrics").content


def test_a_silent_engine_is_a_gateway_timeout(
    server_settings: ServerSettings, writer: EngineServer, make_video: MakeVideo
) -> None:
    writer.will(Sent([DONE], head_gate=NEVER))
    engine = Engine(writer.url, "qwen3", limits=replace(LIMITS, wait_seconds=0.2))
    with serve(server_settings, ServedModel(), engine=engine) as served:
        stream_id = served.client.begin(make_video(4))
        served.client.wait_for_state(stream_id, "complete")
        assert ask(served.client, stream_id).status == 504


@pytest.mark.parametrize("in_pieces", [True, False])
def test_a_client_that_leaves_ends_the_engines_work(
    served: Served, writer: EngineServer, stream_id: str, in_pieces: bool
) -> None:
    writer.will(Sent([delta("A dog"), DONE], gate=NEVER))
    asked = {"stream_id": stream_id, "question": "What comes?", "stream": in_pieces}
    with closing(served.client.send("POST", "/v1/questions", asked, {})):
        wait_for(lambda: writer.bodies, "the engine is asked")
    assert writer.left.wait(DEADLINE_SECONDS)
    wait_for(lambda: b"keepsight_questions_in_flight 0.0" in served.client("GET", "/metrics").content)
    assert past(served.client, stream_id) == []


def test_watching_goes_on_while_the_engine_writes(
    served: Served, writer: EngineServer, make_video: MakeVideo, stream_id: str
) -> None:
    gate = threading.Event()
    writer.will(Sent([delta("A dog"), delta(" comes.", "stop")], gate=gate))
    asked = {"stream_id": stream_id, "question": "What comes?", "stream": True}
    with closing(served.client.events("/v1/questions", "POST", asked)) as events:
        next(events), next(events)
        served.client.wait_for_state(served.client.begin(make_video(4)), "complete")
        gate.set()
        assert [one.name for one in events] == ["piece", "answer"]


def test_a_server_that_stops_does_not_wait_for_the_engine(
    server_settings: ServerSettings, writer: EngineServer, make_video: MakeVideo
) -> None:
    writer.will(Sent([delta("A dog"), DONE], gate=NEVER))
    with serve(server_settings, ServedModel(), engine=Engine(writer.url, "qwen3", limits=LIMITS)) as served:
        stream_id = served.client.begin(make_video(4))
        served.client.wait_for_state(stream_id, "complete")
        connection = served.client.send("POST", "/v1/questions", {"stream_id": stream_id, "question": "What?"}, {})
        wait_for(lambda: writer.bodies, "the engine is asked")
    connection.close()
    assert writer.left.wait(DEADLINE_SECONDS)


def test_a_live_camera_on_the_page_is_answered_from_captions(
    served: Served, writer: EngineServer, stream_id: str
) -> None:
    writer.will(says("A dog comes."))
    assert ask(served.client, stream_id, live=True).data["num_live_frames"] == 0


@pytest.mark.parametrize("name", ["answer_url", "answer_model", "answer_key_file", "answer_options"])
def test_no_request_names_an_engine(served: Served, stream_id: str, make_video: MakeVideo, name: str) -> None:
    more = {name: "http://169.254.169.254/v1"}
    assert ask(served.client, stream_id, **more).status == 422
    begun = served.client("POST", "/v1/streams", {"source": str(make_video(4)), "settings": more})
    assert begun.status == 422
    assert served.client("POST", "/v1/streams", {"source": str(make_video(4)), **more}).status == 422


def test_standing_questions_are_judged_by_the_engine(
    served: Served, writer: EngineServer, make_video: MakeVideo
) -> None:
    writer.will(says("Yes", "."))
    added = served.client("POST", "/v1/standing-questions", {"question": "Tell me when a dog comes in"}).data
    assert added["checked_for"].endswith("Tell me when a dog comes in")
    stream_id = served.client.begin(make_video(4))
    served.client.wait_for_state(stream_id, "complete")
    path = f"/v1/standing-questions/{added['id']}/alerts"
    (alert,) = wait_for(lambda: served.client("GET", path).data["alerts"], "an alert")
    assert alert["stream_id"] == stream_id
    assert "Tell me when a dog comes in" in writer.asked()
    assert writer.bodies[0]["max_tokens"] == 8


def test_the_page_is_told_who_answers(served: Served, writer: EngineServer) -> None:
    assert served.client("GET", "/v1/about").data["answers"] == {"model": "qwen3", "url": writer.url}


def test_the_page_shows_who_answered(browser: Browser, served: Served, writer: EngineServer, stream_id: str) -> None:
    writer.will(says("A dog", " comes."))
    with visit(browser, served.client, f"#/streams/{stream_id}") as page:
        page.get_by_label("Ask about this video").fill("What comes?")
        page.get_by_label("Ask about this video").press("Enter")
        expect(page.locator(".answer .text")).to_have_text("A dog comes.")
        expect(page.locator(".answer summary")).to_contain_text(f"by qwen3 at {writer.url}")
        page.reload()
        expect(page.locator(".answer summary")).to_contain_text(f"by qwen3 at {writer.url}")
