"""A model that many streams use at once: to each of them it is a `VideoModel` like any other."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from types import TracebackType
from typing import Self

from keepsight.errors import KeepsightError, ModelError
from keepsight.models.passing_on import PassingOn
from keepsight.models.protocol import PAPER_SCORING, BatchModel, Description, ManyAnswers, ScoreRule, VisualInput
from keepsight.prompts import DESCRIBE_PROMPT
from keepsight.service.turns import BatchSettings, Turns, WaitingClip, WaitingQuestion


class BatchedModel(PassingOn[BatchModel]):
    """Describes clips of several streams together and answers questions in between (`turns` says in which order).

        with BatchedModel(model) as shared:
            threads = [Thread(target=watch, args=(Watcher(shared, journal), source)) for source, journal in pairs]

    One thread, begun with the first request, does all that the language model does. Frames are encoded in the thread
    that asks. What is described is what the model alone would say, up to rounding.

    Args:
        model: does the work; it may be used beside this, but not with other weights meanwhile.
        settings: how clips share it; the defaults if None.
    """

    def __init__(self, model: BatchModel, settings: BatchSettings | None = None) -> None:
        super().__init__(model)
        self._settings = settings or BatchSettings()
        self._turns = Turns(self._settings)
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._is_closed = False
        self.batch_sizes: list[int] = []
        """How many clips each batch had."""

    def describe(
        self,
        clip: VisualInput,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        recent_captions: Sequence[str] = (),
    ) -> Description:
        """See `VideoModel.describe`; waits for its turn. Guesses are for single clips, so none are made."""
        del recent_captions
        waiting = WaitingClip(clip, prompt, max_new_tokens, scoring)
        with self._changed:
            self._ensure_worker()
            self._turns.clips.append(waiting)
            self._changed.notify_all()
        return waiting.reply.result()

    def answer(
        self, context: str, question: str, visual: VisualInput | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """See `VideoModel.answer`; pieces come as the model makes them."""
        return self._in_turn(self._model.answer(context, question, visual, max_new_tokens=max_new_tokens))

    def answer_together(self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256) -> list[str]:
        """What `answer` says to each of some questions, up to rounding, in one turn where the model can do that.

        Raises:
            PromptTooLongError: one of the prompts exceeds the context window.
        """
        if not isinstance(self._model, ManyAnswers):
            return ["".join(self.answer(context, one, max_new_tokens=max_new_tokens)) for one in questions]
        replies: list[str] = []
        work = self._model.answering(context, questions, max_new_tokens=max_new_tokens)
        for _ in self._in_turn(_passes(work, replies)):
            continue
        return replies

    def _in_turn(self, pieces: Iterator[str]) -> Iterator[str]:
        """What a question's pieces come to, made when it is their turn."""
        waiting = WaitingQuestion(pieces)
        with self._changed:
            self._ensure_worker()
            self._turns.questions.append(waiting)
            self._changed.notify_all()
        return _told(waiting)

    def close(self) -> None:
        """Do what waits, then end the thread. Later requests are refused."""
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
        """Until closed: begin what is due, and give each of what is in work its passes."""
        batch: Generator[None, None, None] | None = None
        question: Iterator[None] | None = None
        captions_first = False  # between two questions a waiting batch begins
        while True:
            with self._changed:
                self._wait_for_work(in_work=batch is not None or question is not None)
                if self._nothing_left() and batch is None and question is None:
                    return
                if question is None and self._turns.questions and not (captions_first and batch is None):
                    question = _answering(self._turns.questions.popleft())
                elif batch is None and question is None and self._batch_is_due():
                    clips = self._turns.take_batch()
                    self.batch_sizes.append(len(clips))
                    batch, captions_first = self._describing(clips), False
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
        """Describe clips together, a pass at a time; one that cannot be described fails alone."""
        try:
            first = clips[0]
            descriptions = yield from self._model.describing(
                [clip.visual for clip in clips],
                first.prompt,
                max_new_tokens=first.max_new_tokens,
                scoring=first.scoring,
            )
        except KeepsightError as error:
            if len(clips) == 1:
                clips[0].reply.set_exception(error)
                return
            for clip in clips:
                yield from self._describing([clip])
        except BaseException as error:  # noqa: BLE001 - raised in the threads that wait for the descriptions
            for clip in clips:
                clip.reply.set_exception(error)
        else:
            for clip, description in zip(clips, descriptions, strict=True):
                clip.reply.set_result(description)


def _answering(question: WaitingQuestion) -> Iterator[None]:
    """Answer a question, a piece at a time."""
    try:
        for piece in question.pieces:
            question.told.put(piece)
            yield
    except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the answer
        question.told.put(error)
    else:
        question.told.put(None)


def _passes(work: Generator[None, None, list[str]], replies: list[str]) -> Iterator[str]:
    """An empty piece for each pass; what comes of them is added to the replies."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            replies += end.value
            return
        yield ""


def _told(question: WaitingQuestion) -> Iterator[str]:
    """The pieces of an answer as they come."""
    while True:
        piece = question.told.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            return
        yield piece


def _advance(work: Iterator[None], num_passes: int) -> bool:
    """Let work go on for so many passes; whether any is left."""
    for _ in range(num_passes):
        try:
            next(work)
        except StopIteration:
            return False
    return True
