"""Tools on a journal alone: read-only, while another process may be watching into it."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

from anyio import to_thread

from keepsight.asking.answering import Ask, ask
from keepsight.errors import SettingError
from keepsight.hub.standing.judging import Condition, Judge
from keepsight.hub.states import state_of
from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.journal.standing_records import StandingQuestion
from keepsight.method.protocol import AnsweringModel
from keepsight.server.mcp.views import AnswerFound, WatchedStream, answer_found
from keepsight.server.mcp.watched import News
from keepsight.settings import Settings

_LOOK_SECONDS = 0.5
"""Polling interval of a journal that another process writes."""


Choice = TypeVar("Choice", bound=Hashable)


class KeptStreams(Generic[Choice]):
    """`Watched` on a journal. Loads a model only for the first question.

    Args:
        journal: journal opened read-only.
        choose: which model answers about a stream, and in which format.
        load: loads the model of a choice.
    """

    stores_answers = False
    is_closing = False

    def __init__(
        self, journal: Journal, choose: Callable[[StreamRecord], Choice], load: Callable[[Choice], AnsweringModel]
    ) -> None:
        self._journal = journal
        self._choose = choose
        self._load = load
        self._lock = threading.Lock()
        self._loaded: tuple[Choice, AnsweringModel] | None = None

    @property
    def journal(self) -> Journal:
        return self._journal

    def stream_view(self, stream: StreamRecord) -> WatchedStream:
        return WatchedStream(
            id=stream.id,
            source=stream.source,
            model=stream.model,
            is_live=stream.is_live,
            started_at=stream.started_at,
            state="being watched, or interrupted" if stream.end_reason is None else state_of(stream),
            num_clips=self._journal.streams.position(stream.id).next_clip_index,
        )

    def ask(self, stream: StreamRecord, question: str, at_seconds: float | None) -> AnswerFound:
        """Answer a question; one at a time."""
        settings = Settings.from_json(stream.settings_json)
        with self._lock:
            model = self._model_for(stream)
            asked = Ask(question, at_seconds, live=False)
            answer = ask(model, self._journal, stream, asked, settings=settings).answer
        return answer_found(stream.id, answer)

    def news(self, stream_id: str) -> News:
        del stream_id
        return _RegularLook()

    async def judge(self, stream: StreamRecord, question: str, clip: CaptionRecord) -> bool:
        """Judge a caption; one at a time, with a model that no stream uses."""

        def judge() -> bool:
            with self._lock:
                return Judge(self._model_for(stream), self._journal).says_yes(Condition(question), clip)

        return await to_thread.run_sync(judge, abandon_on_cancel=True)

    def place(self, *, is_judged: bool) -> AbstractContextManager[None]:
        """There is one client, so a place is always free."""
        del is_judged
        return nullcontext()

    def add_standing(self, question: str, stream_id: str | None, cooldown_seconds: float) -> StandingQuestion:
        """Refused: the journal is read-only.

        Raises:
            SettingError: always.
        """
        del question, stream_id, cooldown_seconds
        raise _only_read()

    def watch(self, source: str) -> StreamRecord:
        """Refused: the journal is read-only.

        Raises:
            SettingError: always.
        """
        del source
        raise _only_read()

    def _model_for(self, stream: StreamRecord) -> AnsweringModel:
        """Model for a stream; only one is loaded at a time."""
        choice = self._choose(stream)
        if self._loaded is None or self._loaded[0] != choice:
            self._loaded = None
            self._loaded = (choice, self._load(choice))
        return self._loaded[1]


def _only_read() -> SettingError:
    return SettingError("the journal is read-only; start a server with `keepsight serve` to watch")


class _RegularLook:
    """Polling in place of notifications."""

    num_notified = 0

    async def wait(self, num_notified: int, timeout_seconds: float) -> bool:
        del num_notified
        await asyncio.sleep(min(timeout_seconds, _LOOK_SECONDS))
        return True
