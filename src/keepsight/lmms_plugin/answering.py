"""Answers questions about video files: each file is watched once, by the full loop, for all its questions."""

import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from keepsight.asking.answering import Ask, ask
from keepsight.asking.evidence import longest_reply
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.records import FrameSource
from keepsight.engine.watcher import Watcher
from keepsight.errors import DataError, EmptyJournalError
from keepsight.journal import Journal
from keepsight.lmms_plugin.questions import VideoQuestion
from keepsight.lmms_plugin.watching import VideoWatch
from keepsight.method.protocol import AnswerRequest, VideoModel
from keepsight.settings import Settings


class VideoAnswerer:
    """Watches video files and answers questions about them, each from what precedes it.

        with VideoAnswerer(model, Settings()) as answerer:
            (reply,) = answerer.answer_all([VideoQuestion(Path("kitchen.mp4"), "Where did the dog go?")])

    Args:
        model: describes and answers.
        settings: how.
        journal_path: journal of captions, reused by later runs with equal model and settings, so the files must not
            change. None for a temporary one until `close`.
    """

    def __init__(self, model: VideoModel, settings: Settings, journal_path: Path | None = None) -> None:
        with ExitStack() as opened:
            if journal_path is None:
                folder = TemporaryDirectory(prefix="keepsight-", ignore_cleanup_errors=True)
                journal_path = Path(opened.enter_context(folder)) / "journal.db"
            self._journal = opened.enter_context(Journal.create(journal_path))
            self._opened = opened.pop_all()
        self._model = model
        self._settings = settings
        self._watcher = Watcher(model, self._journal, settings)

    def answer_all(self, questions: Sequence[VideoQuestion]) -> list[str]:
        """Answers in order of the questions.

        Questions about one video are sorted by time and asked while it is watched; a later call does not watch it
        again.

        Raises:
            DataError: a video's kind does not match its times.
            VideoError: a video is unreadable. A truncated one is used up to the damage.
            PromptTooLongError: a question leaves no room for a caption.
            JournalWriteError: writing failed.
        """
        answers: dict[int, str] = {}
        for places in _by_video(questions).values():
            in_order = sorted(places, key=lambda place: questions[place].ask_seconds)
            replies = self._ask_about_one([questions[place] for place in in_order])
            answers.update(zip(in_order, replies, strict=True))
        return [answers[place] for place in range(len(questions))]

    def close(self) -> None:
        """Release the stream watched last, and close the journal, deleting a temporary one. Idempotent."""
        self._watcher.close()
        self._opened.close()

    def _ask_about_one(self, questions: Sequence[VideoQuestion]) -> list[str]:
        """Answers about one video, asked in order of time."""
        first = questions[0]
        is_array = first.path.suffix.lower() == ".npy"
        settings = replace(self._settings, sample_fps=1.0) if is_array else self._settings
        # A resumed stream has no frames without a caption, so questions that see some need a new watch.
        first_clip_seconds = settings.frames_per_clip / settings.sample_fps
        is_early = settings.live_at_start and first.ask_seconds - first.start_seconds < first_clip_seconds
        session = self._watcher.begin(_name(first), settings, restart=settings.live or is_early)
        watch = VideoWatch(session, _source(first), settings)
        replies = []
        for question in questions:
            watch.reach(question.ask_seconds - question.start_seconds)
            replies.append(self._answer(watch, question))
        watch.leave()
        return replies

    def _answer(self, watch: VideoWatch, question: VideoQuestion) -> str:
        settings = self._settings
        if question.max_answer_tokens is not None:
            settings = replace(settings, max_answer_tokens=question.max_answer_tokens)
        asked = question.ask_seconds - question.start_seconds
        try:
            answer = ask(
                self._model,
                self._journal,
                watch.session.stream,
                Ask(question.question, None if math.isinf(asked) else asked, as_written=True),
                settings=settings,
                live_frames=watch.uncaptioned(asked),
            ).answer
        except EmptyJournalError:  # nothing has happened yet to answer from
            request = AnswerRequest("", question.question, max_new_tokens=longest_reply(self._model, settings))
            return question.cut("".join(self._model.answer(request)))
        return question.cut(answer.text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _by_video(questions: Sequence[VideoQuestion]) -> Mapping[Hashable, list[int]]:
    """Indices of the questions about each video, by first appearance."""
    places: dict[Hashable, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(_name(question), []).append(place)
    return places


def _name(question: VideoQuestion) -> str:
    """Name of a video, or of a section as a media fragment (W3C Media Fragments URI 1.0, section 4.2.1)."""
    path = str(question.path.resolve())
    return f"{path}#t={question.start_seconds}" if question.start_seconds else path


def _source(question: VideoQuestion) -> FrameSource:
    if question.path.suffix.lower() != ".npy":
        return FileSource(question.path, question.start_seconds)
    if question.start_seconds:
        raise DataError(f"start_seconds of the shots of {question.path.name} must be 0, got {question.start_seconds}")
    return ArraySource(question.path)
