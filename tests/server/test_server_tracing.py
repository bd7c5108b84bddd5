"""Traces: what an OpenTelemetry collector gets of a server, what it never gets, and what if there is none."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from keepsight.engine.stream_pipeline import Moment
from keepsight.journal import Journal
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, VisualInput
from keepsight.models.engines.engine import Engine
from keepsight.server.settings import ServerSettings
from keepsight.server.telemetry.exporting import Traces
from keepsight.server.telemetry.tracing import TraceObserver
from tests.child_process import importing_tests
from tests.engine_server import KEY, engine_server, says
from tests.journal.clip_records import make_clip
from tests.server.otlp_spans import Span, address_of, named, spans_of, traced
from tests.server.served import PATIENCE_SECONDS, Client, ServedModel
from tests.server.webhook_receiver import Receiver, receiving
from tests.small_videos import MakeVideo

TOKEN = "a-token-for-tests-only"
SECRET = "hunter2-the-password"
DOCS = (Path(__file__).parent.parent.parent / "docs" / "serving.md").read_text(encoding="utf-8")
ROUTES = (Path(__file__).parent.parent.parent / "docs" / "reference" / "http.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "KEEPSIGHT_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@dataclass
class TimedModel(ServedModel):
    """Notes when it was asked for a caption."""

    described_ns: list[int] = field(default_factory=list)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        self.described_ns.append(time.time_ns())
        return super().describe(clip, request)


def test_what_was_watched_and_asked(
    server_settings: ServerSettings, collector: Receiver, make_video: MakeVideo
) -> None:
    began, model = time.time_ns(), TimedModel()
    with traced(server_settings, model, address_of(collector)) as served:
        client = served.client
        stream_id = client.begin(make_video(10))
        client.wait_for_state(stream_id, "complete")
        asked = {"stream_id": stream_id, "question": "What comes?"}
        assert client("POST", "/v1/questions", asked).status == 200
        list(client.events("/v1/questions", "POST", asked | {"stream": True}))
        views = [client("GET", f"/v1/streams/{stream_id}/clips/{index}").data for index in range(5)]
        assert client("GET", "/v1/streams/no-stream/clips").status == 404
    spans = spans_of(collector.received)
    ended = time.time_ns()
    assert all(began <= span.start_ns <= span.end_ns <= ended for span in spans)
    clips = named(spans, "clip")
    for clip, view, described_ns in zip(clips, views, model.described_ns, strict=True):
        assert clip.start_ns <= described_ns <= clip.end_ns
        assert clip.seconds == pytest.approx(view["seconds_spent"], abs=1e-6)
        assert clip.attributes == {
            "keepsight.stream_id": stream_id,
            "keepsight.clip_index": view["clip_index"],
            "keepsight.visual_tokens_seen": view["num_visual_tokens"],
            "keepsight.visual_tokens_kept": len(view["kept_indices"]),
            "keepsight.frames_dropped": 0,
        }
    requests = {span.id: span for span in spans if span.is_of_a_server}
    answers = named(spans, "answer")
    parents = [requests[answer.parent_id] for answer in answers]
    assert parents == named(spans, "POST /v1/questions")  # at once and streamed, each in a request of its own
    for answer, parent in zip(answers, parents, strict=True):
        assert answer.attributes["keepsight.outcome"] == "answered"
        assert answer.attributes["keepsight.answer_model"] == "fake"
        assert "keepsight.answer_url" not in answer.attributes
        assert answer.seconds == pytest.approx(answer.attributes["keepsight.seconds"], abs=1e-6)
        assert not answer.has_failed
        assert answer.trace_id == parent.trace_id
        assert parent.start_ns <= answer.start_ns <= answer.end_ns <= parent.end_ns
    (state,) = named(spans, "state")
    assert state.attributes == {"keepsight.stream_id": stream_id, "keepsight.state": "complete"}
    roots = [span for span in spans if not span.parent_id]
    assert {span.id for span in (*clips, state, *requests.values())} == {span.id for span in roots}
    assert len({span.trace_id for span in roots}) == len(roots)
    check_requests(list(requests.values()), stream_id)
    check_docs(spans)


def check_requests(requests: list[Span], stream_id: str) -> None:
    """A request is known by its route alone."""
    (looked_for,) = named(requests, "GET /v1/streams/{stream_id}/clips")
    assert looked_for.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/streams/{stream_id}/clips",
        "http.response.status_code": 404,
    }
    assert not looked_for.has_failed
    views = named(requests, "GET /v1/streams/{stream_id}/clips/{clip_index}")
    assert len(views) == 5
    assert {span.attributes["keepsight.stream_id"] for span in views} == {stream_id}
    (begun,) = named(requests, "POST /v1/streams")
    assert begun.attributes["http.response.status_code"] == 201


def check_docs(spans: list[Span]) -> None:
    """Each name stands in the documentation; requests are named by routes, which other tests look for there."""
    for span in spans:
        assert f"`{span.name}`" in DOCS or span.attributes["http.route"] in ROUTES
        assert all(f"`{name}`" in DOCS for name in span.attributes)
        assert span.resource["service.name"] == "keepsight"
        assert span.resource["service.version"]


TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


def test_which_server_answered(server_settings: ServerSettings, collector: Receiver, make_video: MakeVideo) -> None:
    with engine_server() as writer:
        writer.will(says("A dog comes."))
        engine = Engine(writer.url, "qwen3", key=KEY)
        with traced(server_settings, TimedModel(), address_of(collector), engine) as served:
            stream_id = served.client.begin(make_video(4))
            served.client.wait_for_state(stream_id, "complete")
            assert served.client("POST", "/v1/questions", {"stream_id": stream_id, "question": "What?"}).status == 200
    (answer,) = named(spans_of(collector.received), "answer")
    assert answer.attributes["keepsight.answer_model"] == "qwen3"
    assert answer.attributes["keepsight.answer_url"] == writer.url
    assert not any(KEY.encode() in one.body for one in collector.received)


def test_the_trace_of_a_caller_is_continued(
    server_settings: ServerSettings, collector: Receiver, make_video: MakeVideo
) -> None:
    with traced(server_settings, ServedModel(), address_of(collector)) as served:
        client = served.client
        stream_id = client.begin(make_video(4))
        client.wait_for_state(stream_id, "complete")
        asked = {"stream_id": stream_id, "question": "What comes?"}
        assert client("POST", "/v1/questions", asked, {"traceparent": PARENT}).status == 200
        client("GET", "/v1/about", headers={"traceparent": PARENT[:-1] + "0"})  # the caller takes no trace of this
        odd = [PARENT.replace(CALLER, "0" * 16), f"{PARENT}-more", f"01{PARENT[2:]}-{'x' * 600}", "\xff", ""]
        for traceparent in odd:
            assert client("GET", "/v1/models", headers={"traceparent": traceparent}).status == 200
        twice = {"traceparent": PARENT, "Traceparent": PARENT.replace(CALLER, "f" * 16)}
        assert client("GET", "/v1/models", headers=twice).status == 200
    spans = spans_of(collector.received)
    (request,) = named(spans, "POST /v1/questions")
    assert (request.trace_id, request.parent_id) == (TRACE, CALLER)
    (answer,) = named(spans, "answer")
    assert (answer.trace_id, answer.parent_id) == (TRACE, request.id)
    assert not named(spans, "GET /v1/about")
    alone = named(spans, "GET /v1/models")
    assert len(alone) == 6
    assert {span.parent_id for span in alone} == {""}
    assert TRACE not in {span.trace_id for span in alone}


class HostileModel(ServedModel):
    """Sees a password, says it, and fails with it."""

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        return replace(super().describe(clip, request), caption=f"a sign says {SECRET}.")

    def answer(self, request: AnswerRequest) -> Generator[str, None, None]:
        if "fail" in request.question:
            raise RuntimeError(SECRET)
        yield from (" It", f" is {SECRET}.")


async def ask_as_agent(port: int, stream_id: str) -> None:
    """By MCP, from within a trace of the agent's own, whose state has the password."""
    state = trace.TraceState([("vendor", SECRET)])
    caller = trace.SpanContext(int(TRACE, 16), int(CALLER, 16), False, trace.TraceFlags(1), state)
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_SECONDS) as http,
        McpClient(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)) as client,
    ):
        with trace.use_span(trace.NonRecordingSpan(caller)):
            result = await client.call_tool("ask", {"stream": stream_id, "question": SECRET})
    assert not result.is_error, result


