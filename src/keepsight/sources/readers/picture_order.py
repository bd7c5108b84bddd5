"""Resolves pictures whose names fit two times, because clocks were set back and an hour repeats.

File modification times decide if they fit one of the two; else a running number beside the time. If neither does,
nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keepsight.errors import NotAVideoError
from keepsight.sources.readers.picture_times import NameReader


@dataclass(frozen=True)
class DatedPicture:
    """A picture and its time; `seconds` is Unix time, or since picture number 0."""

    seconds: Fraction
    path: Path


@dataclass(frozen=True)
class _Named:
    """A picture with the times that its name fits, at least one, in order."""

    times: Sequence[Fraction]
    path: Path


def in_order(
    folder: Path, pictures: Sequence[tuple[Sequence[Fraction], Path]], names: NameReader
) -> list[DatedPicture]:
    """Order pictures by time.

    Args:
        folder: their folder, for errors.
        pictures: possible times of each, one or two, and its path.
        names: reads running numbers.

    Raises:
        NotAVideoError: some times are ambiguous.
    """
    named = [_Named(times, path) for times, path in pictures]
    unsure = [one for one in named if len(one.times) > 1]
    chosen = _by_change(unsure)
    if chosen is None:
        chosen = _by_number(named, names)
    if chosen is None:
        raise NotAVideoError(
            f"{folder}: {len(unsure)} images such as {unsure[0].path.name!r} are named in an hour that a clock "
            "change repeats, and "
            "neither running numbers nor file times order them; name them in UTC or with an offset "
            "(+01:00), or set TZ to the zone of their names"
        )
    dated = [DatedPicture(chosen.get(one.path, one.times[0]), one.path) for one in named]
    return sorted(dated, key=lambda picture: picture.seconds)


def _by_change(unsure: Sequence[_Named]) -> dict[Path, Fraction] | None:
    """Times nearest to each file's modification; None if one is near none, as for copied files."""
    chosen: dict[Path, Fraction] = {}
    for one in unsure:
        try:
            changed = Fraction(one.path.stat().st_mtime)
        except OSError:
            return None
        nearest = min(one.times, key=lambda seconds: abs(seconds - changed))
        if 2 * abs(nearest - changed) >= one.times[1] - one.times[0]:
            return None
        chosen[one.path] = nearest
    return chosen


def _by_number(named: Sequence[_Named], names: NameReader) -> dict[Path, Fraction] | None:
    """Times that preserve the order of running numbers; None if there are none, or they are in another order."""
    numbers = [names.running_number(one.path.stem) for one in named]
    if None in numbers or len(set(numbers)) < len(numbers):
        return None
    chosen: dict[Path, Fraction] = {}
    latest: Fraction | None = None
    for _, one in sorted(zip(numbers, named, strict=True), key=lambda pair: pair[0] or 0):
        fitting = [seconds for seconds in one.times if latest is None or seconds >= latest]
        if not fitting:
            return None
        latest = chosen[one.path] = fitting[0]
    return chosen
