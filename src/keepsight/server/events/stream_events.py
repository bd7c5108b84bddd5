"""Server-sent events of a stream (HTML standard, section 9.2): what the journal has, from wherever a viewer left off.

A `clip` event has the clip's index for its id, and after the first alert also that alert's (`event_ids`). The journal
is read from the id that the viewer had last, so that no clip and no alert is lost or told twice, whichever server told
it the earlier ones. A `state` event has no id and tells the whole
state; whoever comes back is told the present one first.
"""

import json
from collections.abc import AsyncGenerator, Callable

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from keepsight.journal import CaptionRecord
from keepsight.journal.standing_records import Alert
from keepsight.server.events.event_ids import EventId
from keepsight.server.standing.alert_view import alert_view
from keepsight.server.streams.service import StreamService
from keepsight.server.views.clips import clip_view
from keepsight.server.views.streams import stream_view

_CLIPS_AT_ONCE = 100
_ALERTS_AT_ONCE = 100
RECONNECT_MILLISECONDS = 2000


def event_text(name: str, data: BaseModel | dict[str, object], event_id: EventId | int | None = None) -> str:
    """One event as it is sent. Its data is JSON on one line."""
    body = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data)
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {body}\n\n"


class EventResponse(StreamingResponse):
    """Server-sent events.

    Args:
        events: their texts.
        on_end: called when no more are sent, whoever ended it.
        status_code: FastAPI reads its default for the description of a route.
    """

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncGenerator[str, None], on_end: Callable[[], None] = lambda: None, status_code: int = 200
    ) -> None:
        super().__init__(events, status_code, {"X-Accel-Buffering": "no"})  # a proxy must not hold them back
        self._events = events
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
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
    """Events of a stream until the server ends, or the stream is removed.

    Args:
        service: has the stream.
        stream_id: of a stream that there is.
        last_index: of the last clip that the viewer has, -1 for none.
        last_alert_id: of the last alert that it has, 0 for none.
        follow: go on after what there is now.
        heartbeat_seconds: longest silence.
    """
    bell, state_told = service.bells.of(stream_id), ""
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
    while not service.is_closing:
        num_rings = bell.num_rings
        try:
            state = await run_in_threadpool(_state_event, service, stream_id)
        except HTTPException:
            yield event_text("removed", {"id": stream_id})
            return
        if state[0] != state_told:
            state_told = state[0]
            yield state[1]
        while clips := await run_in_threadpool(_clips_after, service, stream_id, last_index):
            for clip in clips:
                last_index = clip.clip_index
                yield event_text("clip", clip_view(clip), EventId(last_index, last_alert_id))
        while alerts := await run_in_threadpool(_alerts_after, service, stream_id, last_alert_id):
            for alert in alerts:
                last_alert_id = alert.id
                yield event_text("alert", alert_view(alert), EventId(last_index, last_alert_id))
        if not follow:
            return
        if not await bell.wait(num_rings, heartbeat_seconds):
            yield ": still here\n\n"


def _state_event(service: StreamService, stream_id: str) -> tuple[str, str]:
    """What makes the state a new one, and its event."""
    view = stream_view(service, service.get(stream_id))
    return f"{view.state} {view.reason}", event_text("state", view)


def _clips_after(service: StreamService, stream_id: str, last_index: int) -> list[CaptionRecord]:
    return service.journal.clips.captions_from(stream_id, last_index + 1, _CLIPS_AT_ONCE)


def _alerts_after(service: StreamService, stream_id: str, last_alert_id: int) -> list[Alert]:
    return service.journal.alerts.after(last_alert_id, _ALERTS_AT_ONCE, stream_id=stream_id)
