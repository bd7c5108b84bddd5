"""What standing questions look like in JSON."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from keepsight.journal import Journal
from keepsight.journal.standing_records import CheckMethod, StandingQuestion
from keepsight.server.standing.alert_view import ListedAlertView
from keepsight.server.standing.sending import shown_webhook
from keepsight.server.standing.wording import asked_of_model, content_words
from keepsight.server.views.requests import Asked

_LONGEST_COOLDOWN_SECONDS = 366 * 24 * 3600.0


class NewStandingQuestion(Asked):
    """What every new caption is checked against."""

    question: str = Field(min_length=1, max_length=500, pattern=r"\S", examples=["Is there a dog?"])
    stream_id: str | None = Field(
        None,
        max_length=64,
        description="The stream to check; null for all, those begun later too.",
        examples=["3f9c2b7a1d0e4c55"],
    )
    method: CheckMethod = Field(
        CheckMethod.MODEL,
        description="`model`: it is asked the question over the caption, and says yes. "
        "`words`: the caption has all content words of the question, in any inflection.",
    )
    cooldown_seconds: Annotated[float, Field(allow_inf_nan=False, ge=0, le=_LONGEST_COOLDOWN_SECONDS)] = Field(
        0.0, description="Of the stream, from one alert to the next at least."
    )
    webhook_url: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        description="Where alerts are sent to.",
        examples=["https://hooks.example/"],
    )


class StandingQuestionView(BaseModel):
    """A standing question, and what was done for it so far."""

    id: str = Field(examples=["5d0c1f2e3a4b5968"])
    question: str
    stream_id: str | None
    method: CheckMethod
    checked_for: str = Field(
        description="What the model is asked over each caption, or the words that a caption must have.",
        examples=["Answer yes or no: Is there a dog?"],
    )
    cooldown_seconds: float
    created_at: datetime
    webhook: str | None = Field(description="Its host alone.", examples=["https://hooks.example"])
    webhook_problem: str = Field(description="Why the last delivery that was not taken was not; may be empty.")
    num_checked: int = Field(description="Captions that were checked.")
    num_skipped: int = Field(description="Captions that were not: gone already, too many, or failed.")
    num_alerts: int


class NewStandingQuestionView(StandingQuestionView):
    """A standing question that was just added."""

    webhook_secret: str | None = Field(description="What deliveries are signed with. It is not shown again.")


class AlertPage(BaseModel):
    """Alerts, newest first, and where older ones begin."""

    alerts: list[ListedAlertView]
    next_before: int | None = Field(description="Pass it as before for older ones; null where there is none.")


def standing_question_view(journal: Journal, question: StandingQuestion) -> StandingQuestionView:
    """A standing question as it is now."""
    return StandingQuestionView(**_fields(journal, question))


def new_standing_question_view(journal: Journal, question: StandingQuestion) -> NewStandingQuestionView:
    """A standing question with its secret, once."""
    secret = None if question.webhook is None else question.webhook.secret
    return NewStandingQuestionView(**_fields(journal, question), webhook_secret=secret)


def _fields(journal: Journal, question: StandingQuestion) -> dict[str, Any]:
    return {
        "id": question.id,
        "question": question.question,
        "stream_id": question.stream_id,
        "method": question.method,
        "checked_for": _checked_for(question),
        "cooldown_seconds": question.cooldown_seconds,
        "created_at": question.created_at,
        "webhook": None if question.webhook is None else shown_webhook(question.webhook.url),
        "webhook_problem": journal.deliveries.last_problem(question.id),
        **vars(journal.standing.tally(question.id)),
    }


def _checked_for(question: StandingQuestion) -> str:
    if question.method is CheckMethod.WORDS:
        return " ".join(content_words(question.question))
    return asked_of_model(question.question)
