"""What a journal holds of standing questions, as plain records."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keepsight.errors import SettingError
from keepsight.journal.records import CaptionRecord
from keepsight.spans import Span


class CheckMethod(StrEnum):
    """How a caption is judged."""

    MODEL = "model"
    """The model is asked whether it is so, and says yes."""
    WORDS = "words"
    """The caption has all content words of the question, in any inflection."""


class DeliveryState(StrEnum):
    """What became of sending an alert to a webhook."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Webhook:
    """Where alerts are sent to. Never shown.

    Attributes:
        url: as it was given, with what is secret in it.
        secret: what deliveries are signed with.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True)
class StandingQuestion:
    """A question that every new caption is checked against.

    Attributes:
        id: random text that names it.
        stream_id: the stream that is checked; None for all, those begun later too.
        question: as the user wrote it.
        method: how a caption is judged.
        cooldown_seconds: of the stream, from one alert to the next at least.
        created_at: wall clock, with time zone.
        webhook: where alerts are sent to, if anywhere.

    Raises:
        SettingError: the cool-down is negative, or there is no question.
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
            raise SettingError("a standing question is a text that is not blank")
        if not 0 <= self.cooldown_seconds < float("inf"):
            raise SettingError(f"cooldown_seconds is {self.cooldown_seconds}; allowed are 0 and more")


@dataclass(frozen=True)
class Progress:
    """How far a stream was checked for a question.

    Attributes:
        question: what is checked.
        stream_id: the stream.
        next_clip_index: all clips before it were checked, or skipped.
        end_clip_index: one more than the index of the stream's newest clip.
        was_true: whether it was so in the clip that was checked last.
        last_alert_seconds: when the clip of the last alert began, None before the first.
    """

    question: StandingQuestion
    stream_id: str
    next_clip_index: int
    end_clip_index: int
    was_true: bool = False
    last_alert_seconds: float | None = None


@dataclass(frozen=True)
class Step:
    """What a check came to.

    Attributes:
        next_clip_index: where checking goes on.
        is_true: whether it is so now.
        num_checked, num_skipped: clips that this step is about.
        alert: the clip in which it became so and of which is told; None for none.
    """

    next_clip_index: int
    is_true: bool
    num_checked: int = 0
    num_skipped: int = 0
    alert: CaptionRecord | None = None


@dataclass(frozen=True)
class Tally:
    """What was done for a question so far, over all its streams."""

    num_checked: int
    num_skipped: int
    num_alerts: int


@dataclass(frozen=True)
class Alert:
    """It became so.

    Attributes:
        id: 1 or more; rises in the order in which alerts are stored.
        question_id, question: what was checked.
        stream_id, clip_index, span, caption: the clip in which it became so.
        alerted_at: wall clock, with time zone.
        delivery: what became of sending it; None without a webhook.
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
    """An alert that is still to be sent to a webhook.

    Attributes:
        id: the same at each attempt.
        alert: what is sent.
        webhook: where to.
        num_attempts: that failed so far.
        give_up_unix_seconds: wall clock after which there is no further attempt.
    """

    id: str
    alert: Alert
    webhook: Webhook
    num_attempts: int
    give_up_unix_seconds: float
