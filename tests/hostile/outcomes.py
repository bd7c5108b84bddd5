"""What a file should give when it is read, and what it gave."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keepsight.errors import (
    NotAVideoError,
    NoVideoStreamError,
    SourceNotFoundError,
    TruncatedVideoError,
    VideoError,
)

SAMPLE_FPS = 10.0
"""Rate at which every file is read."""

MOST_FRAMES = 2_000
"""Reading stops there: a file may claim to last for years."""

ERROR_KINDS: dict[str, type[VideoError]] = {
    kind.__name__: kind for kind in (NotAVideoError, NoVideoStreamError, SourceNotFoundError, TruncatedVideoError)
}


@dataclass(frozen=True)
class Outcome:
    """What came of reading one file.

    Attributes:
        num_frames: frames that came.
        size: width and height of the first and, if they differ, the last one, in pixels.
        error: name of the error's class, or "" where the file came to its end.
        message: of the error.
        signal: that ended the process that read, or 0.
        is_late: it was ended because it took too long.
        peak_bytes: most memory that the process had.
    """

    num_frames: int = 0
    size: tuple[int, ...] = ()
    error: str = ""
    message: str = ""
    signal: int = 0
    is_late: bool = False
    peak_bytes: int = 0


@dataclass(frozen=True)
class Expected:
    """What should come of it.

    Attributes:
        frames: fewest and most frames.
        size: as in `Outcome`; None where it does not matter.
        error: class of the error after them, None for an orderly end.
        word: of its message.
        may_fail: any error of a known kind will do, too, after any number of frames.
    """

    frames: tuple[int, int] = (0, 0)
    size: tuple[int, ...] | None = None
    error: type[VideoError] | None = None
    word: str = ""
    may_fail: bool = False

    def __str__(self) -> str:
        if self.may_fail:
            return "frames, or an error of a known kind"
        low, high = self.frames
        count = f"{low}" if low == high else f"{low} to {high}" if high < MOST_FRAMES else f"{low} or more"
        parts = [f"{count} frame{'s' * (count != '1')}"] if high else []
        if self.size and parts:
            parts[0] += " of " + ", then ".join(
                f"{width} x {height}" for width, height in zip(self.size[::2], self.size[1::2], strict=True)
            )
        if self.error is not None:
            parts.append(f"{self.error.__name__} ({self.word})")
        return ", then ".join(parts)

    def complaints(self, outcome: Outcome) -> list[str]:
        """In what the outcome differs; empty where it does not."""
        low, high = self.frames
        wanted_error = "" if self.error is None else self.error.__name__
        found = []
        if outcome.signal or outcome.is_late:
            found.append(f"ended by signal {outcome.signal}, late: {outcome.is_late}")
        if not low <= outcome.num_frames <= high:
            found.append(f"{outcome.num_frames} frames")
        if self.size is not None and outcome.size != self.size:
            found.append(f"of {outcome.size}")
        is_known = self.may_fail and outcome.error in ERROR_KINDS
        if (outcome.error != wanted_error and not is_known) or self.word not in outcome.message:
            found.append(f"{outcome.error or 'no error'}: {outcome.message}")
        if not outcome.message.isprintable():
            found.append(f"an error that is not one printable line: {outcome.message!r}")
        return found


@dataclass(frozen=True)
class Sample:
    """One file of the corpus.

    Attributes:
        name: of the file.
        what: how it is made, for the table.
        make: writes it.
        expected: what reading it gives.
    """

    name: str
    what: str
    make: Callable[[Path], object]
    expected: Expected


def frames(low: int, high: int | None = None, size: tuple[int, ...] | None = None) -> Expected:
    """So many frames and an orderly end."""
    return Expected((low, low if high is None else high), size)


def refused(word: str, kind: type[VideoError] = NotAVideoError) -> Expected:
    """No frame, and an error."""
    return Expected(error=kind, word=word)


def anything() -> Expected:
    """Frames, an error of a known kind, or both."""
    return Expected((0, MOST_FRAMES), may_fail=True)


def cut_off(low: int, high: int) -> Expected:
    """Some frames, and then the error that there should have been more."""
    return Expected((low, high), None, TruncatedVideoError, "truncated")
