"""A data set's folder: finding files, reading JSON and CSV, with errors that say what the folder must contain."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from keepsight.bench.datasets.annotation import Annotation, annotation
from keepsight.errors import DataError

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".flv")
"""File extensions to try, in order, if the published one is missing."""


@dataclass(frozen=True)
class DataFolder:
    """Folder given by the user.

    Attributes:
        path: the folder.
        holds: a clause on its required content, for errors.

    Raises:
        DataError: no such folder.
    """

    path: Path
    holds: str

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise DataError(f"no such folder: {self.path}; {self.holds}")

    def file(self, *names: str) -> Path:
        """First existing file of these names.

        Raises:
            DataError: none is.
        """
        return self._first(names, [self.path / name for name in names if (self.path / name).is_file()])

    def subfolder(self, *names: str) -> Path:
        """First existing folder of these names.

        Raises:
            DataError: none is.
        """
        return self._first(names, [self.path / name for name in names if (self.path / name).is_dir()])

    def videos(self, *names: str, suffixes: tuple[str, ...] = VIDEO_SUFFIXES) -> "VideoFolder":
        """First existing folder of these names, to look for videos in.

        Raises:
            DataError: none is.
        """
        return VideoFolder(self.subfolder(*names), suffixes, self.holds)

    def _first(self, names: tuple[str, ...], found: list[Path]) -> Path:
        if not found:
            raise DataError(f"{self.path} has no {' or '.join(names)}; {self.holds}")
        return found[0]


@dataclass(frozen=True)
class VideoFolder:
    """Folder of a data set's videos.

    Annotations often contain absolute paths of their authors. A video is therefore looked up by as many trailing parts
    of its published path as exist here, from the whole path down to the bare name.

    Attributes:
        path: the folder.
        suffixes: allowed file extensions.
        holds: see `DataFolder`.
    """

    path: Path
    suffixes: tuple[str, ...]
    holds: str

    def find(self, written: str) -> Path | None:
        """File of a video by its annotated path or stem; None if missing."""
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
        """Files of all videos by their annotated names.

        Raises:
            DataError: some are missing, or two videos map to one file.
        """
        found = {name: self.find(name) for name in written}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(found)} videos are missing from {self.path}, first {missing[0]!r}; "
                f"{self.holds}"
            )
        files = {name: path for name, path in found.items() if path is not None}
        name_of: dict[Path, str] = {}
        for name, path in files.items():
            other = name_of.setdefault(path, name)
            if _parts(other) != _parts(name):
                raise DataError(f"{other!r} and {name!r} must be different videos, got {path} for both; {self.holds}")
        return files


def read_json(path: Path) -> object:
    """Content of a JSON file.

    Raises:
        DataError: the file cannot be read or is not JSON.
    """
    text = _read_text(path)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} must be JSON: {error}") from error
    return value


def read_objects(path: Path, called: str) -> list[Annotation]:
    """Objects of a JSON list; `called` names one of them in errors.

    Raises:
        DataError: the file cannot be read, or is not a list with at least one object.
    """
    values = read_json(path)
    if not isinstance(values, list) or not values:
        raise DataError(f"{path} must be a JSON list with at least one {called}, got {str(values)[:40]!r}")
    return [annotation(value, f"{called} {index} of {path.name}") for index, value in enumerate(values)]


def read_lines(path: Path, called: str) -> list[Annotation]:
    """Objects of a file with one JSON object a line; `called` names one of them in errors. Empty lines do not count.

    Raises:
        DataError: the file cannot be read, or has a line that is no object, or none at all.
    """
    lines = [line for line in _read_text(path).split("\n") if line.strip()]
    if not lines:
        raise DataError(f"{path} must have at least one {called}, got none")
    return [_read_line(line, f"{called} {index} of {path.name}") for index, line in enumerate(lines)]


def _read_line(line: str, where: str) -> Annotation:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} must be JSON on one line: {error}") from error
    return annotation(value, where)


def read_csv(path: Path, columns: Iterable[str], called: str) -> list[Annotation]:
    """Rows of a CSV file with header.

    Raises:
        DataError: the file cannot be read, lacks a column or a field, or has no row.
    """
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""), strict=True)
    try:
        header = reader.fieldnames or ()
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{path} must be CSV: {error}") from error
    absent = [column for column in columns if column not in header]
    if absent:
        raise DataError(f"{path} has no column {absent[0]!r}; columns: {', '.join(header) or 'none'}")
    if not rows:
        raise DataError(f"{path} has no rows below its header")
    return [annotation(row, f"{called} {index} of {path.name}") for index, row in enumerate(rows)]


def _read_text(path: Path) -> str:
    """Content of a file as it stands, without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be UTF-8 text: {error}") from error


def fingerprint(path: Path) -> str:
    """File name and start of its SHA-256, to record in results which annotations were read."""
    return f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


def _parts(written: str) -> tuple[str, ...]:
    """Parts of a published path, without root and `..`, so that it stays inside the folder."""
    return tuple(part for part in PurePosixPath(written.replace("\\", "/")).parts if part not in ("/", "//", ".", ".."))


def _split_suffix(name: str) -> tuple[str, str]:
    """Stem and known extension; an unknown extension belongs to the stem, as in `take.2`."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending.lower()}"
    return (stem, suffix) if dot and suffix in (*VIDEO_SUFFIXES, ".npy") else (name, "")
