"""What OpenAI's clients are answered, with a field `keepsight` for what their API has no place for."""

from typing import Literal

from pydantic import BaseModel, Field

from keepsight.server.views.answers import CitationView
from keepsight.server.views.clips import GapView
from keepsight.server.views.streams import State


class WatchedModel(BaseModel):
    """The stream behind a model."""

    source: str = Field(description="Without credentials.", examples=["/videos/kitchen.mp4"])
    model: str = Field(description="The model that watches it.", examples=["tiny"])
    is_live: bool
    state: State
    num_clips: int


class ModelView(BaseModel):
    """A stream, as a model."""

    id: str = Field(examples=["3f9c2b7a1d0e4c55"])
    object: Literal["model"] = "model"
    created: int = Field(description="When watching began, in seconds since 1970.")
    owned_by: Literal["keepsight"] = "keepsight"
    keepsight: WatchedModel


class ModelList(BaseModel):
    """All streams."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class Usage(BaseModel):
    """Tokens of the model that answered."""

    prompt_tokens: int = Field(description="Of the whole prompt: instructions, captions, live frames, question.")
    completion_tokens: int = Field(description="Of the answer's text, without an end marker.")
    total_tokens: int


class Grounds(BaseModel):
    """What an answer rests on.

    Attributes:
        citations: the captions that the model was given.
        gaps: what was not seen by `ask_seconds`, and why.
        ask_seconds: only what had ended by then was used.
        num_messages_not_shown: messages of the request before the question, which the model was not given.
    """

    stream_id: str
    citations: list[CitationView]
    gaps: list[GapView]
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    num_live_frames: int
    num_messages_not_shown: int


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


FinishReason = Literal["stop", "length"]


class Choice(BaseModel):
    """The only one."""

    index: Literal[0] = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    keepsight: Grounds


class Delta(BaseModel):
    """What comes to the answer; what is None is not sent."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """The only one, in part."""

    index: Literal[0] = 0
    delta: Delta
    finish_reason: FinishReason | None


class ChatCompletionChunk(BaseModel):
    """A part of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    keepsight: Grounds | None = None
