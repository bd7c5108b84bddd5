"""Records of standing questions."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keepsight.errors import SettingError
from keepsight.journal.records import CaptionRecord
from keepsight.spans import Span


class CheckMethod(StrEnum):
    """How a caption is judged."""

    MODEL = "model"
    """The model is asked and says yes."""
    WORDS = "words"
    """The caption has all content words of the question, in any inflection."""


class DeliveryState(StrEnum):
    """State of a webhook delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Webhook:
    """Webhook of a question. Must never be shown.

    Attributes:
        url: as given, possibly with secrets.
        secret: signing secret.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True)
class StandingQuestion:
    """A question checked on every new caption.

    Attributes:
        id: random id.
        stream_id: stream to check; None for all, present and future.
        question: as written by the user.
        method: how a caption is judged.
        cooldown_seconds: minimum stream time between two alerts.
        created_at: wall clock, with time zone.
        webhook: webhook for alerts, if any.

    Raises:
        SettingError: the cooldown is negative, or the question is blank.
    """

    id: str
    stream_id: str | None
    question: str
    method: CheckMethod
    cooldown_seconds: float
    created_at: datetime
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise SettingError("a standing question must not be blank")
        if not 0 <= self.cooldown_seconds < float("inf"):
            raise SettingError(f"cooldown_seconds must be at least 0, got {self.cooldown_seconds}")


@dataclass(frozen=True)
class Progress:
    """How far a stream was checked for a question.

    Attributes:
        question: the question.
        stream_id: the stream.
        next_clip_index: all clips before it were checked, or skipped.
        end_clip_index: one more than the index of the stream's newest clip.
        was_true: verdict on the last checked clip.
        last_alert_seconds: start of the last alert's clip; None before the first.
    """

    question: StandingQuestion
    stream_id: str
    next_clip_index: int
    end_clip_index: int
    was_true: bool = False
    last_alert_seconds: float | None = None


@dataclass(frozen=True)
class Step:
    """Result of a check.

    Attributes:
        next_clip_index: next clip to check.
        is_true: current verdict.
        num_checked, num_skipped: clips covered by this step.
        alert: clip to alert on; None for none.
    """

    next_clip_index: int
    is_true: bool
    num_checked: int = 0
    num_skipped: int = 0
    alert: CaptionRecord | None = None


@dataclass(frozen=True)
class Tally:
    """Statistics of a question over all its streams."""

    num_checked: int
    num_skipped: int
    num_alerts: int


@dataclass(frozen=True)
class Alert:
    """A condition that turned true.

    Attributes:
        id: at least 1, increasing in order of storing.
        question_id, question: the checked question.
        stream_id, clip_index, span, caption: clip in which the condition turned true.
        alerted_at: wall clock, with time zone.
        delivery: delivery state; None without a webhook.
    """

    id: int
    question_id: str
    question: str
    stream_id: str
    clip_index: int
    span: Span
    caption: str
    alerted_at: datetime
    delivery: DeliveryState | None = None


@dataclass(frozen=True)
class Delivery:
    """An alert pending delivery to a webhook.

    Attributes:
        id: constant across retries.
        alert: alert to send.
        webhook: destination.
        num_attempts: failed attempts.
        give_up_unix_seconds: Unix time after which delivery is given up.
    """

    id: str
    alert: Alert
    webhook: Webhook
    num_attempts: int
    give_up_unix_seconds: float
