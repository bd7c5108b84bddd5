"""Chat completions, whole or streamed (OpenAI's API reference, "Chat")."""

import json
import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any

from keepsight.asking.answering import AnswerStream
from keepsight.method.protocol import VideoModel
from keepsight.server.http.openai.refusals import refusal_of
from keepsight.server.http.openai.requests import ChatRequest
from keepsight.server.http.openai.views import (
    AnswerMessage,
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    Grounds,
    Usage,
)
from keepsight.server.http.views.answers import CitationView
from keepsight.server.http.views.clips import GapView

_DONE = "data: [DONE]\n\n"
_NO_TOKENS = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)


class CompletionWriter:
    """Formats one answer for OpenAI clients; streams it as an `AnswerWording`.

    Args:
        asked: the request.
        stream_id: stream of the question, and the model name in responses.
        model: counts tokens.
    """

    def __init__(self, asked: ChatRequest, stream_id: str, model: VideoModel) -> None:
        self._asked = asked
        self._stream_id = stream_id
        self._model = model
        self._text = ""
        self._held_back = ""
        self._always: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": stream_id,
        }

    def whole(self, stream: AnswerStream, text: str) -> ChatCompletion:
        """The completion.

        Args:
            stream: the stored answer.
            text: raw model output.
        """
        self._text = text
        usage = self._usage(stream)
        choice = Choice(message=AnswerMessage(content=stream.answer.text), finish_reason=_finish_reason(stream, usage))
        return ChatCompletion(**self._always, choices=[choice], usage=usage, keepsight=self._grounds(stream))

    def first(self, stream: AnswerStream) -> str:
        """First chunk, with the role."""
        del stream
        return self._chunk(Delta(role="assistant", content=""))

    def piece(self, text: str) -> str:
        """Next chunk of text; leading and trailing blanks are dropped."""
        self._text += text
        waiting = self._held_back + text
        if self._text.strip() == waiting.strip():
            waiting = waiting.lstrip()
        shown = waiting.rstrip()
        self._held_back = waiting[len(shown) :]
        return self._chunk(Delta(content=shown)) if shown else ""

    def last(self, stream: AnswerStream) -> str:
        """Finish reason and citations; then token counts if requested."""
        usage = self._usage(stream)
        ending = self._chunk(Delta(), _finish_reason(stream, usage), self._grounds(stream))
        return ending + self._counts(usage) + _DONE

    def failed(self, message: str, status: int) -> str:
        """The error as a chunk, which OpenAI's client raises."""
        return _event(f'{{"error": {refusal_of(status, message).model_dump_json()}}}') + _DONE

    def by_rule(self, text: str) -> ChatCompletion:
        """A reply made without a model."""
        choice = Choice(message=AnswerMessage(content=text), finish_reason="stop")
        return ChatCompletion(**self._always, choices=[choice], usage=_NO_TOKENS, keepsight=self._no_grounds())

    async def events_by_rule(self, text: str) -> AsyncGenerator[str, None]:
        """The same reply, streamed."""
        yield self._chunk(Delta(role="assistant", content=""))
        if text:
            yield self._chunk(Delta(content=text))
        yield self._chunk(Delta(), "stop", self._no_grounds()) + self._counts(_NO_TOKENS) + _DONE

    def _chunk(self, delta: Delta, reason: FinishReason | None = None, grounds: Grounds | None = None) -> str:
        choice = ChunkChoice(delta=delta, finish_reason=reason)
        chunk = ChatCompletionChunk(**self._always, choices=[choice], keepsight=grounds).model_dump(mode="json")
        # A delta has only what is new; the usage field is present if it was requested.
        chunk["choices"][0]["delta"] = delta.model_dump(exclude_none=True)
        if not self._asked.wants_usage:
            del chunk["usage"]
        if grounds is None:
            del chunk["keepsight"]
        return _event(json.dumps(chunk))

    def _counts(self, usage: Usage) -> str:
        """The chunk of token counts, if requested."""
        if not self._asked.wants_usage:
            return ""
        chunk = ChatCompletionChunk(**self._always, choices=[], usage=usage)
        return _event(chunk.model_dump_json(exclude={"keepsight"}))

    def _no_grounds(self) -> Grounds:
        return Grounds(
            stream_id=self._stream_id,
            citations=[],
            gaps=[],
            ask_seconds=0.0,
            num_captions_given=0,
            num_captions_left_out=0,
            num_live_frames=0,
            num_messages_not_shown=len(self._asked.messages),
            is_by_rule=True,
        )

    def _usage(self, stream: AnswerStream) -> Usage:
        num_prompt, num_answer = stream.num_prompt_tokens(), self._model.count_tokens(self._text)
        return Usage(prompt_tokens=num_prompt, completion_tokens=num_answer, total_tokens=num_prompt + num_answer)

    def _grounds(self, stream: AnswerStream) -> Grounds:
        answer = stream.answer
        return Grounds(
            stream_id=self._stream_id,
            citations=[CitationView.model_validate(citation) for citation in answer.citations],
            gaps=[GapView.model_validate(gap) for gap in answer.gaps],
            ask_seconds=answer.ask_seconds,
            num_captions_given=answer.num_captions_given,
            num_captions_left_out=answer.num_captions_left_out,
            num_live_frames=answer.num_live_frames,
            num_messages_not_shown=len(self._asked.messages) - 1,
            answer_model=answer.answer_model,
            answer_url=answer.answer_url,
        )


def _finish_reason(stream: AnswerStream, usage: Usage) -> FinishReason:
    """`length` if the answer reached its token limit: as an engine says; else an end marker would have shortened it."""
    if stream.finish_reason is not None:
        return "length" if stream.finish_reason == "length" else "stop"
    return "length" if usage.completion_tokens >= stream.max_new_tokens else "stop"


def _event(data: str) -> str:
    return f"data: {data}\n\n"
