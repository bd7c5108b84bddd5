"""Results files of a benchmark, given as one file or as a folder: published evaluations write one per task or part."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keepsight.bench.datasets.folder import read_json
from keepsight.bench.scoring.choice import LETTERS
from keepsight.errors import DataError


@dataclass(frozen=True)
class ResultFile:
    """A results file.

    Attributes:
        path: where it is.
        whole: its JSON value.
    """

    path: Path
    whole: Any

    @contextmanager
    def reading(self, benchmark: str) -> Iterator[None]:
        """Name the file in errors of the block.

        Raises:
            DataError: the block met another shape than that of the benchmark's results.
        """
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error
        except KeyError as error:
            raise DataError(f"{self.path} must be {benchmark} results: an entry has no field {error}") from error
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"{self.path} must be {benchmark} results: {type(error).__name__} {error}") from error


def read_files(path: Path) -> tuple[ResultFile, ...]:
    """The file at a path, or all `*.json` files directly in a folder, by name.

    Raises:
        DataError: the path is missing, a file is not JSON, or the folder has none.
    """
    if not path.is_dir():
        return (ResultFile(path, read_json(path)),)
    found = sorted(file for file in path.glob("*.json") if file.is_file() and not file.name.startswith("."))
    if not found:
        raise DataError(f"folder {path} must hold results files, got no *.json in it")
    return tuple(ResultFile(file, read_json(file)) for file in found)


@dataclass(frozen=True)
class Graded:
    """Score of one item of a results file.

    Attributes:
        item: its name, the same wherever the item stands again; empty if the file has none.
        group: group of its average; may be empty.
        task: its kind.
        scores: one per test, from 0 to 1. Only forward tasks of OVO-Bench have several tests.
        replies: as scored, one per test.
        num_listed: replies that are lists of one string.
        num_changed: of these, how many have another score, or none, if the list is compared as a whole.
    """

    item: str
    group: str
    task: str
    scores: tuple[float, ...]
    replies: tuple[str, ...]
    num_listed: int = 0
    num_changed: int = 0


def without_repeats(graded: Iterable[Graded]) -> tuple[list[Graded], str]:
    """Each item once, as it stands first, and a note on the others; empty without any."""
    first: dict[str, Graded] = {}
    kept: list[Graded] = []
    differs: dict[str, bool] = {}
    for one in graded:
        earlier = first.setdefault(one.item, one) if one.item else one
        if earlier is one:
            kept.append(one)
        else:
            differs[one.item] = differs.get(one.item, False) or one.replies != earlier.replies
    if not differs:
        return kept, ""
    return kept, (
        f"items that occur more than once: {len(differs)}, such as {next(iter(differs))}; each counts once, with its "
        f"first reply in order of file names; {sum(differs.values())} of them with another reply elsewhere"
    )


def list_note(graded: Iterable[Graded]) -> str:
    """A note on replies in lists; empty without any."""
    listed = [(one.num_listed, one.num_changed) for one in graded if one.num_listed]
    if not listed:
        return ""
    num_listed, num_changed = map(sum, zip(*listed, strict=True))
    return (
        f"replies that are lists of one string: {num_listed}, scored as that string; the published script compares "
        f"the list as a whole, which gives {num_changed} of them another score or none"
    )


def one_reply(response: object, item: str) -> str:
    """A reply: a string, or a list of one string. Null means that a model failed, which is a wrong answer.

    Raises:
        DataError: anything else.
    """
    alone = response[0] if isinstance(response, list) and len(response) == 1 else response
    if alone is not None and not isinstance(alone, str):
        raise DataError(f"response of {item} must be a string, null, or a list of one string, got {response!r:.80}")
    return alone or ""


def choices_of(listed: object) -> list[str]:
    """Choices of a question.

    Raises:
        DataError: not a list of strings.
    """
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise DataError(f"choices must be a list of strings, got {listed!r:.80}")
    return listed


def task_name(name: object) -> str:
    """Name of a task.

    Raises:
        DataError: not a string.
    """
    if not isinstance(name, str):
        raise DataError(f"a task name must be a string, got {name!r:.80}")
    return name


def letter(answer: object) -> str:
    """Letter of a correct choice.

    Raises:
        DataError: not one letter from A to Z.
    """
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS:
        raise DataError(f"a correct answer must be one letter from A to Z, got {answer!r:.80}")
    return answer


def whole(number: object, name: str = "a count, type or index") -> int:
    """A whole number.

    Raises:
        DataError: not an integer.
    """
    if type(number) is not int:
        raise DataError(f"{name} must be a whole number, got {number!r:.80}")
    return number
