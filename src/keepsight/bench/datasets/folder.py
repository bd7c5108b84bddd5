"""A data set's folder: finding its files, reading JSON and CSV, and errors that say what the folder must hold."""

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from keepsight.bench.datasets.annotation import Annotation, annotation
from keepsight.errors import DataError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".flv")
"""Endings that are tried, in this order, where a file with the published ending is not there."""


@dataclass(frozen=True)
class DataFolder:
    """The folder that a user points a loader at.

    Attributes:
        path: the folder.
        holds: one clause on what it must hold; the end of every error about a missing file.

    Raises:
        DataError: there is no such folder.
    """

    path: Path
    holds: str

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise DataError(f"there is no folder {self.path}; {self.holds}")

    def file(self, *names: str) -> Path:
        """The first of these files that is there.

        Raises:
            DataError: none is.
        """
        return self._first(names, [self.path / name for name in names if (self.path / name).is_file()])

    def subfolder(self, *names: str) -> Path:
        """The first of these folders that is there.

        Raises:
            DataError: none is.
        """
        return self._first(names, [self.path / name for name in names if (self.path / name).is_dir()])

    def videos(self, *names: str, suffixes: tuple[str, ...] = VIDEO_SUFFIXES) -> "VideoFolder":
        """The first of these folders that is there, as a place to look for videos.

        Raises:
            DataError: none is.
        """
        return VideoFolder(self.subfolder(*names), suffixes, self.holds)

    def _first(self, names: tuple[str, ...], found: list[Path]) -> Path:
        if not found:
            raise DataError(f"{self.path} holds no {' or '.join(names)}; {self.holds}")
        return found[0]


@dataclass(frozen=True)
class VideoFolder:
    """Where a data set's videos lie.

    Annotations often carry the paths of their authors' disks. A video is therefore looked for under as many of the
    last parts of its published path as there are folders for it here, from the whole path down to the bare name.

    Attributes:
        path: the folder.
        suffixes: endings that a video may have.
        holds: see `DataFolder`.
    """

    path: Path
    suffixes: tuple[str, ...]
    holds: str

    def find(self, written: str) -> Path | None:
        """The file of a video whose path or stem is written so in the annotations; None if there is none."""
        *parents, name = _parts(written) or ("",)
        stem, suffix = _split_suffix(name)
        suffixes = sorted(self.suffixes, key=lambda known: known != suffix)
        for start in range(len(parents) + 1):
            for known in suffixes:
                path = self.path.joinpath(*parents[start:], stem + known)
                if _is_file(path):
                    return path
        return None

    def find_all(self, written: Iterable[str]) -> dict[str, Path]:
        """The file of every video, by what the annotations write.

        Raises:
            DataError: some are missing, or two different videos lead to one file.
        """
        found = {name: self.find(name) for name in written}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(found)} videos are not in {self.path}, the first is {missing[0]!r}; "
                f"{self.holds}"
            )
        files = {name: path for name, path in found.items() if path is not None}
        name_of: dict[Path, str] = {}
        for name, path in files.items():
            other = name_of.setdefault(path, name)
            if _parts(other) != _parts(name):
                raise DataError(f"{other!r} and {name!r} are two videos, but both lead to {path}; {self.holds}")
        return files


def read_json(path: Path) -> object:
    """What a JSON file holds.

    Raises:
        DataError: the file cannot be read or is not JSON.
    """
    try:
        value: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    return value


def read_objects(path: Path, called: str) -> list[Annotation]:
    """The objects of a JSON list; `called` is what errors call one of them.

    Raises:
        DataError: the file cannot be read, or is no list of objects with at least one.
    """
    values = read_json(path)
    if not isinstance(values, list) or not values:
        raise DataError(f"{path} is a JSON list with at least one {called}, not {str(values)[:40]!r}")
    return [annotation(value, f"{called} {index} of {path.name}") for index, value in enumerate(values)]


def read_csv(path: Path, columns: Iterable[str], called: str) -> list[Annotation]:
    """The rows of a CSV file with a header.

    Raises:
        DataError: the file cannot be read, lacks a column or a field, or has no row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            rows = list(reader)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path} is not CSV: {error}") from error
    absent = [column for column in columns if column not in header]
    if absent:
        raise DataError(f"{path} lacks the column {absent[0]!r}; it has {', '.join(header) or 'none'}")
    if not rows:
        raise DataError(f"{path} has no rows below its header")
    return [annotation(row, f"{called} {index} of {path.name}") for index, row in enumerate(rows)]


def fingerprint(path: Path) -> str:
    """A file's name and the start of its SHA-256, so that a results file says which annotations were read."""
    return f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for the file system
        return False


def _parts(written: str) -> tuple[str, ...]:
    """Parts of a published path, without root and without steps upwards, so that it stays inside the folder."""
    return tuple(part for part in PurePosixPath(written.replace("\\", "/")).parts if part not in ("/", "//", ".", ".."))


def _split_suffix(name: str) -> tuple[str, str]:
    """Stem and known ending; an ending that is not known belongs to the stem, as in `take.2`."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending.lower()}"
    return (stem, suffix) if dot and suffix in (*VIDEO_SUFFIXES, ".npy") else (name, "")
