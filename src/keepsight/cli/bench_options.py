"""Options of `keepsight bench run`: data set, experiments, scoring."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


NUM_TOYS = 12
"""Number of toy videos unless another is given: enough for tables of up to a hundred comparisons."""


@dataclass(frozen=True)
class ToyOptions:
    """Options of the toy world, as given: see `ToyWorldSettings`."""

    difficulty: str
    minutes: float
    ask_minutes: str
    questions: int
    split: str
    question_set: str


def read_data_set(
    name: str, folder: Path | None, toys: ToyOptions, first_video: int = 0, num_videos: int | None = None
) -> "DataSet":
    """Generate the toy world, or read a published data set.

    Args:
        name: `PAPER_TOY`, or a data set.
        folder: folder of a data set.
        toys: options of the toy world.
        first_video: index of the first video.
        num_videos: number of videos; `NUM_TOYS` or all of a folder if None.

    Raises:
        SettingError, DataError: an option is invalid, or the folder does not match the data set.
    """
    from keepsight.bench.datasets import DATASET_GROUP, load_dataset

    if name == PAPER_TOY:
        if folder is not None:
            raise SettingError(f"{PAPER_TOY} is generated: leave --folder out")
        return _make_toys(toys, first_video, NUM_TOYS if num_videos is None else num_videos)
    names = (PAPER_TOY, *DATASET_GROUP.names())
    if name not in names:
        raise SettingError(f"data set must be one of {', '.join(names)}, got {name!r}{did_you_mean(name, names)}")
    if folder is None:
        raise SettingError(f"{name} needs its folder: give it with --folder")
    return _part(load_dataset(name, folder), first_video, num_videos)


def _make_toys(toys: ToyOptions, first_video: int, num_videos: int) -> "DataSet":
    from keepsight.bench.datasets.toyworld import ToyWorldSettings, make_toyworld

    try:
        times = tuple(float(text) for text in toys.ask_minutes.split(",") if text.strip())
    except ValueError:
        raise SettingError(f"ask_minutes must be numbers separated by commas, got {toys.ask_minutes!r}") from None
    return make_toyworld(
        ToyWorldSettings(
            toys.difficulty,
            num_videos,
            toys.minutes,
            toys.split,
            questions_per_kind=toys.questions,
            present_questions=toys.questions,
            ask_minutes=times,
            first_video=first_video,
            questions=toys.question_set,
        )
    )


def _part(data_set: "DataSet", first_video: int, num_videos: int | None) -> "DataSet":
    """Some videos of a data set, in its order; its settings say which."""
    num_all = len(data_set.videos)
    if first_video == 0 and num_videos is None:
        return data_set
    end = num_all if num_videos is None else first_video + num_videos
    if not 0 <= first_video < end <= num_all:
        raise SettingError(
            f"videos must be among the {num_all} of {data_set.name}, got {end - first_video} from video {first_video}"
        )
    settings = f"{data_set.settings}, videos {first_video} to {end - 1} of {num_all}".removeprefix(", ")
    return replace(data_set, videos=data_set.videos[first_video:end], settings=settings)


def read_num_processes(asked: int | None, device: str | None) -> int:
    """All cores for a model on the CPU; one process on a GPU."""
    from keepsight.models.hardware.devices import choose_device

    if asked is not None:
        return asked
    return (os.cpu_count() or 1) if choose_device(device).type == "cpu" else 1


def read_experiments(
    data_set: "DataSet", settings: "RunSettings", names: Sequence[str] | None, methods: list[str] | None
) -> "tuple[Experiment, ...]":
    """Named experiments, all without names, or one made of the given methods; oracles only where the truth is known.

    Raises:
        SettingError: no such experiment, or both experiments and methods are given.
    """
    from keepsight.bench.datasets.toyworld import knows_truth
    from keepsight.bench.experiments import Experiment, make_experiments

    if methods:
        if names:
            raise SettingError("give either --experiment or --method, not both")
        rows = {text: text for text in methods}
        return (Experiment("methods", "Methods", rows, methods[0]),)
    return make_experiments(tuple(names or ()), settings.load().info, oracles=knows_truth(data_set))


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

    how = _judge_setting(setting, prompt)
    judge: Judge | LocalJudge
    if url is None:
        judge = LocalJudge(settings.load(), how)
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
