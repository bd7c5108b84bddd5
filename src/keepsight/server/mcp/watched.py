"""What the tools work on: streams that a server watches, or a journal that somebody else may be writing."""

from contextlib import AbstractContextManager
from typing import Protocol

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.mcp.views import AnswerFound, WatchedStream


class News(Protocol):
    """Tells that there may be something new of a stream; see `bell.Bell`."""

    @property
    def num_rings(self) -> int:
        """Read before looking for news, and passed to `wait` afterwards."""

    async def wait(self, num_rings: int, timeout_seconds: float) -> bool:
        """Wait until there may be something new; False if that took too long."""


class Watched(Protocol):
    """Streams that can be asked about. Methods may be called from any thread; all but `news`, `place` take a while."""

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

    async def judge(self, stream: StreamRecord, question: str, clip: CaptionRecord) -> bool:
        """Whether the model says yes to a question of a clip. Whoever is cancelled meanwhile is waited for no longer.

        Raises:
            KeepsightError: it could not be judged.
        """

    def place(self, *, is_judged: bool) -> AbstractContextManager[None]:
        """A place among those who wait for news, for as long as the block; taken when it begins, without waiting.

        Args:
            is_judged: the model is to judge what comes.

        Raises:
            HTTPException: there is none left.
        """

    def add_standing(self, question: str, stream_id: str | None, cooldown_seconds: float) -> StandingQuestion:
        """Check every new caption against a question.

        Raises:
            KeepsightError, HTTPException: as for `StandingQuestions.add`.
        """

    def watch(self, source: str) -> StreamRecord:
        """Begin to watch a source.

        Raises:
            KeepsightError, HTTPException: as for `StreamService.begin`.
        """
