"""Stored tables of a run: what the pages show, with the command and the environment that made it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from experiments.plan import TABLE, Run
from keepsight.bench.results import Results
from keepsight.errors import DataError
from keepsight.whole_file import write_whole

FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True)
class StoredRun:
    """Tables of a run.

    Attributes:
        command: as it was typed.
        environment: model, versions, hardware and date, see `bench.environment.describe_environment`; empty for a run
            that writes a page.
        num_predictions: answers of all methods.
        tables: experiment -> its tables, each with the fields of `bench.output.Table`.
        text: page that a run wrote in place of tables.
    """

    command: str
    environment: dict[str, Any] = field(default_factory=dict)
    num_predictions: int = 0
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def of_folder(cls, run: Run, folder: Path) -> Self:
        """Collect what a command with `--out folder` wrote.

        Raises:
            DataError: a file is missing or is not one of a run.
        """
        if run.program == TABLE:
            return cls(run.command, text=_text(folder / "table.md"))
        results = Results.load(folder / "results.json")
        tables = {path.stem: _read(path) for path in sorted(folder.glob("*.json")) if path.name != "results.json"}
        return cls(run.command, results.environment, len(results.predictions), tables)

    @classmethod
    def load(cls, name: str, folder: Path = FOLDER) -> Self:
        """Read the stored tables of a run.

        Raises:
            DataError: there are none, or the file is damaged.
        """
        record = _read(folder / f"{name}.json")
        try:
            return cls(**record)
        except TypeError as error:
            raise DataError(f"{folder / name}.json must be stored tables of a run: {error}") from error

    def save(self, name: str, folder: Path = FOLDER) -> None:
        """Store atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, allow_nan=False, sort_keys=True)
        write_whole(folder / f"{name}.json", f"{text}\n".encode())


def _read(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except ValueError as error:
        raise DataError(f"{path} must be JSON: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; run python -m experiments first") from error
