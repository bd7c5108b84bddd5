"""Spans on their way to an OpenTelemetry collector.

They wait in a queue, and a thread of their own sends them, so that neither watching nor answering waits for a
collector. What it does not take is given up; the log has a line when that begins, and one when it is over. What the
libraries themselves log is silenced: it comes again with each try, and would have a header that is not well formed.
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
"""Longest time that the end of a server waits for a collector."""

_PATH = "/v1/traces"


class Traces:
    """The traces of one server, for as long as the block: then what waits is sent, in `END_SECONDS` at most.

        with Traces("http://127.0.0.1:4318") as tracer:
            app = make_app(service, settings, tracer)

    Args:
        endpoint: base address of a collector that speaks OTLP over HTTP, with or without `/v1/traces`.

    Raises:
        ValueError: a variable `OTEL_...` has a value that the SDK refuses.
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
    """Sends spans, and says in the log where they are not taken, and where they are taken again.

    Args:
        address: where spans are posted; it has no credentials in it.
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
        """See `SpanExporter`."""
        self._status = None
        result = self._sender.export(spans)
        self._tell(is_refused=result is not SpanExportResult.SUCCESS)
        return result

    def give_up(self) -> None:
        """From any thread: send nothing more, what waits is lost."""
        self._tell(is_refused=True)
        self._sender.shutdown()

    def shutdown(self) -> None:
        """See `SpanExporter`."""
        self._sender.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter`; nothing waits here."""
        return self._sender.force_flush(timeout_millis)

    def _note_status(self, response: requests.Response, *_: object, **__: object) -> None:
        self._status = response.status_code

    def _tell(self, *, is_refused: bool) -> None:
        with self._lock:
            if is_refused == self._is_refused:
                return
            self._is_refused = is_refused
        if is_refused:
            answer = "it does not answer" if self._status is None else f"it answers {self._status}"
            logger.warning("traces are lost: %s, to which they are sent: %s", self._address, answer)
        else:
            logger.info("traces are taken again by %s", self._address)


def _resource() -> Resource:
    """Who sends the spans; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what is said here."""
    ours = Resource.create({SERVICE_NAME: "keepsight", SERVICE_VERSION: version("keepsight")})
    return ours.merge(OTELResourceDetector().detect())
