"""Export of spans to an OpenTelemetry collector.

Spans wait in a queue and a separate thread sends them, so neither watching nor answering waits for a collector. Spans
that it does not accept are dropped; the log has one line when that starts and one when it ends. The libraries' own
logging is silenced, since it repeats on each attempt and would include a malformed header.
"""

import logging
import threading
from collections.abc import Sequence
from importlib.metadata import version
from types import TracebackType

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

END_SECONDS = 3.0
"""Longest wait for a collector when the server stops."""

_PATH = "/v1/traces"


class Traces:
    """Traces of one server, for the duration of the block; on exit pending spans are sent within `END_SECONDS`.

        with Traces("http://127.0.0.1:4318") as tracer:
            app = make_app(service, settings, tracer)

    Args:
        endpoint: base URL of an OTLP/HTTP collector, with or without `/v1/traces`.

    Raises:
        ValueError: the SDK rejects the value of a variable `OTEL_...`.
    """

    def __init__(self, endpoint: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = TellingExporter(endpoint.rstrip("/").removesuffix(_PATH) + _PATH)
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))

    def __enter__(self) -> Tracer:
        return self._provider.get_tracer("keepsight", version("keepsight"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The SDK itself would wait for half a minute, and has no way to be told otherwise.
        ending = threading.Thread(target=self._provider.shutdown, name="keepsight-traces-end", daemon=True)
        ending.start()
        ending.join(END_SECONDS)
        if ending.is_alive():
            self._exporter.give_up()


class TellingExporter(SpanExporter):
    """Exports spans, and logs when the collector stops and resumes accepting them.

    Args:
        address: URL that spans are posted to, without credentials.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._status: int | None = None
        self._is_refused = False
        self._lock = threading.Lock()
        session = requests.Session()
        session.hooks["response"].append(self._note_status)
        self._sender: SpanExporter = OTLPSpanExporter(endpoint=address, session=session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._status = None
        result = self._sender.export(spans)
        self._tell(is_refused=result is not SpanExportResult.SUCCESS)
        return result

    def give_up(self) -> None:
        """Stop sending; pending spans are lost. Thread-safe."""
        self._tell(is_refused=True)
        self._sender.shutdown()

    def shutdown(self) -> None:
        self._sender.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the sender; this class has no queue."""
        return self._sender.force_flush(timeout_millis)

    def _note_status(self, response: requests.Response, *_: object, **__: object) -> None:
        self._status = response.status_code

    def _tell(self, *, is_refused: bool) -> None:
        with self._lock:
            if is_refused == self._is_refused:
                return
            self._is_refused = is_refused
        if is_refused:
            answer = "no response" if self._status is None else f"status {self._status}"
            logger.warning("could not export traces to %s: %s", self._address, answer)
        else:
            logger.info("exporting traces to %s again", self._address)


def _resource() -> Resource:
    """Resource attributes; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override them."""
    ours = Resource.create({SERVICE_NAME: "keepsight", SERVICE_VERSION: version("keepsight")})
    return ours.merge(OTELResourceDetector().detect())
