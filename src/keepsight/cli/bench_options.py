"""Options of `keepsight bench run`, and the run that they ask for: data set and experiments."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.cli.bench_judge import JudgeOptions, read_scorer
from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean

if TYPE_CHECKING:
    from keepsight.bench.causal import Methods
    from keepsight.bench.experiments import Experiment
    from keepsight.bench.records import DataSet
    from keepsight.bench.runner import RunSettings
    from keepsight.bench.scoring import Scorer

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


@dataclass(frozen=True)
class RunRequest:
    """Options of a run, as given.

    Attributes:
        data: `PAPER_TOY`, or a data set.
        folder: folder of a data set.
        toys: options of the toy world.
        first_video: index of the first video.
        num_videos: number of videos; `NUM_TOYS`, or all of a folder, if None.
        paper: whether to run as the paper did.
        experiments: names; all, or the paper's, if there are neither these nor methods.
        methods: methods to run instead of experiments.
        model: bundled name, folder or hub id.
        device: torch device; None for a GPU if available.
        dtype: type of the weights; None for the device's default.
        processes: videos processed in parallel; None for all cores.
        out: folder for results, with the cache of answers.
        judge: options of the judge.
    """

    data: str
    folder: Path | None
    toys: ToyOptions
    first_video: int
    num_videos: int | None
    paper: bool
    experiments: tuple[str, ...]
    methods: tuple[str, ...]
    model: str
    device: str | None
    dtype: str | None
    processes: int | None
    out: Path
    judge: JudgeOptions


@dataclass(frozen=True)
class RunPlan:
    """A run whose options are read and checked: what `bench.runner.run` takes, and the tables to make.

    Attributes:
        data_set: videos and questions.
        experiments: the tables.
        methods: every row of them, by its text.
        scorer: the data set's rule, with its judge.
        settings: how to run.
        scoring_threads: answers scored in parallel.
    """

    data_set: "DataSet"
    experiments: "tuple[Experiment, ...]"
    methods: "Methods"
    scorer: "Scorer"
    settings: "RunSettings"
    scoring_threads: int


def make_plan(request: RunRequest) -> RunPlan:
    """Read the options of a run.

    Raises:
        SettingError, DataError: an option is invalid, or the folder does not match the data set.
        ModelError: the model cannot be loaded as asked.
        PlugInError: a plug-in fails.
    """
    from keepsight.bench.methods import make_method
    from keepsight.bench.paper import as_in_paper, paper_run
    from keepsight.bench.runner import RunSettings

    data_set = _read_data_set(request)
    as_paper = paper_run(data_set.name) if request.paper else None
    data_set = as_in_paper(data_set) if request.paper else data_set
    processes = _read_num_processes(request.processes, request.device)
    settings = RunSettings(request.model, request.device, request.dtype, processes, request.out / "cache")
    names = request.experiments or (as_paper.experiments if as_paper and not request.methods else ())
    experiments = _read_experiments(data_set, settings, names, request.methods)
    scorer = read_scorer(data_set, settings, request.judge, "rekv" if request.paper else "keepsight")
    base = as_paper.settings() if as_paper else None
    methods = {text: make_method(text, base) for each in experiments for text in each.rows.values()}
    return RunPlan(data_set, experiments, methods, scorer, settings, 1 if request.judge.url is None else 8)


def _read_data_set(request: RunRequest) -> "DataSet":
    """Generate the toy world, or read a published data set.

    Raises:
        SettingError, DataError: an option is invalid, or the folder does not match the data set.
    """
    from keepsight.bench.datasets import DATASET_GROUP, load_dataset

    name, folder = request.data, request.folder
    if name == PAPER_TOY:
        if folder is not None:
            raise SettingError(f"{PAPER_TOY} is generated: leave --folder out")
        num_videos = NUM_TOYS if request.num_videos is None else request.num_videos
        return _make_toys(request.toys, request.first_video, num_videos)
    names = (PAPER_TOY, *DATASET_GROUP.names())
    if name not in names:
        raise SettingError(f"data set must be one of {', '.join(names)}, got {name!r}{did_you_mean(name, names)}")
    if folder is None:
        raise SettingError(f"{name} needs its folder: give it with --folder")
    return _part(load_dataset(name, folder), request.first_video, request.num_videos)


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


def _read_num_processes(asked: int | None, device: str | None) -> int:
    """All cores for a model on the CPU; one process on a GPU."""
    from keepsight.models.hardware.devices import choose_device

    if asked is not None:
        return asked
    return (os.cpu_count() or 1) if choose_device(device).type == "cpu" else 1


def _read_experiments(
    data_set: "DataSet", settings: "RunSettings", names: tuple[str, ...], methods: tuple[str, ...]
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
    return make_experiments(names, settings.load().info, oracles=knows_truth(data_set))
