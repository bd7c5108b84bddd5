"""An answer as a chat completion: whole, or in chunks as the model writes (OpenAI's API reference, "Chat")."""

import json
import secrets
import time
from typing import Any

from keepsight.answering import AnswerStream
from keepsight.models.protocol import VideoModel
from keepsight.server.openai.refusals import refusal_of
from keepsight.server.openai.requests import ChatRequest
from keepsight.server.openai.views import (
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
from keepsight.server.views.answers import citation_view
from keepsight.server.views.clips import gap_view

_DONE = "data: [DONE]\n\n"


class CompletionWriter:
    """Writes one answer for OpenAI's clients; as `AnswerWording` in chunks.

    Args:
        asked: the request.
        stream_id: what is asked about; the model's name in all that is written.
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
            stream: the answer, which is stored.
            text: what the model wrote, as it wrote it.
        """
        self._text = text
        usage = self._usage(stream)
        choice = Choice(message=AnswerMessage(content=stream.answer.text), finish_reason=_finish_reason(stream, usage))
        return ChatCompletion(**self._always, choices=[choice], usage=usage, keepsight=self._grounds(stream))

    def first(self, stream: AnswerStream) -> str:
        """Who speaks."""
        del stream
        return self._chunk(Delta(role="assistant", content=""))

    def piece(self, text: str) -> str:
        """What comes to the answer; blanks at its ends do not belong to it."""
        self._text += text
        waiting = self._held_back + text
        if self._text.strip() == waiting.strip():
            waiting = waiting.lstrip()
        told = waiting.rstrip()
        self._held_back = waiting[len(told) :]
        return self._chunk(Delta(content=told)) if told else ""

    def last(self, stream: AnswerStream) -> str:
        """Why it ended and what it rests on; then the tokens, if they were asked for."""
        usage = self._usage(stream)
        ending = self._chunk(Delta(), _finish_reason(stream, usage), self._grounds(stream))
        counts = ChatCompletionChunk(**self._always, choices=[], usage=usage) if self._asked.wants_usage else None
        return ending + (_event(counts.model_dump_json(exclude={"keepsight"})) if counts else "") + _DONE

    def failed(self, message: str, status: int) -> str:
        """The error, which OpenAI's client raises."""
        return _event(f'{{"error": {refusal_of(status, message).model_dump_json()}}}') + _DONE

    def _chunk(self, delta: Delta, reason: FinishReason | None = None, grounds: Grounds | None = None) -> str:
        choice = ChunkChoice(delta=delta, finish_reason=reason)
        chunk = ChatCompletionChunk(**self._always, choices=[choice], keepsight=grounds).model_dump(mode="json")
        # A delta has what is new and nothing else; the field of usage is there where it was asked for.
        chunk["choices"][0]["delta"] = delta.model_dump(exclude_none=True)
        if not self._asked.wants_usage:
            del chunk["usage"]
        if grounds is None:
            del chunk["keepsight"]
        return _event(json.dumps(chunk))

    def _usage(self, stream: AnswerStream) -> Usage:
        num_prompt, num_answer = stream.num_prompt_tokens(), self._model.count_tokens(self._text)
        return Usage(prompt_tokens=num_prompt, completion_tokens=num_answer, total_tokens=num_prompt + num_answer)

    def _grounds(self, stream: AnswerStream) -> Grounds:
        answer = stream.answer
        return Grounds(
            stream_id=self._stream_id,
            citations=[citation_view(citation) for citation in answer.citations],
            gaps=[gap_view(gap) for gap in answer.gaps],
            ask_seconds=answer.ask_seconds,
            num_captions_given=answer.num_captions_given,
            num_captions_left_out=answer.num_captions_left_out,
            num_live_frames=answer.num_live_frames,
            num_messages_not_shown=len(self._asked.messages) - 1,
        )


def _finish_reason(stream: AnswerStream, usage: Usage) -> FinishReason:
    """An answer of as many tokens as there may be was cut off; an end marker would have made it shorter."""
    return "length" if usage.completion_tokens >= stream.max_new_tokens else "stop"


def _event(data: str) -> str:
    return f"data: {data}\n\n"
