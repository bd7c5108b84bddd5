"""Answers that were made before, by the content of everything that decides them.

One small file for each method and video. A run that is stopped goes on where it was, and a run with one method more
computes that method only.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keepsight.bench.records import DataSet, Video
from keepsight.bench.results import CaptionedClip, Prediction
from keepsight.errors import KeepsightError
from keepsight.whole_file import write_whole

_FORMAT = 1
"""Raise it when what a method computes changes under the same settings: older answers are then made anew."""


@dataclass(frozen=True)
class Cache:
    """A folder of answers.

    Attributes:
        folder: made when it is missing.
        model_fingerprint: see `environment.fingerprint`.
        version: of Keepsight.
    """

    folder: Path
    model_fingerprint: str
    version: str

    def make_folder(self) -> None:
        """Make the folder where it is missing, before hours are spent on answers that cannot be kept.

        Raises:
            KeepsightError: the disk refused.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def find(self, data_set: DataSet, video: Video, method: str, name: str) -> "Answered | None":
        """What a method answered before, under the name that it has now; None where it has to be asked.

        A file that is damaged counts as none.

        Args:
            data_set: holds the video.
            video: was watched.
            method: `repr` of the method.
            name: of the method in this run.
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
        """Keep what a method answered.

        Raises:
            KeepsightError: the disk refused; what was kept before still is.
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
        return KeepsightError(f"cannot keep answers in {self.folder}: {error.strerror or error}")

    def _path(self, data_set: DataSet, video: Video, method: str) -> Path:
        parts = [_FORMAT, self.version, self.model_fingerprint, data_set.name, data_set.scoring, repr(video), method]
        key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
        return self.folder / f"{key[:32]}.json"


@dataclass(frozen=True)
class Answered:
    """Predictions and captions of one method about one video."""

    predictions: list[Prediction]
    captions: list[CaptionedClip]