def visit(client: Client, video: Path) -> tuple[str, str]:
    """Everything in which a password may stand. The ids of a file and of a camera."""
    stream_id = client.begin(video)
    client.wait_for_state(stream_id, "complete")
    for question in (SECRET, f"fail with {SECRET}"):
        client("POST", "/v1/questions", {"stream_id": stream_id, "question": question})
    list(client.events("/v1/questions", "POST", {"stream_id": stream_id, "question": SECRET, "stream": True}))
    anyio.run(ask_as_agent, client.port, stream_id)
    address = f"rtsp://admin:{SECRET}@127.0.0.1:9/{SECRET}?password={SECRET}"
    camera = client("POST", "/v1/streams", {"source": address}).data["id"]
    client.wait_for(camera, lambda view: view["state"] == "offline")
    client("POST", "/v1/streams", {"source": f"http://admin:{SECRET}@127.0.0.1:9/{SECRET}.mp4"})
    client("POST", "/v1/streams", {"source": str(video.with_name(f"no-{SECRET}.mp4"))})
    client("GET", f"/v1/moments?query={SECRET}")
    client("GET", f"/{SECRET}?{SECRET}")
    client("GET", f"/v1/streams/{SECRET}/clips")
    Client(client.port)("GET", f"/v1/streams?token={SECRET}")
    client(f"{SECRET.upper()}", "/v1/streams")
    headers = {"User-Agent": SECRET, "Cookie": f"a={SECRET}", "baggage": f"a={SECRET}", "X-Forwarded-For": SECRET}
    client("GET", "/v1/about", headers=headers | {"traceparent": PARENT, "tracestate": f"vendor={SECRET}"})
    client("POST", f"/v1/streams/{camera}/pause")
    return stream_id, camera


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nothing_that_is_secret_is_sent(
    server_settings: ServerSettings, collector: Receiver, tmp_path: Path, make_video: MakeVideo
) -> None:
    settings = replace(server_settings, token=TOKEN, allow_private=True, roots=(tmp_path,))
    video = Path(shutil.copy(make_video(4), tmp_path / f"{SECRET}.mp4"))
    with traced(settings, HostileModel(), address_of(collector)) as served:
        stream_id, camera = visit(served.client, video)
        assert SECRET in served.client("GET", f"/v1/streams/{stream_id}/clips").content.decode()
    sent = b"".join(one.body for one in collector.received)
    assert stream_id.encode() in sent
    for secret in (SECRET, SECRET.upper(), TOKEN, ".mp4", "rtsp:", "a sign says", str(tmp_path), "127.0.0.1"):
        assert secret.encode() not in sent
    spans = spans_of(collector.received)
    answers = [(one.attributes["keepsight.outcome"], one.has_failed) for one in named(spans, "answer")]
    assert answers == [("answered", False), ("failed", True), ("answered", False), ("answered", False)]
    assert named(spans, "answer")[-1].trace_id == TRACE  # the agent's
    states = [one.attributes["keepsight.state"] for one in named(spans, "state") if camera in one.attributes.values()]
    assert "offline" in states
    assert states[-1] == "paused"
    failed = [one.attributes["http.response.status_code"] for one in spans if one.is_of_a_server and one.has_failed]
    assert failed == [500]
    assert {one.attributes["http.response.status_code"] for one in named(spans, "GET")} >= {401, 404}
    odd = [one.name for one in spans if one.attributes.get("http.request.method") == "_OTHER"]
    assert odd == ["HTTP /v1/streams"]


