"""Standing questions as JSON."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from keepsight.hub.service import StreamService
from keepsight.hub.standing.alert_view import ListedAlertView
from keepsight.hub.standing.sending import shown_webhook
from keepsight.journal.standing_records import CheckMethod, StandingQuestion
from keepsight.server.http.views.requests import Asked, StandingText

_LONGEST_COOLDOWN_SECONDS = 366 * 24 * 3600.0


class NewStandingQuestion(Asked):
    """Question to check on every new caption."""

    question: StandingText = Field(examples=["Is there a dog?"])
    stream_id: str | None = Field(
        None,
        max_length=64,
        description="Stream to check; null for all, present and future.",
        examples=["3f9c2b7a1d0e4c55"],
    )
    method: CheckMethod = Field(
        CheckMethod.MODEL,
        description="`model`: it is asked the question over the caption, and says yes. "
        "`words`: the caption has all content words of the question, in any inflection.",
    )
    cooldown_seconds: Annotated[float, Field(allow_inf_nan=False, ge=0, le=_LONGEST_COOLDOWN_SECONDS)] = Field(
        0.0, description="Minimum stream time between two alerts."
    )
    webhook_url: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        description="URL that alerts are posted to.",
        examples=["https://hooks.example/"],
    )


class StandingQuestionView(BaseModel):
    """A standing question with its statistics."""

    id: str = Field(examples=["5d0c1f2e3a4b5968"])
    question: str
    stream_id: str | None
    method: CheckMethod
    checked_for: str = Field(
        description="What the model is asked over each caption, or the words that a caption must have.",
        examples=["Answer yes or no: is there a dog?"],
    )
    cooldown_seconds: float
    created_at: datetime
    webhook: str | None = Field(description="Host of the webhook URL.", examples=["https://hooks.example"])
    webhook_problem: str = Field(description="Reason of the last failed delivery; may be empty.")
    num_checked: int = Field(description="Captions checked.")
    num_skipped: int = Field(description="Captions not checked: removed, too many, or failed.")
    num_alerts: int


class NewStandingQuestionView(StandingQuestionView):
    """A standing question just added."""

    webhook_secret: str | None = Field(description="Signing secret of deliveries. Shown only once.")


class AlertPage(BaseModel):
    """Alerts, newest first, and where the next page starts."""

    alerts: list[ListedAlertView]
    next_before: int | None = Field(description="Pass as before for the next page; null on the last.")


def standing_question_view(service: StreamService, question: StandingQuestion) -> StandingQuestionView:
    """View of a standing question."""
    return StandingQuestionView(**_fields(service, question))


def new_standing_question_view(service: StreamService, question: StandingQuestion) -> NewStandingQuestionView:
    """View of a new standing question with its secret, which is shown only once."""
    secret = None if question.webhook is None else question.webhook.secret
    return NewStandingQuestionView(**_fields(service, question), webhook_secret=secret)


def _fields(service: StreamService, question: StandingQuestion) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "stream_id": question.stream_id,
        "method": question.method,
        "checked_for": service.standing.checked_for(question),
        "cooldown_seconds": question.cooldown_seconds,
        "created_at": question.created_at,
        "webhook": None if question.webhook is None else shown_webhook(question.webhook.url),
        "webhook_problem": service.journal.deliveries.last_problem(question.id),
        **vars(service.journal.standing.tally(question.id)),
    }
