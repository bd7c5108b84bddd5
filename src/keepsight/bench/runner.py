"""Runs methods over a data set's videos: cached, resumable, in parallel."""

import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import torch

from keepsight.bench.cache import Answered, Cache
from keepsight.bench.causal import Methods, watch_and_ask
from keepsight.bench.datasets.toyworld import knows_truth
from keepsight.bench.environment import describe_environment, fingerprint
from keepsight.bench.methods import is_oracle
from keepsight.bench.methods.base import record_of
from keepsight.bench.records import DataSet, Video
from keepsight.bench.results import CaptionedClip, Prediction, Results
from keepsight.bench.scored import score_all
from keepsight.bench.scoring import Scorer
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import DataError, KeepsightError, PromptTooLongError, SettingError, VideoError
from keepsight.method.protocol import VideoModel
from keepsight.models.loading import load_model

Progress = Callable[[int, int], None]
"""Called with the number of finished videos and the total."""


@dataclass(frozen=True)
class RunSettings:
    """How to run methods; does not affect their answers.

    Attributes:
        model: bundled name, folder or hub id.
        device: torch device; None for a GPU if available.
        dtype: type of the weights; None for the device's default.
        processes: parallel processes, each with its own model and one thread. With 1 everything runs in this process,
            on all cores.
        cache_folder: cache of answers across runs.
        seed: seed of the statistics.

    Raises:
        SettingError: `processes` is below 1.
    """

    model: str = "tiny"
    device: str | None = None
    dtype: str | None = None
    processes: int = 1
    cache_folder: Path = Path("bench-cache")
    seed: int = 0

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise SettingError(f"processes must be at least 1, got {self.processes}")

    def load(self) -> VideoModel:
        """The model, loaded once per process.

        Raises:
            ModelError, SettingError: the model cannot be loaded as asked.
        """
        return _load(self.model, self.device, self.dtype)


@dataclass(frozen=True)
class Failure:
    """A video that failed, or had a question too long to ask; its methods have no answers."""

    video_id: str
    reason: str


def run(
    data_set: DataSet,
    methods: Methods,
    scorer: Scorer,
    settings: RunSettings,
    progress: Progress | None = None,
    *,
    scoring_threads: int = 1,
) -> tuple[Results, list[Failure]]:
    """Let every method watch every video and answer every question; cached answers are reused.

    Args:
        data_set: videos and questions.
        methods: by name.
        scorer: rule of scoring.
        settings: how.
        progress: called after each video, if given.
        scoring_threads: answers scored in parallel.

    Returns:
        The results, and the videos that failed.

    Raises:
        ModelError, SettingError: the model cannot be loaded as asked, or a method needs the toy world.
        JudgeError: the judge failed; the answers are cached.
        KeepsightError: answers cannot be stored, or a process died.
    """
    _check_oracles(data_set, methods)
    model = settings.load()
    cache = Cache(settings.cache_folder, fingerprint(model), version("keepsight"))
    cache.make_folder()
    failures = list(_watch_missing(data_set, methods, settings, cache, progress))
    predictions: list[Prediction] = []
    captions: list[CaptionedClip] = []
    for name, method in methods.items():
        for video in data_set.videos:
            answered = cache.find(data_set, video, record_of(method), name)
            if answered is not None:
                predictions += answered.predictions
                captions += answered.captions
    environment = describe_environment(model, processes=settings.processes, seed=settings.seed)
    scored = score_all(predictions, data_set, scorer, num_threads=scoring_threads)
    names = {name: record_of(method) for name, method in methods.items()}
    results = Results(data_set.name, data_set.settings, repr(scorer), names, environment, scored, tuple(captions))
    return results, failures


def _check_oracles(data_set: DataSet, methods: Methods) -> None:
    for name, method in methods.items():
        if is_oracle(method) and not knows_truth(data_set):
            raise SettingError(
                f"data set of {name} must be paper-toy, whose frames tell what they show, got {data_set.name}; "
                "leave that method out"
            )


def _watch_missing(
    data_set: DataSet, methods: Methods, settings: RunSettings, cache: Cache, progress: Progress | None
) -> Iterator[Failure]:
    """Watch videos without cached answers; yield failures."""
    missing = {video.video_id: _unanswered(data_set, video, methods, cache) for video in data_set.videos}
    todo = [video for video in data_set.videos if missing[video.video_id]]
    done = len(data_set.videos) - len(todo)
    report = progress or _silent
    report(done, len(data_set.videos))
    for failure in _watch(data_set, todo, missing, settings, cache):
        done += 1
        report(done, len(data_set.videos))
        if failure is not None:
            yield failure


def _silent(_done: int, _of: int) -> None:
    """Default progress callback."""


def _unanswered(data_set: DataSet, video: Video, methods: Methods, cache: Cache) -> Methods:
    return {
        name: method for name, method in methods.items() if cache.find(data_set, video, record_of(method), name) is None
    }


def _watch(
    data_set: DataSet, todo: list[Video], missing: Mapping[str, Methods], settings: RunSettings, cache: Cache
) -> Iterator[Failure | None]:
    """Watch videos, here or in other processes; yield one result each, in order of completion."""
    work = functools.partial(_watch_one, settings, cache, data_set.name, data_set.scoring)
    if settings.processes == 1 or len(todo) < 2:
        for video in todo:
            yield work(video, missing[video.video_id])
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(settings.processes, len(todo)), mp_context=context, initializer=_start_worker) as pool:
        futures: list[Future[Failure | None]] = [pool.submit(work, video, missing[video.video_id]) for video in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise KeepsightError(
                f"one of {settings.processes} processes died, most likely out of memory: "
                "run fewer processes; finished answers are kept"
            ) from error
        finally:
            for worker in multiprocessing.active_children():  # none is at work unless this ends early
                worker.terminate()
            pool.shutdown(cancel_futures=True)


def _watch_one(
    settings: RunSettings, cache: Cache, data_name: str, scoring: str, video: Video, methods: Methods
) -> Failure | None:
    """Watch a video with all methods, once per frame rate, and cache their answers."""
    model = SharedModel(settings.load())
    own = DataSet(data_name, (video,), scoring)
    in_order = sorted(methods.items(), key=lambda item: item[1].sample_fps)
    try:
        for _, group in groupby(in_order, key=lambda item: item[1].sample_fps):
            together = dict(group)
            predictions, captions = watch_and_ask(model, video, together)
            for name, method in together.items():
                answered = Answered(
                    [prediction for prediction in predictions if prediction.method == name],
                    [clip for clip in captions if clip.method == name],
                )
                cache.put(own, video, record_of(method), answered)
    except (VideoError, DataError, PromptTooLongError) as error:
        return Failure(video.video_id, str(error))
    return None


def _start_worker() -> None:
    """Use one thread per process. Ctrl-C is handled by the parent, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


@functools.cache
def _load(name: str, device: str | None, dtype: str | None) -> VideoModel:
    """The model, loaded once per process; what it computes depends only on these arguments."""
    return load_model(name, device=device, dtype=dtype)
