"""Standing questions, their alerts, and events of all streams."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query

from keepsight.errors import NotFoundError
from keepsight.hub.standing.alert_view import listed_alert_view
from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.http.events.all_events import all_events
from keepsight.server.http.events.stream_events import EventResponse
from keepsight.server.http.routes.context import LARGEST_INDEX, Served, Service, Viewers, refusals
from keepsight.server.http.views.standing import (
    AlertPage,
    NewStandingQuestion,
    NewStandingQuestionView,
    StandingQuestionView,
    new_standing_question_view,
    standing_question_view,
)

router = APIRouter(prefix="/v1", tags=["standing questions"])

AlertId = Annotated[int, Query(ge=0, le=LARGEST_INDEX)]


def _question(question_id: Annotated[str, Path(examples=["5d0c1f2e3a4b5968"])], service: Service) -> StandingQuestion:
    is_id = len(question_id) == 16 and set(question_id) <= set("0123456789abcdef")
    found = service.journal.standing.get(question_id) if is_id else None
    if found is None:
        raise NotFoundError("no such standing question")
    return found


Question = Annotated[StandingQuestion, Depends(_question)]


@router.post("/standing-questions", status_code=HTTPStatus.CREATED, responses=refusals(403, 404, 422, 429))
def add(asked: NewStandingQuestion, service: Service) -> NewStandingQuestionView:
    """Check every new caption; alert when the condition turns true (edge-triggered).

    Yes-or-no questions work best. Alerts are sent as `alert` events, and posted to the webhook with
    `Keepsight-Delivery` (constant across retries) and `Keepsight-Signature: t=UNIX,v1=HEX`, where HEX is the
    HMAC-SHA256 of `UNIX.BODY` with the secret, which only this response shows.
    """
    if asked.stream_id is not None:
        service.get(asked.stream_id)
    added = service.standing.add(
        asked.question,
        stream_id=asked.stream_id,
        method=asked.method,
        cooldown_seconds=asked.cooldown_seconds,
        webhook_url=asked.webhook_url,
    )
    return new_standing_question_view(service, added)


@router.get("/standing-questions")
def all_questions(service: Service) -> list[StandingQuestionView]:
    """List standing questions, oldest first."""
    return [standing_question_view(service, question) for question in service.journal.standing.all()]


@router.get("/standing-questions/{question_id}", responses=refusals(404))
def show(question: Question, service: Service) -> StandingQuestionView:
    """Show a standing question."""
    return standing_question_view(service, question)


@router.delete("/standing-questions/{question_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404))
def remove(question: Question, service: Service) -> None:
    """Delete a standing question with its alerts; pending deliveries are dropped."""
    service.journal.standing.remove(question.id)


@router.get("/standing-questions/{question_id}/alerts", responses=refusals(404, 422))
def alerts(
    question: Question,
    service: Service,
    before: Annotated[AlertId | None, Query(description="Return alerts with a smaller id.", examples=[42])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, examples=[100])] = 100,
) -> AlertPage:
    """List alerts of a question, newest first."""
    found = service.journal.alerts.of(question.id, before=before, limit=limit + 1)
    next_before = found[limit - 1].id if len(found) > limit else None
    return AlertPage(alerts=[listed_alert_view(alert) for alert in found[:limit]], next_before=next_before)


@router.get(
    "/events",
    tags=["events"],
    response_class=EventResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **refusals(422, 429)},
)
async def events(
    service: Service,
    viewers: Viewers,
    settings: Served,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LARGEST_INDEX, description="Id of the last event received.", examples=[42])
    ] = None,
    after: Annotated[
        int | None,
        Query(
            ge=0,
            le=LARGEST_INDEX,
            description="The same, for clients that cannot set a header; 0 for all.",
            examples=[42],
        ),
    ] = None,
    follow: Annotated[bool, Query(description="Start with events after this request.")] = True,
) -> EventResponse:
    """Stream alerts and states of all streams as server-sent events.

    Each id is that of the last alert sent. Without one, only new alerts are sent; `since` comes first and names the
    alert id from which they follow. `state` holds a stream's whole state, first for all streams, then on each change;
    `removed` reports a deleted stream.
    """
    viewers.take()
    last_alert_id = after if last_event_id is None else last_event_id
    texts = all_events(service, last_alert_id, follow=follow, heartbeat_seconds=settings.heartbeat_seconds)
    return EventResponse(texts, viewers.give_back)
