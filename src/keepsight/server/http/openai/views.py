"""Responses for OpenAI clients, with a field `keepsight` for what their API lacks."""

from typing import Literal

from pydantic import BaseModel, Field

from keepsight.server.http.views.answers import CitationView
from keepsight.server.http.views.clips import GapView
from keepsight.server.http.views.streams import State


class WatchedModel(BaseModel):
    """Stream behind a model."""

    source: str = Field(description="Without credentials.", examples=["/videos/kitchen.mp4"])
    model: str = Field(description="Model that watches the stream.", examples=["tiny"])
    is_live: bool
    state: State
    num_clips: int


class ModelView(BaseModel):
    """A stream as a model."""

    id: str = Field(examples=["3f9c2b7a1d0e4c55"])
    object: Literal["model"] = "model"
    created: int = Field(description="Start of watching, in Unix seconds.")
    owned_by: Literal["keepsight"] = "keepsight"
    keepsight: WatchedModel


class ModelList(BaseModel):
    """All streams as models."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class Usage(BaseModel):
    """Token counts of the answering model."""

    prompt_tokens: int = Field(description="Tokens of the whole prompt: instructions, captions, live frames, question.")
    completion_tokens: int = Field(description="Tokens of the answer's text, without an end marker.")
    total_tokens: int


class Grounds(BaseModel):
    """Evidence of an answer.

    Attributes:
        citations: captions given to the model.
        gaps: what was not watched until `ask_seconds`, and why.
        ask_seconds: only clips that ended by then were used.
        num_messages_not_shown: earlier messages of the request, which the model did not get.
        is_by_rule: the reply was made by rule for a chat program's automatic prompt, without a model.
        answer_model: model that wrote the answer; null if none did.
        answer_url: server that ran it; null for the server's own model.
    """

    stream_id: str
    citations: list[CitationView]
    gaps: list[GapView]
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    num_live_frames: int
    num_messages_not_shown: int
    is_by_rule: bool = False
    answer_model: str | None = None
    answer_url: str | None = None


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


FinishReason = Literal["stop", "length"]


class Choice(BaseModel):
    """The only choice."""

    index: Literal[0] = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """A complete answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    keepsight: Grounds


class Delta(BaseModel):
    """New part of the answer; None is not sent."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """Part of the only choice."""

    index: Literal[0] = 0
    delta: Delta
    finish_reason: FinishReason | None


class ChatCompletionChunk(BaseModel):
    """Chunk of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    keepsight: Grounds | None = None
