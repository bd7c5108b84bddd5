"""Assembly of questions into videos and a data set, with consistency checks."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import DataError

T = TypeVar("T")
KeyT = TypeVar("KeyT", bound=Hashable)


def data_set(name: str, videos: Sequence[Video], scoring: str, settings: str) -> DataSet:
    """Data set with unique ids.

    Raises:
        DataError: two videos, or two questions of any videos, have the same id.
    """
    _require_different(f"videos of {name}", [video.video_id for video in videos])
    _require_different(f"questions of {name}", [asked.question_id for video in videos for asked in video.questions])
    return DataSet(name, tuple(videos), scoring, settings)


def grouped(items: Iterable[T], key: Callable[[T], KeyT]) -> dict[KeyT, list[T]]:
    """Items by key, in order of first appearance."""
    groups: dict[KeyT, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def whole_files(
    groups: Mapping[str, Sequence[T]], files: Mapping[str, Path], question_of: Callable[[T], Question]
) -> list[Video]:
    """A video for each group, by its name: the whole file, with a question for each item."""
    return [Video(name, FileSource(files[name]), tuple(map(question_of, items))) for name, items in groups.items()]


def _require_different(what: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise DataError(f"two {what} have the id {one!r}")
        seen.add(one)
