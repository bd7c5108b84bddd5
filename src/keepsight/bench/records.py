"""The internal record of every data set: videos with questions, each asked at its time.

One rule for all: a method sees only the frames whose time lies before the time of asking.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from keepsight.errors import DataError
from keepsight.spans import Span
from keepsight.video import Frame


class TimeUnit(StrEnum):
    """What the times of a video count. A video whose times are shots has one frame a shot, at time 0, 1, 2 ..."""

    SECONDS = "seconds"
    SHOTS = "shots"


@dataclass(frozen=True)
class Question:
    """A question with its right answer, and when it is asked.

    Attributes:
        question_id: unique in its data set.
        question: the words put to the model, without choices.
        answer: the right answer; of a multiple-choice question the text of the right choice.
        ask_seconds: only frames before this time may be used; infinity asks after the whole video. In shots where the
            video's unit is shots.
        task: the data set's name for this kind of question, empty where it has none.
        choices: what can be chosen from, in the order of the letters A, B, C ...; empty for open questions.
        answer_index: place of the right choice, None for open questions.
        evidence: when that which answers it was to be seen, as far as the data set says.

    Raises:
        DataError: the question is empty, or choices and `answer_index` do not go together.
    """

    question_id: str
    question: str
    answer: str
    ask_seconds: float = math.inf
    task: str = ""
    choices: tuple[str, ...] = ()
    answer_index: int | None = None
    evidence: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise DataError(f"question {self.question_id} is empty")
        if not self.ask_seconds >= 0:
            raise DataError(f"question {self.question_id} is asked at {self.ask_seconds}; allowed is 0 and later")
        fits = self.answer_index is None if not self.choices else self.answer_index in range(len(self.choices))
        if not fits:
            raise DataError(
                f"question {self.question_id} has {len(self.choices)} choices and {self.answer_index} for the right one"
            )

    @property
    def age_seconds(self) -> float | None:
        """How long before asking the latest evidence ended; None where the data set does not say."""
        if not self.evidence or math.isinf(self.ask_seconds):
            return None
        return max(0.0, self.ask_seconds - max(span.end_seconds for span in self.evidence))


class FrameSource(Protocol):
    """Where a video's frames come from. It is small and can be sent to another process."""

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """Frames in time order, `sample_fps` of them from each unit of time, the first at time 0.

        Raises:
            VideoError: the file is missing, no video, or damaged.
        """


@dataclass(frozen=True)
class Video:
    """A video and the questions about it, in order of the time of asking.

    Attributes:
        video_id: unique in its data set.
        source: its frames.
        questions: at least one.
        time_unit: what frame times and times of asking count.

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
            raise DataError(f"video {self.video_id} has {len(ids)} questions with {len(set(ids))} different ids")
        in_order = sorted(self.questions, key=lambda question: (question.ask_seconds, question.question_id))
        object.__setattr__(self, "questions", tuple(in_order))


@dataclass(frozen=True)
class DataSet:
    """Videos with their questions.

    Attributes:
        name: as `keepsight bench` knows it.
        videos: in the data set's own order.
        scoring: name of the rule that its answers are scored by, a key of `scoring.SCORERS`.
        settings: what it was made or read with, as a text that goes into the results file.
    """

    name: str
    videos: tuple[Video, ...]
    scoring: str
    settings: str = ""

    @property
    def num_questions(self) -> int:
        """Questions of all videos."""
        return sum(len(video.questions) for video in self.videos)
