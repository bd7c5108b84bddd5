"""Log on stderr: one line per event, as text or JSON, with stream, clip and seconds.

It never contains questions, answers, captions, tokens, addresses with credentials, or what clients put into URLs. A
request is named by its route, so a query or a misplaced secret is not repeated.
"""

import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import IO, Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keepsight.engine.stream_pipeline import Moment
from keepsight.hub.observing import Observer
from keepsight.journal import StreamRecord
from keepsight.method.model_info import AnswerAuthor

logger = logging.getLogger(__name__)

FIELDS = ("stream_id", "clip_index", "seconds", "state", "method", "route", "status", "num_frames_dropped")
"""Optional fields of a JSON line, beside `time`, `level`, `logger`, `message` and `traceback`."""

_ALARMING_STATES = frozenset({"failed", "truncated", "incomplete", "stalled", "offline"})
_STREAM_ID = re.compile("[0-9a-f]{16}")


def log_to(stream: IO[str], form: Literal["text", "json"], level: str) -> None:
    """Write the log to a stream; other libraries log warnings and errors only.

    Args:
        stream: output, such as stderr.
        form: text or JSON lines.
        level: minimum level of Keepsight's own lines: `debug`, `info`, `warning` or `error`.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.addFilter(is_worth_a_line)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("keepsight").setLevel(level.upper())


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether to log a record.

    Skips asyncio's warnings about each write to a disconnected client, and uvicorn's advice when a client asks for an
    unsupported protocol.
    """
    text = record.getMessage()
    if record.name == "asyncio":
        return text != "socket.send() raised exception."
    return not (record.name == "uvicorn.error" and text.startswith(("Unsupported upgrade", "No supported WebSocket")))


class TextLines(logging.Formatter):
    """A line of text, followed by the traceback if any."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Line without characters that could control a terminal."""
        return f"keepsight: {''.join(sign if sign.isprintable() else ' ' for sign in record.message)}"


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
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
    """Logs clips, states, and that a question was answered."""

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
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
        level = logging.WARNING if state in _ALARMING_STATES else logging.INFO
        text = f"stream {stream.id}: {state}" + (f", {reason}" if reason else "")
        _log(level, text, stream_id=stream.id, state=state)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        text = f"stream {stream.id}: {reason}; restarted the decoder"
        _log(logging.WARNING, text, stream_id=stream.id)

    def answered(self, stream_id: str, seconds: float, text: str | None, author: AnswerAuthor) -> None:
        del author
        level, what = (logging.WARNING, "failed") if text is None else (logging.INFO, "was answered")
        message = f"stream {stream_id}: a question {what} in {seconds:.3f} s"
        _log(level, message, stream_id=stream_id, seconds=round(seconds, 3))


class AccessLog:
    """ASGI middleware that logs each finished request: method, route, status and seconds.

    Args:
        app: handles requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
    """Log a request by its matched route; `-` if there is none, or it was refused before."""
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
