"""Who is told what a server does, so that it can be counted and logged."""

from dataclasses import dataclass, field

from keepsight.journal import StreamRecord
from keepsight.watching.stream_state import Moment


class Observer:
    """Is told of what happened, in the thread in which it did; by itself it takes no notice.

    Nothing that a user wrote, and no address, is told beside the stream's own record.
    """

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        """A clip is in the journal."""

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        """A stream is in another state; the reason is one line without credentials, or empty."""

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        """The process that decodes died and is begun anew."""

    def answered(self, stream_id: str, seconds: float, text: str | None) -> None:
        """A question was answered, or could not be.

        Args:
            stream_id: was asked about.
            seconds: from the choice of captions to the last word.
            text: the answer; None where there is none.
        """


@dataclass
class Observers(Observer):
    """Several observers, each told of everything.

    Attributes:
        all: the observers.
    """

    all: list[Observer] = field(default_factory=list)

    def watched(self, stream: StreamRecord, moment: Moment) -> None:
        """See `Observer`."""
        for one in self.all:
            one.watched(stream, moment)

    def changed(self, stream: StreamRecord, state: str, reason: str) -> None:
        """See `Observer`."""
        for one in self.all:
            one.changed(stream, state, reason)

    def restarted(self, stream: StreamRecord, reason: str) -> None:
        """See `Observer`."""
        for one in self.all:
            one.restarted(stream, reason)

    def answered(self, stream_id: str, seconds: float, text: str | None) -> None:
        """See `Observer`."""
        for one in self.all:
            one.answered(stream_id, seconds, text)
