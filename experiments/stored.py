"""Stored tables of a run: what the pages show, with the command and the environment that made it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from experiments.plan import Run
from keepsight.bench.results import Results
from keepsight.errors import DataError
from keepsight.whole_file import write_whole

FOLDER = Path(__file__).with_name("results")


@dataclass(frozen=True)
class StoredRun:
    """Tables of a run.

    Attributes:
        command: as it was typed.
        environment: model, versions, hardware and date, see `bench.environment.describe_environment`.
        num_predictions: answers of all methods.
        tables: experiment -> its tables, each with the fields of `bench.output.Table`.
    """

    command: str
    environment: dict[str, Any]
    num_predictions: int
    tables: dict[str, list[dict[str, Any]]]

    @classmethod
    def of_folder(cls, run: Run, folder: Path) -> Self:
        """Collect what `keepsight bench run --out folder` wrote.

        Raises:
            DataError: a file is missing or is not one of a run.
        """
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
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; run python -m experiments first") from error
    except ValueError as error:
        raise DataError(f"{path} must be JSON: {error}") from error
