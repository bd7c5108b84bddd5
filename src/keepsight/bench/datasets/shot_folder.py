"""Films as folders of images, one per shot, as VStream-QA publishes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from keepsight.bench.datasets.sources import ShotSource
from keepsight.errors import DataError
from keepsight.video import Frame

_SHOT = re.compile(r"shot_(\d+)(?:_img_(\d+))?(?:\.(?:jpe?g|png))?", re.IGNORECASE)


def shot_number(name: str) -> int | None:
    """Shot number in a name such as `shot_0387_img_0.jpg` or `shot_0387`; None for other names."""
    match = _SHOT.fullmatch(name)
    return None if match is None else int(match[1])


@dataclass(frozen=True)
class ShotFolderSource(ShotSource):
    """A folder of images named `shot_0387_img_0.jpg`.

    An excerpt keeps its film's shot numbers, so time 0 is the first shot in the folder. The first image of each shot is
    used; a shot without images leaves its time empty.

    Attributes:
        path: the folder.
        fps: frames taken per shot: at 0.5 every second shot, from the first.
    """

    def pictures(self) -> dict[int, Path]:
        """First image of each shot by shot number, in order; at least one.

        Raises:
            DataError: the folder is unreadable or has no such image.
        """
        try:
            files = [path for path in self.path.iterdir() if path.suffix]
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror}") from error
        matches = [(match, path) for path in files if (match := _SHOT.fullmatch(path.name))]
        if not matches:
            raise DataError(f"{self.path} has no image named like shot_0387_img_0.jpg")
        first: dict[int, Path] = {}
        for shot, _, path in sorted((int(match[1]), int(match[2] or 0), path) for match, path in matches):
            first.setdefault(shot, path)
        return first

    def frames(self, sample_fps: float) -> Iterator[Frame]:  # noqa: ARG002
        """Each taken shot's image at its time. `sample_fps` is ignored: see `fps`.

        Raises:
            DataError: the folder or an image is unreadable.
        """
        for time, path in self._times().items():
            yield _read_frame(path, float(time))

    def _times(self) -> dict[int, Path]:
        """Images by time, of the shots at multiples of the step."""
        pictures = self.pictures()
        first_shot, step = min(pictures), round(1 / self.fps)
        return {shot - first_shot: path for shot, path in pictures.items() if (shot - first_shot) % step == 0}


def _read_frame(path: Path, time: float) -> Frame:
    try:
        with Image.open(path) as picture:
            return Frame(np.asarray(picture.convert("RGB")), time)
    except OSError as error:
        raise DataError(f"cannot read the image {path}: {error}") from error
