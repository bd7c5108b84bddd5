"""The log on stderr: a line for each thing that happens, as text or as JSON, with stream, clip and seconds.

What is never in it: questions, answers, captions, tokens, addresses with credentials (promise S6), and what clients
write into addresses. A request is named by its route, so that a query or a secret that stands in a wrong place is not
repeated.
"""

import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import IO, Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.journal import StreamRecord
from keepsight.server.telemetry.observing import Observer
from keepsight.watching.stream_state import Moment

logger = logging.getLogger(__name__)

FIELDS = ("stream_id", "clip_index", "seconds", "state", "method", "route", "status", "num_frames_dropped")
"""What a line of JSON may have beside `time`, `level`, `logger`, `message` and `traceback`."""

_ALARMING_STATES = frozenset({"failed", "truncated", "stalled", "offline"})
_STREAM_ID = re.compile("[0-9a-f]{16}")


def log_to(stream: IO[str], form: Literal["text", "json"], level: str) -> None:
    """From now on write the log there; of other libraries only what is a warning or worse.

    Args:
        stream: where to, such as stderr.
        form: text for people, or JSON lines.
        level: `debug`, `info`, `warning` or `error`; lines of Keepsight below it are left out.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.addFilter(is_worth_a_line)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("keepsight").setLevel(level.upper())


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether something is to be logged.

    Not each piece that asyncio sends to a client that has gone, as clients do, nor what uvicorn advises where a client
    asks for a protocol that is not spoken here.
    """
    text = record.getMessage()
    if record.name == "asyncio":
        return text != "socket.send() raised exception."
    return not (record.name == "uvicorn.error" and text.startswith(("Unsupported upgrade", "No supported WebSocket")))


class TextLines(logging.Formatter):
    """A line of text, its traceback after it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line, without characters that could steer a terminal."""
        return f"keepsight: {''.join(sign if sign.isprintable() else ' ' for sign in record.message)}"


class JsonLines(logging.Formatter):
    """A JSON object on a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class LogObserver(Observer):
    """Logs what it is told: clips, states, and that there was a question."""

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        """See `Observer`."""
        seconds = round(moment.seconds_spent, 3)
        _log(
            logging.INFO,
            f"stream {stream.id}: clip {moment.clip_index} in {seconds} s",
            stream_id=stream.id,
            clip_index=moment.clip_index,
            seconds=seconds,
            num_frames_dropped=moment.num_frames_dropped,
        )

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        """See `Observer`."""
        level = logging.WARNING if state in _ALARMING_STATES else logging.INFO
        text = f"stream {stream.id}: {state}" + (f", {reason}" if reason else "")
        _log(level, text, stream_id=stream.id, state=state)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        """See `Observer`."""
        text = f"stream {stream.id}: {reason}; decoding is begun anew"
        _log(logging.WARNING, text, stream_id=stream.id)

    def answered(self, stream_id: str, seconds: float, text: str | None) -> None:
        """See `Observer`."""
        level, what = (logging.WARNING, "failed") if text is None else (logging.INFO, "was answered")
        message = f"stream {stream_id}: a question {what} in {seconds:.3f} s"
        _log(level, message, stream_id=stream_id, seconds=round(seconds, 3))


class AccessLog:
    """Logs each request when it has ended: method, route, status and seconds.

    Args:
        app: answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        finally:
            _log_request(scope, status, time.monotonic() - began)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """What was asked for is named by the route that it found; `-` where it found none, or was refused before."""
    route = getattr(scope.get("route", None), "path", "-")
    method = scope["method"] if scope["method"].isalpha() else "-"
    stream_id = str(scope.get("path_params", {}).get("stream_id", ""))
    of_stream = {"stream_id": stream_id} if _STREAM_ID.fullmatch(stream_id) else {}
    _log(
        logging.WARNING if status >= 500 else logging.INFO,
        f"{method} {route} {status} in {seconds:.3f} s",
        method=method,
        route=route,
        status=status,
        seconds=round(seconds, 3),
        **of_stream,
    )


def _log(level: int, message: str, **fields: object) -> None:
    logger.log(level, "%s", message, extra=fields)
