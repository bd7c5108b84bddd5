"""What happens to a stream, as it happens."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from keepsight.server.events.event_ids import EVENT_ID_PATTERN, EventId
from keepsight.server.events.stream_events import EventResponse, stream_events
from keepsight.server.routes.context import Served, Service, Stream, Viewers, refusals

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
        Header(pattern=EVENT_ID_PATTERN, description="Of the last event had; a clip's index will do.", examples=["7"]),
    ] = None,
    after: Annotated[
        str, Query(pattern=EVENT_ID_PATTERN, description="The same where no header can be set.", examples=["7", "7.12"])
    ] = "-1",
    follow: Annotated[bool, Query(description="Go on after what there is now.")] = True,
) -> EventResponse:
    """Clips, alerts and states as server-sent events, from where the viewer left off.

    The id of a `clip` event is the clip's index; from the first `alert` event on, ids are the last clip's index and
    the last alert's id with a point between. A `state` event tells the whole state and has no id.
    """
    viewers.take()
    last = EventId.parse(after if last_event_id is None else last_event_id)
    told = stream_events(
        service,
        stream.id,
        last.clip_index,
        last.alert_id,
        follow=follow,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    return EventResponse(told, viewers.give_back)
