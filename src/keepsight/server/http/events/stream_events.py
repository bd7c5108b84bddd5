"""Server-sent events of a stream (HTML standard, section 9.2), resumable from the journal.

Clips come in order of index, alerts in order of id, and an alert may come long after its clip. An event id therefore
names both: `7` is clip 7 and no alert yet, `7.12` is clip 7 and alert 12. A client that reconnects with an id gets
every later clip and alert exactly once, from any server on the journal. A `state` event has no id and holds the whole
state; a reconnecting client gets the current state first.
"""

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from keepsight.errors import JournalError, NotFoundError
from keepsight.hub.service import StreamService
from keepsight.hub.standing.alert_view import alert_view
from keepsight.journal import CaptionRecord
from keepsight.journal.standing_records import Alert
from keepsight.server.http.views.clips import ClipView
from keepsight.server.http.views.streams import stream_view

EVENT_ID_PATTERN = r"^(-1|[0-9]{1,16})(\.[0-9]{1,16})?$"
"""Event ids that a client may resume from; `-1` is before the first clip."""


@dataclass(frozen=True)
class EventId:
    """Position of a client in a stream's events.

    Attributes:
        clip_index: last clip sent, -1 before the first.
        alert_id: last alert sent, 0 before the first.
    """

    clip_index: int = -1
    alert_id: int = 0

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """Parse text that matches `EVENT_ID_PATTERN`."""
        clip_index, _, alert_id = text.partition(".")
        return cls(int(clip_index), int(alert_id or 0))

    def __str__(self) -> str:
        return f"{self.clip_index}.{self.alert_id}" if self.alert_id else str(self.clip_index)


_CLIPS_AT_ONCE = 100
_ALERTS_AT_ONCE = 100
RECONNECT_MILLISECONDS = 2000


def event_text(name: str, data: BaseModel | dict[str, object], event_id: EventId | int | None = None) -> str:
    """Format one event; its data is JSON on one line."""
    body = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data)
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {body}\n\n"


async def with_reason(events: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Forward events; on a journal error, send a last event `problem`."""
    try:
        async for text in events:
            yield text
    except JournalError as error:
        yield event_text("problem", {"error": {"message": str(error)}})


class EventResponse(StreamingResponse):
    """Server-sent events.

    Args:
        events: event texts.
        on_end: called when the response ends, for any reason.
        status_code: default status, which FastAPI reads for a route's description.
    """

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[str, None], on_end: Callable[[], None] = lambda: None, status_code: int = 200
    ) -> None:
        super().__init__(
            with_reason(events), status_code, {"X-Accel-Buffering": "no"}
        )  # proxies must not buffer events
        self._events = events
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()
            await self._events.aclose()


async def stream_events(
    service: StreamService,
    stream_id: str,
    last_index: int,
    last_alert_id: int = 0,
    *,
    follow: bool,
    heartbeat_seconds: float,
) -> AsyncGenerator[str, None]:
    """Yield events of a stream until the server stops or the stream is removed.

    Args:
        service: the hub.
        stream_id: an existing stream.
        last_index: last clip that the client received, -1 for none.
        last_alert_id: last alert that it received, 0 for none.
        follow: keep sending new events.
        heartbeat_seconds: maximum silence.
    """
    signal, state_told = service.signals.of(stream_id), ""
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
    while not service.is_closing:
        num_notified = signal.num_notified
        try:
            state = await run_in_threadpool(_state_event, service, stream_id)
        except NotFoundError:
            yield event_text("removed", {"id": stream_id})
            return
        if state[0] != state_told:
            state_told = state[0]
            yield state[1]
        while clips := await run_in_threadpool(_clips_after, service, stream_id, last_index):
            for clip in clips:
                last_index = clip.clip_index
                yield event_text("clip", ClipView.model_validate(clip), EventId(last_index, last_alert_id))
        while alerts := await run_in_threadpool(_alerts_after, service, stream_id, last_alert_id):
            for alert in alerts:
                last_alert_id = alert.id
                yield event_text("alert", alert_view(alert), EventId(last_index, last_alert_id))
        if not follow:
            return
        if not await signal.wait(num_notified, heartbeat_seconds):
            yield ": still here\n\n"


def _state_event(service: StreamService, stream_id: str) -> tuple[str, str]:
    """Key that changes with the state, and its event."""
    view = stream_view(service, service.get(stream_id))
    return f"{view.state} {view.reason}", event_text("state", view)


def _clips_after(service: StreamService, stream_id: str, last_index: int) -> list[CaptionRecord]:
    return service.journal.clips.captions_from(stream_id, last_index + 1, _CLIPS_AT_ONCE)


def _alerts_after(service: StreamService, stream_id: str, last_alert_id: int) -> list[Alert]:
    return service.journal.alerts.after(last_alert_id, _ALERTS_AT_ONCE, stream_id=stream_id)
