"""Where the frames of published data sets come from: video files, and arrays with one frame a shot."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import DataError, SettingError
from keepsight.video import Frame, open_video


@dataclass(frozen=True)
class FileSource:
    """A video file, or a part of one.

    Attributes:
        path: the file.
        start_seconds: where the part begins; its frames' times count from here. Frames are taken at the same instants
            as from the whole file, so where the start is no multiple of 1 / sample_fps, the part's first frame lies up
            to one step after 0. Each frame keeps its true time, as a question may not see later ones.
        end_seconds: frames of the file at or after this time are not handed out; None takes the file to its end.

    Raises:
        SettingError: the part does not run forward from 0 or later.
    """

    path: Path
    start_seconds: float = 0.0
    end_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.start_seconds < 0 or (self.end_seconds is not None and self.end_seconds <= self.start_seconds):
            raise SettingError(
                f"a part of {self.path.name} runs forward from 0 or later, not from {self.start_seconds} to "
                f"{self.end_seconds} s"
            )

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """See `FrameSource.frames`.

        Raises:
            SettingError: `sample_fps` is not a number above 0.
            VideoError: the file is missing, no video, or damaged before the part's end.
        """
        with open_video(self.path) as video:
            for frame in video.sampled_frames(sample_fps, start_seconds=self.start_seconds):
                if self.end_seconds is not None and frame.pts_seconds >= self.end_seconds:
                    return
                # An instant that rounding puts a hair before the start still belongs to the part.
                yield Frame(frame.image, max(0.0, frame.pts_seconds - self.start_seconds))


@dataclass(frozen=True)
class ArraySource:
    """A NumPy file with one frame of each shot: frame i is shot i, at time i.

    The file is mapped, not read: a film's array has gigabytes, of which one frame at a time is in memory.

    Attributes:
        path: an `.npy` file of uint8 RGB `[shots, height, width, 3]`. Pickled objects are not read.
    """

    path: Path

    @property
    def num_shots(self) -> int:
        """How many shots there are, from the file's head alone.

        Raises:
            DataError: see `frames`.
        """
        return len(self._array())

    def frames(self, sample_fps: float) -> Iterator[Frame]:  # noqa: ARG002
        """Every shot in order. `sample_fps` is not read: there is one frame in each unit of time, and no more.

        Raises:
            DataError: the file is missing, cut off, or holds another kind of array.
        """
        shots = self._array()
        for index in range(len(shots)):
            yield Frame(np.array(shots[index]), float(index))

    def _array(self) -> NDArray[np.uint8]:
        try:
            shots: NDArray[np.uint8] = np.lib.format.open_memmap(self.path, mode="r")
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error
        except (ValueError, EOFError) as error:
            raise DataError(f"{self.path} is no .npy array that can be mapped: {error}") from error
        if shots.dtype != np.uint8 or shots.ndim != 4 or shots.shape[3] != 3 or 0 in shots.shape:
            raise DataError(
                f"{self.path} holds uint8 frames [shots, height, width, 3], not {shots.dtype} {list(shots.shape)}"
            )
        return shots
