"""Observer interface for what a server does, for metrics and logs."""

from dataclasses import dataclass, field

from keepsight.engine.stream_pipeline import Moment
from keepsight.journal import StreamRecord
from keepsight.method.model_info import AnswerAuthor


class Observer:
    """Called on events, in the thread of the event; the base class does nothing.

    Apart from the stream's own record, arguments hold no user text and no addresses.
    """

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        """A clip was stored."""

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        """A stream changed state; `reason` is one line without credentials, or empty."""

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        """The decoder died and is being restarted."""

    def answered(self, stream_id: str, seconds: float, text: str | None, author: AnswerAuthor) -> None:
        """A question was answered or failed.

        Args:
            stream_id: stream of the question.
            seconds: duration from retrieval to the last token.
            text: the answer; None on failure.
            author: model that was asked, and its server, which the operator chose.
        """


@dataclass
class Observers(Observer):
    """Forwards every event to several observers.

    Attributes:
        all: the observers.
    """

    all: list[Observer] = field(default_factory=list)

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        for one in self.all:
            one.watched(stream, moment)

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        for one in self.all:
            one.changed(stream, state, reason)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        for one in self.all:
            one.restarted(stream, reason)

    def answered(self, stream_id: str, seconds: float, text: str | None, author: AnswerAuthor) -> None:
        for one in self.all:
            one.answered(stream_id, seconds, text, author)
