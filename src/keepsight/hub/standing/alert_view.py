"""Alerts as JSON: in lists, events and webhooks."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from keepsight.journal.standing_records import Alert, DeliveryState


class AlertView(BaseModel):
    """The condition turned true. Times are seconds from the stream's start."""

    id: int = Field(description="Rises in the order in which alerts come, over all streams.")
    standing_question_id: str
    question: str = Field(examples=["Was there a dog?"])
    stream_id: str = Field(examples=["3f9c2b7a1d0e4c55"])
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str = Field(examples=["in the kitchen: the dog arrives."])
    alerted_at: datetime


class ListedAlertView(AlertView):
    """An alert with its delivery state."""

    delivery: DeliveryState | None = Field(description="Null without a webhook.")


def alert_view(alert: Alert) -> AlertView:
    """View of an alert."""
    return AlertView(**_fields(alert))


def listed_alert_view(alert: Alert) -> ListedAlertView:
    """View of an alert in a list."""
    return ListedAlertView(**_fields(alert), delivery=alert.delivery)


def _fields(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "standing_question_id": alert.question_id,
        "question": alert.question,
        "stream_id": alert.stream_id,
        "clip_index": alert.clip_index,
        "start_seconds": alert.span.start_seconds,
        "end_seconds": alert.span.end_seconds,
        "caption": alert.caption,
        "alerted_at": alert.alerted_at,
    }
