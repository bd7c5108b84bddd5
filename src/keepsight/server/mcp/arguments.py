"""Arguments of the tools, as JSON."""

from typing import Annotated

from pydantic import Field, model_validator

from keepsight.server.http.views.requests import Asked, Question, Seconds, StandingText

LONGEST_WAIT_SECONDS = 300.0
"""Timeout limit of one call."""

StreamName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=8192,
        description="Stream id from list_streams, or its source's name: full, file name or host.",
    ),
]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
ClipIndex = Annotated[int, Field(ge=0, le=2**53)]


class NoArguments(Asked):
    """No arguments."""


class AskArguments(Asked):
    """A question."""

    stream: StreamName
    question: Question = Field(description="Question about the video.")
    at_seconds: Seconds | None = Field(None, description="Use only clips that ended by this time of the stream.")


class SearchArguments(Asked):
    """Words to search for."""

    words: Words = Field(description="Words that a caption must all have, in any inflection.")
    stream: StreamName | None = Field(None, description="Search only this stream; default: all.")
    limit: int = Field(20, ge=1, le=100)


class ClipArguments(Asked):
    """Clip to show."""

    stream: StreamName
    clip_index: ClipIndex


class WaitArguments(Asked):
    """What to wait for: words, or a question."""

    stream: StreamName
    words: Words | None = Field(
        None, description="Each must begin a word of one caption, in any case: dog finds Dogs. In place of a question."
    )
    question: StandingText | None = Field(
        None, description="The model judges each caption by it: Is there a dog? or: Tell me when a dog comes in."
    )
    timeout_seconds: float = Field(60.0, gt=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False)
    after_clip_index: int | None = Field(
        None, ge=-1, le=2**53, description="Check clips after this one; default: clips from now on."
    )

    @model_validator(mode="after")
    def _is_of_one(self) -> "WaitArguments":
        if (self.words is None) == (self.question is None):
            raise ValueError("give either words or question")
        return self


class WatchArguments(Asked):
    """Source to watch."""

    source: str = Field(min_length=1, max_length=8192, description="Path or address that the server may watch.")


class StandingArguments(Asked):
    """Question to check on every new caption."""

    question: StandingText = Field(description="Is there a dog? or: Tell me when a dog comes in.")
    stream: StreamName | None = Field(None, description="Check only this stream; default: all, present and future.")
    cooldown_seconds: Seconds = Field(0.0, description="Minimum stream time between two alerts.")


class AlertsArguments(Asked):
    """Alerts to list."""

    stream: StreamName | None = Field(None, description="Search only this stream; default: all.")
    before_alert_id: int | None = Field(None, ge=1, le=2**53, description="Return alerts with a smaller id.")
    limit: int = Field(20, ge=1, le=100)
