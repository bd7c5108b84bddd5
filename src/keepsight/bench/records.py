"""Common record of all data sets: videos with questions, each asked at a time.

A method sees only frames with times before the question's.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from keepsight.errors import DataError
from keepsight.spans import Span
from keepsight.video import Frame


class TimeUnit(StrEnum):
    """Unit of a video's times.

    With shots, there is one frame per shot, at times 0, 1, 2 ..., or fewer if the source says so (`OwnRate`).
    """

    SECONDS = "seconds"
    SHOTS = "shots"


@dataclass(frozen=True)
class Question:
    """A question with its correct answer and time.

    Attributes:
        question_id: unique in its data set.
        question: text for the model, without choices.
        answer: correct answer; for multiple choice the text of the correct choice.
        ask_seconds: only earlier frames may be used; infinity for the end of the video. In the video's time unit.
        task: the data set's kind of question; may be empty.
        choices: choices in order A, B, C ...; empty for open questions.
        answer_index: index of the correct choice; None for open questions.
        evidence: spans of the evidence, if the data set has them.
        instruction: how an open question is to be answered, if the data set says: a line after it. Empty for the usual
            request for a few words.

    Raises:
        DataError: the question is empty, or `answer_index` does not match the choices.
    """

    question_id: str
    question: str
    answer: str
    ask_seconds: float = math.inf
    task: str = ""
    choices: tuple[str, ...] = ()
    answer_index: int | None = None
    evidence: tuple[Span, ...] = ()
    instruction: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise DataError(f"question {self.question_id} must not be empty")
        if not self.ask_seconds >= 0:
            raise DataError(f"ask_seconds of question {self.question_id} must be at least 0, got {self.ask_seconds}")
        fits = self.answer_index is None if not self.choices else self.answer_index in range(len(self.choices))
        if not fits:
            raise DataError(
                f"answer_index of question {self.question_id} must index its {len(self.choices)} choices, got "
                f"{self.answer_index}"
            )

    @property
    def age_seconds(self) -> float | None:
        """Time between the latest evidence and the question; None if unknown."""
        if not self.evidence or math.isinf(self.ask_seconds):
            return None
        return max(0.0, self.ask_seconds - max(span.end_seconds for span in self.evidence))


class FrameSource(Protocol):
    """Source of a video's frames; small and picklable."""

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """Frames in time order, `sample_fps` per unit of time, the first at time 0.

        Raises:
            VideoError: the file is missing, not a video, or damaged.
        """


@runtime_checkable
class OwnRate(Protocol):
    """A source whose frames come at a rate of its own, whatever is asked for."""

    def own_fps(self) -> float:
        """Frames per unit of time.

        Raises:
            VideoError: the file cannot be read.
        """


@runtime_checkable
class Countable(Protocol):
    """A source that knows its number of frames without decoding them."""

    def count_frames(self, sample_fps: float) -> int | None:
        """Number of frames that `frames` gives; None if unknown.

        Raises:
            VideoError, DataError: the file cannot be read.
        """


@dataclass(frozen=True)
class Video:
    """A video and its questions, in order of time.

    Attributes:
        video_id: unique in its data set.
        source: its frames.
        questions: at least one.
        time_unit: unit of all times.

    Raises:
        DataError: there is no question, or two have the same id.
    """

    video_id: str
    source: FrameSource
    questions: tuple[Question, ...]
    time_unit: TimeUnit = TimeUnit.SECONDS

    def __post_init__(self) -> None:
        ids = [question.question_id for question in self.questions]
        if not ids or len(set(ids)) < len(ids):
            raise DataError(
                f"question ids of video {self.video_id} must be unique, got {len(set(ids))} ids for {len(ids)} "
                "questions"
            )
        in_order = sorted(self.questions, key=lambda question: (question.ask_seconds, question.question_id))
        object.__setattr__(self, "questions", tuple(in_order))

    def fps(self, wanted_fps: float) -> float:
        """Frames per unit of time: as wanted, unless the source has its own rate or times count shots.

        Raises:
            VideoError: the rate depends on a file that cannot be read.
        """
        if isinstance(self.source, OwnRate):
            return self.source.own_fps()
        return 1.0 if self.time_unit is TimeUnit.SHOTS else wanted_fps


@dataclass(frozen=True)
class DataSet:
    """Videos with their questions.

    Attributes:
        name: name in `keepsight bench`.
        videos: in the data set's own order.
        scoring: scoring rule, a key of `scoring.SCORERS`.
        settings: how it was made or read, as text for the results file.
    """

    name: str
    videos: tuple[Video, ...]
    scoring: str
    settings: str = ""

    @property
    def num_questions(self) -> int:
        """Number of questions of all videos."""
        return sum(len(video.questions) for video in self.videos)
