"""What the words after `keepsight bench run` mean: a data set, experiments, a rule of scoring."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import SettingError

if TYPE_CHECKING:
    from keepsight.bench.experiments import Experiment
    from keepsight.bench.records import DataSet
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.scoring import Scorer

PAPER_TOY = "paper-toy"
"""The toy world as a data set: it is made, not read."""


def read_data_set(
    name: str, folder: Path | None, difficulty: str, videos: int, minutes: float, ask_minutes: str, questions: int
) -> "DataSet":
    """The toy world, made, or a published data set, read.

    Raises:
        SettingError, DataError: an option is not allowed, or the folder does not hold the data set.
    """
    from keepsight.bench.datasets import DATASETS, load_dataset
    from keepsight.bench.datasets.toyworld import ToyWorldSettings, make_toyworld

    if name != PAPER_TOY:
        if name not in DATASETS:
            raise SettingError(f"a data set is {PAPER_TOY} or one of {', '.join(DATASETS)}, not {name!r}")
        if folder is None:
            raise SettingError(f"{name} is read from a folder: give it with --folder; {PAPER_TOY} needs none")
        return load_dataset(name, folder)
    if folder is not None:
        raise SettingError(f"{PAPER_TOY} is made, not read: leave --folder out")
    try:
        times = tuple(float(text) for text in ask_minutes.split(",") if text.strip())
    except ValueError:
        raise SettingError(f"ask_minutes are numbers with commas between them, not {ask_minutes!r}") from None
    return make_toyworld(
        ToyWorldSettings(
            difficulty, videos, minutes, questions_per_kind=questions, present_questions=questions, ask_minutes=times
        )
    )


def read_num_processes(asked: int | None, device: str | None) -> int:
    """All cores for a model on the CPU; one process where a GPU does the work."""
    from keepsight.models.devices import choose_device

    if asked is not None:
        return asked
    return (os.cpu_count() or 1) if choose_device(device).type == "cpu" else 1


def read_experiments(
    settings: "RunSettings", names: list[str] | None, methods: list[str] | None
) -> "tuple[Experiment, ...]":
    """The experiments that are named, all where none is, or one of methods alone.

    Raises:
        SettingError: there is no experiment of a name, or experiments and methods are both given.
    """
    from keepsight.bench.experiments import Experiment, make_experiments
    from keepsight.models.loading import load_model

    if methods:
        if names:
            raise SettingError("give either --experiment or --method, not both")
        rows = {text: text for text in methods}
        return (Experiment("methods", "Methods", rows, methods[0]),)
    info = load_model(settings.model, device=settings.device, dtype=settings.dtype).info
    return make_experiments(tuple(names or ()), info)


def read_scorer(
    data_set: "DataSet",
    settings: "RunSettings",
    url: str | None,
    model: str,
    key_variable: str,
    prompt: Path | None,
) -> "Scorer":
    """The data set's rule of scoring, with its judge where it has one.

    Raises:
        SettingError: a judge is needed and none is given, or it cannot be as it is given.
    """
    from keepsight.bench.scoring import make_scorer

    if data_set.scoring != "judge":
        return make_scorer(data_set.scoring)
    if url is None and model != "local":
        raise SettingError(f"answers of {data_set.name} are judged: give --judge-url and --judge-model, or `local`")
    from keepsight.bench.scoring.endpoint import Endpoint
    from keepsight.bench.scoring.judge import TEMPLATE, Judge, LocalJudge
    from keepsight.models.loading import load_model

    template = TEMPLATE if prompt is None else _read_prompt(prompt)
    if url is None:
        return make_scorer(
            "judge", LocalJudge(load_model(settings.model, device=settings.device, dtype=settings.dtype), template)
        )
    return make_scorer("judge", Judge(Endpoint(url, api_key_variable=key_variable), model, template))


def _read_prompt(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"cannot read the judge's prompt {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"the judge's prompt {path} is no UTF-8 text") from error
