"""Options of `keepsight bench run`: data set, experiments, scoring."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean

if TYPE_CHECKING:
    from keepsight.bench.experiments import Experiment
    from keepsight.bench.records import DataSet
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.scoring import Scorer
    from keepsight.bench.scoring.judge_settings import JudgeSetting

PAPER_TOY = "paper-toy"
"""Name of the toy world as a data set, which is generated."""


def read_data_set(
    name: str,
    folder: Path | None,
    difficulty: str,
    videos: int,
    minutes: float,
    ask_minutes: str,
    questions: int,
    question_set: str,
) -> "DataSet":
    """Generate the toy world, or read a published data set.

    Raises:
        SettingError, DataError: an option is invalid, or the folder does not match the data set.
    """
    from keepsight.bench.datasets import DATASET_GROUP, load_dataset
    from keepsight.bench.datasets.toyworld import ToyWorldSettings, make_toyworld

    if name != PAPER_TOY:
        names = (PAPER_TOY, *DATASET_GROUP.names())
        if name not in names:
            raise SettingError(f"data set must be one of {', '.join(names)}, got {name!r}{did_you_mean(name, names)}")
        if folder is None:
            raise SettingError(f"{name} needs its folder: give it with --folder")
        return load_dataset(name, folder)
    if folder is not None:
        raise SettingError(f"{PAPER_TOY} is generated: leave --folder out")
    try:
        times = tuple(float(text) for text in ask_minutes.split(",") if text.strip())
    except ValueError:
        raise SettingError(f"ask_minutes must be numbers separated by commas, got {ask_minutes!r}") from None
    return make_toyworld(
        ToyWorldSettings(
            difficulty,
            videos,
            minutes,
            questions_per_kind=questions,
            present_questions=questions,
            ask_minutes=times,
            questions=question_set,
        )
    )


def read_num_processes(asked: int | None, device: str | None) -> int:
    """All cores for a model on the CPU; one process on a GPU."""
    from keepsight.models.hardware.devices import choose_device

    if asked is not None:
        return asked
    return (os.cpu_count() or 1) if choose_device(device).type == "cpu" else 1


def read_experiments(
    settings: "RunSettings", names: list[str] | None, methods: list[str] | None
) -> "tuple[Experiment, ...]":
    """Named experiments, all without names, or one made of the given methods.

    Raises:
        SettingError: no such experiment, or both experiments and methods are given.
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
    setting: str,
) -> "Scorer":
    """The data set's scoring rule, with its judge if it needs one; verdicts are kept beside the answers.

    Raises:
        SettingError: a required judge is missing or invalid.
    """
    from keepsight.bench.scoring import make_scorer

    if data_set.scoring != "judge":
        return make_scorer(data_set.scoring)
    if url is None and model != "local":
        raise SettingError(f"answers of {data_set.name} are judged: give --judge-url and --judge-model, or `local`")
    from keepsight.bench.scoring.endpoint import Endpoint
    from keepsight.bench.scoring.judge import Judge, LocalJudge
    from keepsight.bench.scoring.verdict_cache import VerdictCache
    from keepsight.models.loading import load_model

    how = _judge_setting(setting, prompt)
    judge: Judge | LocalJudge
    if url is None:
        judge = LocalJudge(load_model(settings.model, device=settings.device, dtype=settings.dtype), how)
    else:
        judge = Judge(Endpoint(url, api_key_variable=key_variable), model or how.model, how)
    return make_scorer("judge", VerdictCache(judge, settings.cache_folder / "verdicts"))


def _judge_setting(name: str, prompt: Path | None) -> "JudgeSetting":
    from keepsight.bench.scoring.judge_settings import JUDGE_SETTINGS

    if name not in JUDGE_SETTINGS:
        known = ", ".join(JUDGE_SETTINGS)
        raise SettingError(f"judge setting must be one of {known}, got {name!r}{did_you_mean(name, JUDGE_SETTINGS)}")
    setting = JUDGE_SETTINGS[name]
    return setting if prompt is None else setting.with_prompt(_read_prompt(prompt))


def _read_prompt(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingError(f"cannot read the judge's prompt {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"the judge's prompt {path} is no UTF-8 text") from error
