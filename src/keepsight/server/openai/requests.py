"""A chat completion as it is asked for, and what of it would change the answer's meaning and is refused.

The names and shapes are those of OpenAI's API reference, "Create chat completion".
"""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keepsight.server.openai.refusals import bad_request
from keepsight.server.views.requests import Asked, NewQuestion, Seconds

LONGEST_QUESTION = 4000
"""Characters, as for `/v1/questions`."""

_LONGEST_ANSWER_TOKENS = 1_000_000


class ContentPart(BaseModel):
    """A part of a message; those of text are read."""

    type: str = Field(examples=["text"])
    text: str = ""


class ChatMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(BaseModel):
    """How a streamed answer ends."""

    include_usage: bool | None = None


class WatchedOptions(Asked):
    """What only Keepsight knows of; no other field is allowed."""

    at_seconds: Seconds | None = Field(None, description="Use only what had ended by this time of the stream.")
    live: bool = Field(False, description="Also show the model the frames that have no caption yet.")


class ChatRequest(BaseModel):
    """A question about a stream. Of fields that are not named here, those that would change the answer are refused."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(
        min_length=1,
        max_length=8192,
        description="The id of a stream, or the name of its source.",
        examples=["3f9c2b7a1d0e4c55"],
    )
    messages: list[ChatMessage] = Field(
        min_length=1,
        description="The last one is the question; the model is shown no others.",
        examples=[[{"role": "user", "content": "Where did the dog go?"}]],
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: int | None = Field(None, ge=1, le=_LONGEST_ANSWER_TOKENS)
    max_tokens: int | None = Field(None, ge=1, le=_LONGEST_ANSWER_TOKENS, description="The old name of that.")
    keepsight: WatchedOptions = WatchedOptions(at_seconds=None, live=False)

    @property
    def wants_usage(self) -> bool:
        """Whether a streamed answer ends with a chunk of token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def answer_tokens(self) -> int | None:
        """Longest answer that is wanted; None where it was not said. The old name counts where the new one is not."""
        return self.max_completion_tokens or self.max_tokens


def question_of(asked: ChatRequest, stream_id: str) -> NewQuestion:
    """The question in a request.

    Raises:
        OpenAiError: 400, it asks for what is not done here, or its last message is no question of a user.
    """
    refuse_what_changes_the_answer(asked.model_extra or {})
    options = asked.keepsight
    return NewQuestion(
        stream_id=stream_id,
        question=_last_text(asked.messages),
        at_seconds=options.at_seconds,
        live=options.live,
        stream=bool(asked.stream),
    )


def _last_text(messages: list[ChatMessage]) -> str:
    last, place = messages[-1], f"messages[{len(messages) - 1}]"
    if last.role != "user":
        raise bad_request(f"the last message must be the user's question, not one of role {last.role}", place)
    parts = [ContentPart(type="text", text=last.content)] if isinstance(last.content, str) else last.content or []
    if any(part.type != "text" for part in parts):
        raise bad_request("a question has text parts only: what was watched is asked about, not what is sent", place)
    text = " ".join(part.text for part in parts)
    if not text.strip():
        raise bad_request("the question is empty", place)
    if len(text) > LONGEST_QUESTION:
        raise bad_request(f"the question has {len(text)} characters; allowed are {LONGEST_QUESTION}", place)
    return text


_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})

_REFUSED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n": (lambda value: value in (None, 1), "one answer is given: n must be 1"),
    "tools": (lambda value: value in _NOTHING, "tools are not called"),
    "functions": (lambda value: value in _NOTHING, "functions are not called"),
    "tool_choice": (lambda value: value in (None, "none", "auto"), "tools are not called"),
    "function_call": (lambda value: value in (None, "none", "auto"), "functions are not called"),
    "response_format": (
        lambda value: value is None or (isinstance(value, dict) and value.get("type") == "text"),
        "answers are plain text: response_format may be of type text only",
    ),
    "modalities": (lambda value: value in (None, [], ["text"]), "answers are text: modalities must be text"),
    "audio": (lambda value: value in _NOTHING, "answers are text: there is no audio"),
    "stop": (lambda value: value in _NOTHING, "stop sequences are not looked for"),
    "logprobs": (lambda value: value in _NOTHING, "there are no log probabilities"),
    "top_logprobs": (lambda value: value in _NOTHING, "there are no log probabilities"),
    "logit_bias": (lambda value: value in _NOTHING, "tokens cannot be biased"),
    "prediction": (lambda value: value in _NOTHING, "predicted output is not used"),
    "web_search_options": (lambda value: value in (None,), "the web is not searched"),
}
"""Parameter -> (whether a value of it changes nothing, why any other is refused)."""


def refuse_what_changes_the_answer(parameters: dict[str, Any]) -> None:
    """Refuse a parameter that would change what the answer is; all others are ignored (decoding is greedy).

    Raises:
        OpenAiError: 400, naming the parameter.
    """
    for name, (changes_nothing, reason) in _REFUSED.items():
        if name in parameters and not changes_nothing(parameters[name]):
            raise bad_request(reason, name, code="unsupported_parameter")
