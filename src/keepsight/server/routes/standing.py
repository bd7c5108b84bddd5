"""Standing questions and their alerts, and events of all streams."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from starlette.exceptions import HTTPException

from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.events.all_events import all_events
from keepsight.server.events.stream_events import EventResponse
from keepsight.server.routes.context import LARGEST_INDEX, Served, Service, Viewers, refusals
from keepsight.server.standing.alert_view import listed_alert_view
from keepsight.server.standing.views import (
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
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such standing question")
    return found


Question = Annotated[StandingQuestion, Depends(_question)]


@router.post("/standing-questions", status_code=HTTPStatus.CREATED, responses=refusals(403, 404, 422, 429))
def add(asked: NewStandingQuestion, service: Service) -> NewStandingQuestionView:
    """Check every new caption, and tell when it becomes so after it was not so.

    A question that can be answered with yes or no is understood best. Alerts come as `alert` events, and to the
    webhook as a POST with `Keepsight-Delivery` (the same at each attempt) and `Keepsight-Signature: t=UNIX,v1=HEX`,
    where HEX is the HMAC-SHA256 of `UNIX.BODY` with the secret that this answer shows and no later one.
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
    return new_standing_question_view(service.journal, added)


@router.get("/standing-questions")
def all_questions(service: Service) -> list[StandingQuestionView]:
    """All standing questions, in the order in which they were added."""
    return [standing_question_view(service.journal, question) for question in service.journal.standing.all()]


@router.get("/standing-questions/{question_id}", responses=refusals(404))
def show(question: Question, service: Service) -> StandingQuestionView:
    """One standing question."""
    return standing_question_view(service.journal, question)


@router.delete("/standing-questions/{question_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404))
def remove(question: Question, service: Service) -> None:
    """Check it no more, and remove its alerts; what was not delivered is not delivered."""
    service.journal.standing.remove(question.id)


@router.get("/standing-questions/{question_id}/alerts", responses=refusals(404, 422))
def alerts(
    question: Question,
    service: Service,
    before: Annotated[AlertId | None, Query(description="Only alerts with a smaller id.", examples=[42])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, examples=[100])] = 100,
) -> AlertPage:
    """Alerts of a question, newest first."""
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
        int | None, Header(ge=0, le=LARGEST_INDEX, description="Of the last event had.", examples=[42])
    ] = None,
    after: Annotated[
        int | None,
        Query(ge=0, le=LARGEST_INDEX, description="The same where no header can be set; 0 for all.", examples=[42]),
    ] = None,
    follow: Annotated[bool, Query(description="Go on after what there is now.")] = True,
) -> EventResponse:
    """Alerts and states of all streams as server-sent events.

    Each id is that of the last alert told. Without one, alerts are told from now on; `since` comes first and tells from
    which alert on. `state` tells a stream's whole
    state, first of all streams as they are, then whenever one changes; `removed` tells that one is gone.
    """
    viewers.take()
    last_alert_id = after if last_event_id is None else last_event_id
    told = all_events(service, last_alert_id, follow=follow, heartbeat_seconds=settings.heartbeat_seconds)
    return EventResponse(told, viewers.give_back)
