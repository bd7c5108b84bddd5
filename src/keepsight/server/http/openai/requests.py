"""Chat completion requests, and refusal of parameters that would change the answer.

Names and shapes are those of OpenAI's API reference, "Create chat completion".
"""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from keepsight.asking.answering import Ask
from keepsight.errors import SettingError
from keepsight.incoming import checked_text
from keepsight.server.http.openai.refusals import bad_request
from keepsight.server.http.views.requests import LIVE, Asked, Received, Seconds

_LONGEST_ANSWER_TOKENS = 1_000_000


class ContentPart(BaseModel):
    """A part of a message; only text is read."""

    type: str = Field(examples=["text"])
    text: str = ""


class ChatMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None


class StreamOptions(BaseModel):
    """Options of a streamed answer."""

    include_usage: bool | None = None


class WatchedOptions(Asked):
    """Keepsight's own options; unknown fields are refused."""

    at_seconds: Seconds | None = Field(None, description="Use only clips that ended by this time of the stream.")
    live: bool | None = Field(None, description=LIVE)


class ChatRequest(Received):
    """A question about a stream. Unknown fields are refused if they would change the answer, else ignored."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(
        min_length=1,
        max_length=8192,
        description="Stream id, or its source's name, in full or in part.",
        examples=["3f9c2b7a1d0e4c55"],
    )
    messages: list[ChatMessage] = Field(
        min_length=1,
        description="The last message is the question; the others are ignored.",
        examples=[[{"role": "user", "content": "Where did the dog go?"}]],
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    store: bool | None = Field(None, description="If false, do not store question and answer in the journal.")
    max_completion_tokens: int | None = Field(None, ge=1, le=_LONGEST_ANSWER_TOKENS)
    max_tokens: int | None = Field(
        None, ge=1, le=_LONGEST_ANSWER_TOKENS, description="Deprecated name of `max_completion_tokens`."
    )
    keepsight: WatchedOptions = WatchedOptions(at_seconds=None, live=None)

    @property
    def wants_usage(self) -> bool:
        """Whether to end a streamed answer with a chunk of token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def answer_tokens(self) -> int | None:
        """Requested token limit, or None. `max_tokens` counts only without `max_completion_tokens`."""
        return self.max_completion_tokens or self.max_tokens


def question_of(asked: ChatRequest, *, may_store: bool = True) -> Ask:
    """The question in a request.

    Args:
        asked: the request.
        may_store: value of the header `X-Keepsight-Store`.

    Raises:
        OpenAiError: 400, an unsupported parameter, or the last message is not a user's question.
    """
    refuse_what_changes_the_answer(asked.model_extra or {})
    options = asked.keepsight
    return Ask(
        _question_in(asked.messages),
        options.at_seconds,
        live=options.live,
        store=may_store and asked.store is not False,
        max_answer_tokens=asked.answer_tokens,
    )


def last_text(messages: list[ChatMessage]) -> str:
    """The text of the last message.

    Raises:
        OpenAiError: 400, it is not from the user, or has parts other than text.
    """
    last, place = messages[-1], f"messages[{len(messages) - 1}]"
    if last.role != "user":
        raise bad_request(f"the last message must have role user, got {last.role}", place)
    parts = [ContentPart(type="text", text=last.content)] if isinstance(last.content, str) else last.content or []
    if any(part.type != "text" for part in parts):
        raise bad_request(
            "a question must have text parts only: it is about the watched video, not an attached one", place
        )
    return " ".join(part.text for part in parts)


def _question_in(messages: list[ChatMessage]) -> str:
    try:
        return checked_text(last_text(messages), "the question")
    except SettingError as error:
        raise bad_request(str(error), f"messages[{len(messages) - 1}]") from None


_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})

_REFUSED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "n": (lambda value: value in (None, 1), "n must be 1"),
    "tools": (lambda value: value in _NOTHING, "tools are not supported"),
    "functions": (lambda value: value in _NOTHING, "functions are not supported"),
    "tool_choice": (lambda value: value in (None, "none", "auto"), "tools are not supported"),
    "function_call": (lambda value: value in (None, "none", "auto"), "functions are not supported"),
    "response_format": (
        lambda value: value is None or (isinstance(value, dict) and value.get("type") == "text"),
        "response_format must be of type text",
    ),
    "modalities": (lambda value: value in (None, [], ["text"]), "modalities must be text"),
    "audio": (lambda value: value in _NOTHING, "audio is not supported"),
    "stop": (lambda value: value in _NOTHING, "stop sequences are not supported"),
    "logprobs": (lambda value: value in _NOTHING, "log probabilities are not supported"),
    "top_logprobs": (lambda value: value in _NOTHING, "log probabilities are not supported"),
    "logit_bias": (lambda value: value in _NOTHING, "logit bias is not supported"),
    "prediction": (lambda value: value in _NOTHING, "predicted output is not supported"),
    "web_search_options": (lambda value: value in (None,), "web search is not supported"),
}
"""Parameter -> (whether a value changes nothing, error message otherwise)."""


def refuse_what_changes_the_answer(parameters: dict[str, Any]) -> None:
    """Refuse parameters that would change the answer; ignore the others (decoding is greedy).

    Raises:
        OpenAiError: 400, naming the parameter.
    """
    for name, (changes_nothing, reason) in _REFUSED.items():
        if name in parameters and not changes_nothing(parameters[name]):
            raise bad_request(reason, name, code="unsupported_parameter")
