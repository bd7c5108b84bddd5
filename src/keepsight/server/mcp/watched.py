"""What the tools work on: a server's streams, or a journal that another process may write."""

from contextlib import AbstractContextManager
from typing import Protocol

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.mcp.views import AnswerFound, WatchedStream


class News(Protocol):
    """Notifies of news of a stream; see `hub.signals.Signal`."""

    @property
    def num_notified(self) -> int:
        """Read it before looking for news, and pass it to `wait`."""

    async def wait(self, num_notified: int, timeout_seconds: float) -> bool:
        """Wait until there may be news; False on timeout."""


class Watched(Protocol):
    """Streams to ask about. Thread-safe; all methods but `news` and `place` may block."""

    @property
    def journal(self) -> Journal:
        """Journal of the streams."""

    @property
    def stores_answers(self) -> bool:
        """Whether questions and answers are stored."""

    @property
    def is_closing(self) -> bool:
        """Whether waiting should stop."""

    def stream_view(self, stream: StreamRecord) -> WatchedStream:
        """View of a stream."""

    def ask(self, stream: StreamRecord, question: str, at_seconds: float | None) -> AnswerFound:
        """Answer a question.

        Raises:
            KeepsightError: as for `answering.ask`.
            BusyError: the limit of concurrent questions is reached.
        """

    def news(self, stream_id: str) -> News:
        """Notifier of a stream's news."""

    async def judge(self, stream: StreamRecord, question: str, clip: CaptionRecord) -> bool:
        """Whether the model answers a question with yes on a clip. Cancellable.

        Raises:
            KeepsightError: judging failed.
        """

    def place(self, *, is_judged: bool) -> AbstractContextManager[None]:
        """Slot of a waiting client, for the duration of the block; taken at once or refused.

        Args:
            is_judged: the model judges new clips.

        Raises:
            BusyError: no slot is free.
        """

    def add_standing(self, question: str, stream_id: str | None, cooldown_seconds: float) -> StandingQuestion:
        """Add a standing question.

        Raises:
            KeepsightError: as for `StandingQuestions.add`.
        """

    def watch(self, source: str) -> StreamRecord:
        """Start watching a source.

        Raises:
            KeepsightError: as for `StreamService.begin`.
        """
