"""Results of a run: settings, versions, hardware, timings and all predictions, in one JSON file."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from keepsight.errors import DataError
from keepsight.whole_file import write_whole

FORMAT = 1
"""Format version of the file."""


@dataclass(frozen=True)
class Prediction:
    """One answer of one method.

    Attributes:
        method: name of the method in the run.
        video_id: of the video.
        question_id: of the question, unique in the data set.
        task: the question's kind.
        question: what was asked.
        right_answer: the data set's answer.
        answer: the method's answer.
        score: 1 correct, 0 wrong, between for partial credit; None until judged.
        f1: token F1 against the correct answer, 0 to 1; None if the rule has none.
        rating: a judge's rating from 0 to 5, or None.
        age_seconds: time between evidence and question; None if unknown.
        answer_seconds: wall time of answering.
        num_prompt_tokens: length of the prompt.
        ask_seconds: time of the question; None for the end of the video.
    """

    method: str
    video_id: str
    question_id: str
    task: str
    question: str
    right_answer: str
    answer: str
    score: float | None = None
    f1: float | None = None
    rating: int | None = None
    age_seconds: float | None = None
    answer_seconds: float = 0.0
    num_prompt_tokens: int = 0
    ask_seconds: float | None = None


@dataclass(frozen=True)
class CaptionedClip:
    """A caption written while watching, for data sets with known truth.

    Attributes:
        method: name of the method in the run.
        video_id: of the video.
        clip_index: 0 for the first.
        start_seconds: of the clip.
        end_seconds: of the clip.
        caption: what was written.
        num_frames: frames of the clip.
        num_visual_tokens: of the clip, before selection.
        kept_indices: places of the kept tokens in the clip.
        seconds_spent: wall time of encoding (unless shared), describing and selecting.
    """

    method: str
    video_id: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str
    num_frames: int
    num_visual_tokens: int
    kept_indices: tuple[int, ...]
    seconds_spent: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept_indices", tuple(self.kept_indices))  # JSON has lists


@dataclass(frozen=True)
class Results:
    """Results of a run.

    Attributes:
        data_set: its name.
        data_settings: how the data set was made or read.
        scoring: scoring rule.
        methods: name -> `repr` of the method's settings, in the order of the tables.
        environment: model, versions, hardware, seed and date, see `environment.describe`.
        predictions: every answer, methods in order, questions in order.
        captions: every caption of the methods that write some.
    """

    data_set: str
    data_settings: str
    scoring: str
    methods: dict[str, str]
    environment: dict[str, Any]
    predictions: tuple[Prediction, ...]
    captions: tuple[CaptionedClip, ...] = field(default=())

    def of(self, method: str) -> list[Prediction]:
        """Predictions of a method, in order of questions."""
        return [prediction for prediction in self.predictions if prediction.method == method]

    def captions_of(self, method: str) -> list[CaptionedClip]:
        """Captions of a method, in order of videos and clips."""
        return [clip for clip in self.captions if clip.method == method]

    def save(self, path: Path) -> None:
        """Write the results as JSON, atomically.

        Raises:
            OSError: writing failed.
        """
        record = {"format": FORMAT, **asdict(self)}
        write_whole(path, json.dumps(record, indent=1, allow_nan=False).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the output of `save`.

        Raises:
            DataError: no such file, or it is not a results file.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record.pop("format") != FORMAT:
                raise DataError(f"{path} was written by another version of Keepsight; run the benchmark again")
            predictions = tuple(Prediction(**entry) for entry in record.pop("predictions"))
            captions = tuple(CaptionedClip(**entry) for entry in record.pop("captions"))
            if not isinstance(record["methods"], dict) or not isinstance(record["environment"], dict):
                raise DataError(f"{path} must be results of keepsight bench: methods and environment must be objects")
            return cls(predictions=predictions, captions=captions, **record)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} must be results of keepsight bench: {error}") from error


def finite_or_none(seconds: float) -> float | None:
    """JSON value of seconds: None for infinity."""
    return seconds if math.isfinite(seconds) else None