def test_what_observers_are_told_of_failures(journal: Journal, collector: Receiver) -> None:
    stream = journal.streams.begin(f"rtsp://{SECRET}", "fake", "{}", is_live=True)
    clip = make_clip(stream.id, 0)
    with Traces(address_of(collector)) as tracer:
        observer = TraceObserver(tracer)
        observer.restarted(stream, f"{SECRET}: the process that decodes died")
        observer.changed(stream, "failed", SECRET)
        observer.watched(stream, Moment(**vars(clip) | {"caption": SECRET, "num_frames_dropped": 7}))
    restart, state, moment = spans_of(collector.received)
    assert (restart.name, restart.attributes) == ("decoder restart", {"keepsight.stream_id": stream.id})
    assert (state.name, state.has_failed, state.seconds) == ("state", True, 0)
    assert moment.attributes["keepsight.frames_dropped"] == 7
    assert moment.seconds == pytest.approx(clip.seconds_spent)
    assert SECRET.encode() not in b"".join(one.body for one in collector.received)


def test_two_servers_trace_for_themselves(server_settings: ServerSettings, tmp_path: Path) -> None:
    other = replace(server_settings, journal=tmp_path / "other.db")
    with receiving() as here, receiving() as there:
        with (
            traced(server_settings, ServedModel(), address_of(here)) as first,
            traced(other, ServedModel(), address_of(there)) as second,
        ):
            first.client("GET", "/v1/about")
            second.client("GET", "/v1/models")
        assert [span.name for span in spans_of(here.received)] == ["GET /v1/about"]
        assert [span.name for span in spans_of(there.received)] == ["GET /v1/models"]
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


GLOBAL = f"""
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from tests.server.served import ServedModel, ServerSettings, serve
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
with serve(ServerSettings(Path("journal.db"), roots=(Path(),), port=0), ServedModel()) as served:
    print(served.client("GET", "/v1/moments?query={SECRET}").status)
"""


def test_a_global_provider_gets_no_requests(tmp_path: Path) -> None:
    """The framework would write queries into spans of its own."""
    done = subprocess.run(
        [sys.executable, "-c", GLOBAL], cwd=tmp_path, capture_output=True, text=True, env=importing_tests()
    )
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
