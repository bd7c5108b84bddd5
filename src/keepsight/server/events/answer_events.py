"""How an answer is told as server-sent events, as the model writes it."""

from typing import Protocol

from keepsight.answering import AnswerStream
from keepsight.server.events.stream_events import event_text
from keepsight.server.views.answers import answer_view, citation_view


class AnswerWording(Protocol):
    """Writes the events of one answer. Each method returns what is sent, in the order of the methods."""

    def first(self, stream: AnswerStream) -> str:
        """Before the model has written anything; the citations are known."""

    def piece(self, text: str) -> str:
        """What the model wrote next; may be empty, then nothing is sent."""

    def last(self, stream: AnswerStream) -> str:
        """The answer is whole, and stored."""

    def failed(self, message: str, status: int) -> str:
        """In the place of all that would come: what is wrong, and the HTTP status that says most about it."""


class AnswerEvents:
    """`citations`, then `piece` by `piece`, then the whole `answer`, or `error`.

    Args:
        stream_id: what is asked about.
    """

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id

    def first(self, stream: AnswerStream) -> str:
        """See `AnswerWording`."""
        citations = [citation_view(citation).model_dump() for citation in stream.citations]
        return event_text("citations", {"stream_id": self._stream_id, "citations": citations})

    def piece(self, text: str) -> str:
        """See `AnswerWording`."""
        return event_text("piece", {"text": text})

    def last(self, stream: AnswerStream) -> str:
        """See `AnswerWording`."""
        return event_text("answer", answer_view(self._stream_id, stream.answer))

    def failed(self, message: str, status: int) -> str:
        """See `AnswerWording`."""
        del status
        return event_text("error", {"error": {"message": message}})
