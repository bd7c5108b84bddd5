"""OpenTelemetry spans of clips, questions, states, decoder restarts and requests.

They never contain questions, answers, captions, sources, reasons, addresses, headers, or what clients put into these. A
request is named by its route, and only the ids of an incoming trace context are used. The official ASGI instrumentation
records queries, user agents and client addresses, so it is not used.
"""

import re
import time
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.engine.stream_pipeline import Moment
from keepsight.hub.observing import Observer
from keepsight.journal import StreamRecord
from keepsight.method.model_info import AnswerAuthor

_Attributes = Mapping[str, str | int | float]
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_STREAM_ID = re.compile("[0-9a-f]{16}")
_LONGEST_TRACEPARENT = 512


class TraceObserver(Observer):
    """Makes a span of each event; a stream's spans are roots, an answer's belongs to its request.

    Args:
        tracer: receives the spans.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        figures: _Attributes = {
            "keepsight.stream_id": stream.id,
            "keepsight.clip_index": moment.clip_index,
            "keepsight.visual_tokens_seen": moment.num_visual_tokens,
            "keepsight.visual_tokens_kept": moment.num_kept_tokens,
            "keepsight.frames_dropped": moment.num_frames_dropped,
        }
        end = None if moment.spent_until is None else round(moment.spent_until * 1e9)
        self._add("clip", figures, moment.seconds_spent, end_ns=end)

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        del reason  # it may name the source
        self._add("state", {"keepsight.stream_id": stream.id, "keepsight.state": state}, has_failed=state == "failed")

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        del reason
        self._add("decoder restart", {"keepsight.stream_id": stream.id})

    def answered(self, stream_id: str, seconds: float, text: str | None, author: AnswerAuthor) -> None:
        figures: _Attributes = {
            "keepsight.stream_id": stream_id,
            "keepsight.outcome": "failed" if text is None else "answered",
            "keepsight.seconds": seconds,
            "keepsight.answer_model": author.model,
            **({} if author.url is None else {"keepsight.answer_url": author.url}),
        }
        request = _under(get_current_span().get_span_context())
        self._add("answer", figures, seconds, request, has_failed=text is None)

    def _add(
        self,
        name: str,
        attributes: _Attributes,
        seconds: float = 0.0,
        parent: Context | None = None,
        *,
        has_failed: bool = False,
        end_ns: int | None = None,
    ) -> None:
        """Add a span that ended now, or at a wall-clock time."""
        end = time.time_ns() if end_ns is None else end_ns
        start = end - round(seconds * 1e9)
        span = self._tracer.start_span(name, parent or Context(), attributes=attributes, start_time=start)
        if has_failed:
            span.set_status(StatusCode.ERROR)
        span.end(end)


class TraceRequests:
    """ASGI middleware that makes a span of each HTTP request, until the last byte of the response.

    Args:
        app: handles requests.
        tracer: receives the spans.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = self._tracer.start_span("HTTP", _caller(scope), SpanKind.SERVER)
        try:
            # Exception texts may repeat client input.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                await self._app(scope, receive, noting_status)
        finally:
            _describe(span, scope, status)
            span.end()


def _describe(span: Span, scope: Scope, status: int) -> None:
    """Name a span by method and route, by OpenTelemetry's HTTP conventions."""
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    shown = "HTTP" if method == "_OTHER" else method
    route = getattr(scope.get("route", None), "path", None)
    span.update_name(shown if route is None else f"{shown} {route}")
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", status)
    if route is not None:
        span.set_attribute("http.route", route)
    stream_id = str(scope.get("path_params", {}).get("stream_id", ""))
    if _STREAM_ID.fullmatch(stream_id):
        span.set_attribute("keepsight.stream_id", stream_id)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _caller(scope: Scope) -> Context:
    """Parent span named by a request (W3C Trace Context), or none."""
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    if len(given) != 1 or len(given[0]) > _LONGEST_TRACEPARENT:
        return Context()
    # Ignore `tracestate`, which is text of the client's choice.
    return TraceContextTextMapPropagator().extract({"traceparent": given[0].decode("latin-1")}, Context())


def _under(parent: SpanContext) -> Context:
    """Context for child spans; drops a `tracestate` that an MCP client's `_meta` may have set."""
    ids = SpanContext(parent.trace_id, parent.span_id, parent.is_remote, parent.trace_flags)
    return set_span_in_context(NonRecordingSpan(ids), Context())
