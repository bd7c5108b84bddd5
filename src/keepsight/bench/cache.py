"""Cache of answers, keyed by everything that decides them.

One small file per method and video. A stopped run resumes, and a run with an added method computes only that method.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keepsight.bench.records import DataSet, Video
from keepsight.bench.results import CaptionedClip, Prediction
from keepsight.bench.scoring.choice import wording_of
from keepsight.errors import KeepsightError
from keepsight.whole_file import write_whole

_FORMAT = 2
"""Increment it when a method computes something else under the same settings, which invalidates older answers."""


@dataclass(frozen=True)
class Cache:
    """Folder of cached answers.

    Attributes:
        folder: created if missing.
        model_fingerprint: see `environment.fingerprint`.
        version: Keepsight's version.
    """

    folder: Path
    model_fingerprint: str
    version: str

    def make_folder(self) -> None:
        """Create the folder if missing, before hours of work on answers that could not be stored.

        Raises:
            KeepsightError: writing failed.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def find(self, data_set: DataSet, video: Video, method: str, name: str) -> "Answered | None":
        """Cached answers of a method, under its current name; None if it has to be run.

        A damaged file counts as missing.

        Args:
            data_set: data set of the video.
            video: the video.
            method: `repr` of the method.
            name: name of the method in this run.
        """
        path = self._path(data_set, video, method)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            return Answered(
                [Prediction(**{**entry, "method": name}) for entry in record["predictions"]],
                [CaptionedClip(**{**entry, "method": name}) for entry in record["captions"]],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, data_set: DataSet, video: Video, method: str, answered: "Answered") -> None:
        """Store a method's answers.

        Raises:
            KeepsightError: writing failed; earlier answers are unchanged.
        """
        record = {
            "predictions": [asdict(prediction) for prediction in answered.predictions],
            "captions": [asdict(clip) for clip in answered.captions],
        }
        self.make_folder()
        try:
            write_whole(self._path(data_set, video, method), json.dumps(record).encode())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> KeepsightError:
        return KeepsightError(f"cannot store answers in {self.folder}: {error.strerror or error}")

    def _path(self, data_set: DataSet, video: Video, method: str) -> Path:
        parts = [_FORMAT, self.version, self.model_fingerprint, data_set.name, data_set.scoring, repr(video), method]
        # The wording of these prompts is made here and may change between versions.
        parts += [wording_of(asked) for asked in video.questions if asked.choices or asked.instruction]
        key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
        return self.folder / f"{key[:32]}.json"


@dataclass(frozen=True)
class Answered:
    """Predictions and captions of one method for one video."""

    predictions: list[Prediction]
    captions: list[CaptionedClip]
