"""Events of a stream."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from keepsight.server.http.events.stream_events import EVENT_ID_PATTERN, EventId, EventResponse, stream_events
from keepsight.server.http.routes.context import Served, Service, Stream, Viewers, refusals

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["events"])


@router.get(
    "/events",
    response_class=EventResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **refusals(404, 422, 429)},
)
async def events(
    stream: Stream,
    service: Service,
    viewers: Viewers,
    settings: Served,
    last_event_id: Annotated[
        str | None,
        Header(
            pattern=EVENT_ID_PATTERN,
            description="Id of the last event received; a clip index also works.",
            examples=["7"],
        ),
    ] = None,
    after: Annotated[
        str,
        Query(
            pattern=EVENT_ID_PATTERN,
            description="The same, for clients that cannot set a header.",
            examples=["7", "7.12"],
        ),
    ] = "-1",
    follow: Annotated[bool, Query(description="Start with events after this request.")] = True,
) -> EventResponse:
    """Stream clips, alerts and states as server-sent events; resume with the last event id.

    A `clip` event's id is the clip's index; after the first `alert`, ids are the last clip's index and the last alert's
    id with a point between. A `state` event holds the whole state and has no id.
    """
    viewers.take()
    last = EventId.parse(after if last_event_id is None else last_event_id)
    texts = stream_events(
        service,
        stream.id,
        last.clip_index,
        last.alert_id,
        follow=follow,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    return EventResponse(texts, viewers.give_back)
