"""A model shared by several streams; each uses it as an ordinary `VideoModel`."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import InvalidStateError
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from keepsight.engine.turns import BatchSettings, Turns, WaitingClip, WaitingQuestion
from keepsight.errors import KeepsightError, ModelError, WorkCancelledError
from keepsight.method.protocol import AnswerRequest, BatchModel, DescribeRequest, Description, ManyAnswers, VisualInput
from keepsight.models.cancellation import Cancellation, Wanted, cancellable, cancellations
from keepsight.models.delegating import DelegatingModel


class BatchedModel(DelegatingModel[BatchModel]):
    """Describes clips of several streams in batches and answers questions in between (see `turns` for the order).

        with BatchedModel(model) as shared:
            threads = [Thread(target=watch, args=(Watcher(shared, journal), source)) for source, journal in pairs]

    One thread, started by the first request, runs the language model. Frames are encoded in the caller's thread.
    Descriptions equal those of the model alone, up to rounding.

    Args:
        model: model to share; it may also be used directly, but its weights must not change.
        settings: how clips share the model; the defaults if None.
    """

    def __init__(self, model: BatchModel, settings: BatchSettings | None = None) -> None:
        super().__init__(model)
        self._settings = settings or BatchSettings()
        self._turns = Turns(self._settings)
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._is_closed = False
        self._closing = Cancellation()
        self.batch_sizes: list[int] = []
        """Size of each batch so far."""

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        """Describe a clip in its turn, in one batch with clips of equal requests.

        `request.recent_captions` is ignored: speculative decoding works on single clips only.

        Raises:
            SettingError, PromptTooLongError: as for `VideoModel.describe`.
            ModelError: this is closed.
            WorkCancelledError: the caller's `Cancellation` or `cancel` stopped the work.
        """
        waiting = WaitingClip(clip, replace(request, recent_captions=()), cancellations())
        with self._changed:
            self._ensure_worker()
            self._turns.clips.append(waiting)
            self._changed.notify_all()
        with ExitStack() as listening:
            for scope in waiting.scopes:
                listening.enter_context(scope.calling(lambda: self._leave(waiting)))
            return waiting.reply.result()

    def _leave(self, waiting: WaitingClip) -> None:
        """Withdraw a clip: its caller returns, and the rest of its batch is described."""
        with self._changed:
            if waiting in self._turns.clips:
                self._turns.clips.remove(waiting)
        _reply(waiting, WorkCancelledError("the work was cancelled"))

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question in its turn, in pieces as the model makes them.

        Raises:
            PromptTooLongError: prompt plus `request.max_new_tokens` exceed the context window.
            ModelError: this is closed.
        """
        return self._in_turn(self._model.answer(request))

    def answer_together(self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256) -> list[str]:
        """What `answer` says to each of some questions, up to rounding, in one turn where the model can do that.

        Raises:
            PromptTooLongError: one of the prompts exceeds the context window.
        """
        if not isinstance(self._model, ManyAnswers):
            requests = (AnswerRequest(context, one, max_new_tokens=max_new_tokens) for one in questions)
            return ["".join(self.answer(request)) for request in requests]
        replies: list[str] = []
        work = self._model.answering(context, questions, max_new_tokens=max_new_tokens)
        for _ in self._in_turn(_passes(work, replies)):
            continue
        return replies

    def _in_turn(self, pieces: Iterator[str]) -> Iterator[str]:
        """Pieces of a question's answer, generated in its turn."""
        waiting = WaitingQuestion(pieces)
        with self._changed:
            self._ensure_worker()
            self._turns.questions.append(waiting)
            self._changed.notify_all()
        return _received(waiting)

    @property
    def num_waiting(self) -> int:
        """Number of clips waiting for their turn."""
        return len(self._turns.clips)

    def cancel(self) -> None:
        """Cancel waiting and running work; its callers get `WorkCancelledError`. Thread-safe."""
        self._closing.cancel()

    def close(self) -> None:
        """Finish waiting work, then end the thread. Later requests are rejected."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ensure_worker(self) -> None:
        if self._is_closed:
            raise ModelError("the shared model is closed")
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="keepsight-model", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        """Until closed: start what is due, and give all running work its passes."""
        batch: Iterator[None] | None = None
        question: Iterator[None] | None = None
        captions_first = False  # between two questions a waiting batch begins
        while True:
            with self._changed:
                self._wait_for_work(in_work=batch is not None or question is not None)
                if self._nothing_left() and batch is None and question is None:
                    return
                if question is None and self._turns.questions and not (captions_first and batch is None):
                    question = _within(_answering(self._turns.questions.popleft()), self._closing)
                elif batch is None and question is None and self._batch_is_due():
                    clips = self._turns.take_batch()
                    self.batch_sizes.append(len(clips))
                    wanted = _AnyOf(tuple(clips), self._closing)
                    batch, captions_first = _within(self._describing(clips), wanted), False
            if question is not None and not _advance(question, self._settings.question_passes):
                question, captions_first = None, bool(self._turns.clips)
            if batch is not None and not _advance(batch, 1):
                batch = None

    def _wait_for_work(self, *, in_work: bool) -> None:
        while not (in_work or self._is_closed or self._turns.questions or self._batch_is_due()):
            self._changed.wait(self._turns.seconds_until_batch(time.monotonic()))

    def _batch_is_due(self) -> bool:
        seconds = self._turns.seconds_until_batch(time.monotonic())
        return seconds is not None and (seconds <= 0 or self._is_closed or bool(self._turns.questions))

    def _nothing_left(self) -> bool:
        return self._is_closed and not self._turns.questions and not self._turns.clips

    def _describing(self, clips: list[WaitingClip]) -> Generator[None, None, None]:
        """Describe clips together, one pass at a time; a clip that cannot be described fails alone."""
        try:
            visuals = [clip.visual for clip in clips]
            descriptions = yield from self._model.describing(visuals, clips[0].request)
        except KeepsightError as error:
            if len(clips) == 1 or isinstance(error, WorkCancelledError):
                for clip in clips:
                    _reply(clip, error)
                return
            for clip in clips:
                yield from self._describing([clip])
        except BaseException as error:  # noqa: BLE001 - raised in the threads that wait for the descriptions
            for clip in clips:
                _reply(clip, error)
        else:
            for clip, description in zip(clips, descriptions, strict=True):
                _reply(clip, description)


@dataclass(frozen=True)
class _AnyOf:
    """Clips in one batch: cancelled when all clips are, or the model is."""

    clips: tuple[WaitingClip, ...]
    closing: Cancellation

    @property
    def is_cancelled(self) -> bool:
        return self.closing.is_cancelled or all(clip.is_cancelled for clip in self.clips)


def _within(work: Generator[None, None, None], wanted: Wanted) -> Iterator[None]:
    """Work that ends once it is cancelled: between passes, if the model itself does not look. Other work continues."""
    is_begun = False
    while True:
        with cancellable(wanted):
            try:
                if is_begun and wanted.is_cancelled:
                    work.throw(WorkCancelledError("the work was cancelled"))
                else:
                    next(work)
            except StopIteration:
                return
        is_begun = True
        yield


def _reply(clip: WaitingClip, reply: Description | BaseException) -> None:
    """Deliver a clip's description or error, if its caller still waits."""
    with suppress(InvalidStateError):
        if isinstance(reply, BaseException):
            clip.reply.set_exception(reply)
        else:
            clip.reply.set_result(reply)


def _answering(question: WaitingQuestion) -> Generator[None, None, None]:
    """Answer a question, one piece at a time."""
    try:
        for piece in question.pieces:
            question.output.put(piece)
            yield
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the answer
        question.output.put(error)
    else:
        question.output.put(None)


def _passes(work: Generator[None, None, list[str]], replies: list[str]) -> Iterator[str]:
    """Yield an empty piece for each pass; the results are added to the replies."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            replies += end.value
            return
        yield ""


def _received(question: WaitingQuestion) -> Iterator[str]:
    """Pieces of an answer as they arrive."""
    while True:
        piece = question.output.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            return
        yield piece


def _advance(work: Iterator[None], num_passes: int) -> bool:
    """Advance work by a number of passes; returns whether any is left."""
    for _ in range(num_passes):
        try:
            next(work)
        except StopIteration:
            return False
    return True
