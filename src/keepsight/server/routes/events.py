"""What happens to a stream, as it happens."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from keepsight.server.events import EventResponse, stream_events
from keepsight.server.routes.context import LARGEST_INDEX, Served, Service, Stream, Viewers, refusals

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
    last_event_id: Annotated[int | None, Header(ge=-1, le=LARGEST_INDEX, description="Of the last clip had.")] = None,
    after: Annotated[int, Query(ge=-1, le=LARGEST_INDEX, description="The same where no header can be set.")] = -1,
    follow: Annotated[bool, Query(description="Go on after what there is now.")] = True,
) -> EventResponse:
    """Clips and states as server-sent events, from where the viewer left off.

    The id of a `clip` event is the clip's index; a `state` event tells the whole state and has no id.
    """
    viewers.take()
    last_index = after if last_event_id is None else last_event_id
    told = stream_events(service, stream.id, last_index, follow=follow, heartbeat_seconds=settings.heartbeat_seconds)
    return EventResponse(told, viewers.give_back)
