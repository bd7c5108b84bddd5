"""Spans as a collector got them, and a server that sends some."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from keepsight.models.engines.engine import Engine
from keepsight.server.http.app import make_app
from keepsight.server.settings import ServerSettings
from keepsight.server.telemetry.exporting import Traces
from tests.server.served import Served, ServedModel, serve
from tests.server.webhook_receiver import Received, Receiver


@dataclass(frozen=True)
class Span:
    """A span as it came."""

    name: str
    trace_id: str
    id: str
    parent_id: str
    is_of_a_server: bool
    start_ns: int
    end_ns: int
    has_failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def spans_of(received: Sequence[Received]) -> list[Span]:
    """All that came, in the order in which they ended; there are no words in them beside names and attributes."""
    spans = []
    for one in received:
        assert one.path == "/v1/traces"
        assert one.headers["content-type"] == "application/x-protobuf"
        for resource in ExportTraceServiceRequest.FromString(one.body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    assert f"{span.trace_state}{span.status.message}" == ""
                    assert len(span.events) == len(span.links) == 0
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    times = (span.start_time_unix_nano, span.end_time_unix_nano)
                    has_failed = span.status.code == span.status.STATUS_CODE_ERROR
                    of_a_server = span.kind == span.SPAN_KIND_SERVER
                    said = (plain(span.attributes), plain(resource.resource.attributes))
                    spans.append(Span(span.name, *ids, of_a_server, *times, has_failed, *said))
    return sorted(spans, key=lambda span: span.end_ns)


def named(spans: Sequence[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def address_of(collector: Receiver) -> str:
    return f"http://127.0.0.1:{collector.port}"


@contextmanager
def traced(
    settings: ServerSettings, model: ServedModel, endpoint: str, engine: Engine | None = None
) -> Iterator[Served]:
    """A server whose traces go to an address; they are there when the block has ended."""
    with Traces(endpoint) as tracer, pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.server.served.make_app", partial(make_app, tracer=tracer))
        with serve(settings, model, engine=engine) as running:
            yield running
