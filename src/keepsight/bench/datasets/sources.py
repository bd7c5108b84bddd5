"""Frame sources of published data sets: video files, and arrays with one frame per shot."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import DataError, SettingError
from keepsight.video import Frame, open_video


@dataclass(frozen=True)
class FileSource:
    """A video file, or a section of one.

    Attributes:
        path: the file.
        start_seconds: start of the section, from which times count. Frames are sampled at the same instants as in the
            whole file, so unless the start is a multiple of 1 / sample_fps, the first frame is up to one step after 0.
            Frames keep their true times, since a question must not see later ones.
        end_seconds: end of the section, exclusive; None for the end of the file.

    Raises:
        SettingError: not 0 <= start < end.
    """

    path: Path
    start_seconds: float = 0.0
    end_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.start_seconds < 0 or (self.end_seconds is not None and self.end_seconds <= self.start_seconds):
            raise SettingError(
                f"a section of {self.path.name} must have 0 <= start < end, got {self.start_seconds} to "
                f"{self.end_seconds} s"
            )

    def count_frames(self, sample_fps: float) -> int | None:
        """Number of frames at a rate, by the stated length; None if the file states none.

        Raises:
            VideoError: the file is missing or not a video.
        """
        with open_video(self.path) as video:
            ends = [end for end in (video.info.duration_seconds, self.end_seconds) if end is not None]
        return max(0, math.ceil((min(ends) - self.start_seconds) * sample_fps)) if ends else None

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """Frames of the section.

        Raises:
            SettingError: `sample_fps` is not a number above 0.
            VideoError: the file is missing, not a video, or damaged before the section's end.
        """
        with open_video(self.path) as video:
            for frame in video.sampled_frames(sample_fps, start_seconds=self.start_seconds):
                if self.end_seconds is not None and frame.pts_seconds >= self.end_seconds:
                    return
                # An instant that rounding puts just before the start belongs to the section.
                yield Frame(frame.image, max(0.0, frame.pts_seconds - self.start_seconds))


@dataclass(frozen=True)
class ShotSource(ABC):
    """A film with one picture per shot, of which all or an even part are taken. Times count shots.

    Attributes:
        path: file or folder of the pictures.
        fps: frames taken per shot, at most 1.

    Raises:
        SettingError: `fps` is not above 0 and at most 1.
    """

    path: Path
    fps: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1:
            raise SettingError(f"frames per shot must be above 0 and at most 1, got {self.fps}")

    def own_fps(self) -> float:
        """Frames per shot."""
        return self.fps

    def count_frames(self, _sample_fps: float) -> int:
        """Number of shots taken.

        Raises:
            DataError: the pictures cannot be found or read.
        """
        return len(self._times())

    @abstractmethod
    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """Each taken shot's picture at its time. `sample_fps` is ignored: see `fps`.

        Raises:
            DataError: the pictures cannot be found or read.
        """

    @abstractmethod
    def _times(self) -> Collection[int]:
        """Times of the shots taken, in order."""


@dataclass(frozen=True)
class ArraySource(ShotSource):
    """A NumPy file with one frame per shot: frame i is shot i, at time i.

    The file is memory-mapped, since a film's array has gigabytes.

    Attributes:
        path: an `.npy` file of uint8 RGB `[shots, height, width, 3]`. Pickled objects are refused.
        fps: frames taken per shot, at most 1. Below 1 they are `int(shots * fps)` shots, equally distant from the first
            to the last and rounded down: at 0.5 about every second, as the loader that ReKV published takes them.
    """

    @property
    def num_shots(self) -> int:
        """Number of shots, from the file's header.

        Raises:
            DataError: see `frames`.
        """
        return len(self._array())

    def frames(self, sample_fps: float) -> Iterator[Frame]:  # noqa: ARG002
        """The shots in order, each at its place in the array. `sample_fps` is ignored: see `fps`.

        Raises:
            DataError: the file is missing, truncated, or another kind of array.
        """
        shots = self._array()
        for time in self._times():
            yield Frame(np.array(shots[time]), float(time))

    def _times(self) -> list[int]:
        num_shots = self.num_shots
        num_taken = max(1, int(num_shots * self.fps))
        times: list[int] = np.linspace(0, num_shots - 1, num_taken).astype(int).tolist()
        return times

    def _array(self) -> NDArray[np.uint8]:
        try:
            shots: NDArray[np.uint8] = np.lib.format.open_memmap(self.path, mode="r")
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error
        except (ValueError, EOFError) as error:
            raise DataError(f"cannot map {self.path} as a .npy array: {error}") from error
        if shots.dtype != np.uint8 or shots.ndim != 4 or shots.shape[3] != 3 or 0 in shots.shape:
            raise DataError(
                f"{self.path} must hold uint8 frames [shots, height, width, 3], got {shots.dtype} {list(shots.shape)}"
            )
        return shots
