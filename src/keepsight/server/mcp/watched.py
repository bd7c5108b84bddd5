"""What the tools work on: streams that a server watches, or a journal that somebody else may be writing."""

from typing import Protocol

from keepsight.journal import Journal, StreamRecord
from keepsight.server.mcp.views import AnswerFound, WatchedStream


class News(Protocol):
    """Tells that there may be something new of a stream; see `bell.Bell`."""

    @property
    def num_rings(self) -> int:
        """Read before looking for news, and passed to `wait` afterwards."""

    async def wait(self, num_rings: int, timeout_seconds: float) -> bool:
        """Wait until there may be something new; False if that took too long."""


class Watched(Protocol):
    """Streams that can be asked about. Its methods may be called from any thread; all but `news` take a while."""

    @property
    def journal(self) -> Journal:
        """Has the streams."""

    @property
    def stores_answers(self) -> bool:
        """Whether questions and answers are written to the journal."""

    @property
    def is_closing(self) -> bool:
        """Whether nobody should wait any longer."""

    def stream_view(self, stream: StreamRecord) -> WatchedStream:
        """A stream as it is now."""

    def ask(self, stream: StreamRecord, question: str, at_seconds: float | None) -> AnswerFound:
        """Answer a question.

        Raises:
            KeepsightError: as for `answering.ask`.
            HTTPException: too many questions are being answered.
        """

    def news(self, stream_id: str) -> News:
        """Tells when a stream has something new."""

    def begin_to_wait(self) -> None:
        """Take a place among those who wait for news.

        Raises:
            HTTPException: there is none left.
        """

    def end_waiting(self) -> None:
        """Give the place back."""

    def watch(self, source: str) -> StreamRecord:
        """Begin to watch a source.

        Raises:
            KeepsightError, HTTPException: as for `StreamService.begin`.
        """
