"""What the tools take, as JSON."""

from typing import Annotated

from pydantic import Field, model_validator

from keepsight.server.views.requests import Asked, Seconds

LONGEST_WAIT_SECONDS = 300.0
"""Longest that one call waits."""

StreamName = Annotated[
    str, Field(min_length=1, max_length=8192, description="A stream's id from list_streams, or its source's name.")
]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
StandingText = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
ClipIndex = Annotated[int, Field(ge=0, le=2**53)]


class NoArguments(Asked):
    """Nothing to tell."""


class AskArguments(Asked):
    """A question."""

    stream: StreamName
    question: str = Field(min_length=1, max_length=4000, description="A question about what was seen.")
    at_seconds: Seconds | None = Field(None, description="Use only what had ended by this time of the stream.")


class SearchArguments(Asked):
    """Words to look for."""

    words: Words = Field(description="All of them must be in a caption, in any inflection.")
    stream: StreamName | None = Field(None, description="Only this stream; all streams if not given.")
    limit: int = Field(20, ge=1, le=100)


class ClipArguments(Asked):
    """A clip."""

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
        None, ge=-1, le=2**53, description="Look at clips after this one; those that come from now on if not given."
    )

    @model_validator(mode="after")
    def _is_of_one(self) -> "WaitArguments":
        if (self.words is None) == (self.question is None):
            raise ValueError("give either words or a question")
        return self


class WatchArguments(Asked):
    """What to watch."""

    source: str = Field(min_length=1, max_length=8192, description="A path or address that the server may watch.")


class StandingArguments(Asked):
    """What to check every new caption against."""

    question: StandingText = Field(description="Is there a dog? or: Tell me when a dog comes in.")
    stream: StreamName | None = Field(None, description="Only this stream; all if not given, those begun later too.")
    cooldown_seconds: Seconds = Field(0.0, description="Of the stream, from one alert to the next at least.")


class AlertsArguments(Asked):
    """Which alerts."""

    stream: StreamName | None = Field(None, description="Only this stream; all streams if not given.")
    before_alert_id: int | None = Field(None, ge=1, le=2**53, description="Only alerts with a smaller id.")
    limit: int = Field(20, ge=1, le=100)
