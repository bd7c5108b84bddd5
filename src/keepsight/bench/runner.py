"""Runs methods over the videos of a data set: cached, resumable, several videos at a time."""

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
from keepsight.bench.environment import describe_environment, fingerprint
from keepsight.bench.records import DataSet, Video
from keepsight.bench.results import CaptionedClip, Prediction, Results
from keepsight.bench.scored import score_all
from keepsight.bench.scoring import Scorer
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import DataError, KeepsightError, PromptTooLongError, SettingError, VideoError
from keepsight.models.loading import load_model
from keepsight.models.protocol import VideoModel

Progress = Callable[[int, int], None]
"""Told how many videos are done, and of how many."""


@dataclass(frozen=True)
class RunSettings:
    """How methods are run; nothing here changes what they answer.

    Attributes:
        model: bundled name, folder or hub id.
        device: torch device; None takes a GPU if there is any.
        dtype: type of the weights; None takes the device's default.
        processes: videos watched at a time, each by a process with the model loaded and one thread. With 1 everything
            runs in this process, on all cores.
        cache_folder: where answers are kept from run to run.
        seed: of the statistics.

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
            raise SettingError(f"processes is 1 or more, not {self.processes}")


@dataclass(frozen=True)
class Failure:
    """A video that could not be watched to its end, or with a question too long to ask; its methods have no answers."""

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
    """Let every method watch every video and answer every question; what was answered before is read.

    Args:
        data_set: videos and questions.
        methods: by name.
        scorer: rule of scoring.
        settings: how.
        progress: told about videos that are done, if given.
        scoring_threads: answers scored at a time.

    Returns:
        The results, and the videos that failed.

    Raises:
        ModelError, SettingError: the model cannot be loaded as asked.
        JudgeError: the judge gave out; the answers are in the cache.
        KeepsightError: answers cannot be kept, or a process ended without a word.
    """
    model = _load(settings.model, settings.device, settings.dtype)
    cache = Cache(settings.cache_folder, fingerprint(model), version("keepsight"))
    cache.make_folder()
    failures = list(_watch_missing(data_set, methods, settings, cache, progress))
    predictions: list[Prediction] = []
    captions: list[CaptionedClip] = []
    for name, method in methods.items():
        for video in data_set.videos:
            answered = cache.find(data_set, video, repr(method), name)
            if answered is not None:
                predictions += answered.predictions
                captions += answered.captions
    environment = describe_environment(model, processes=settings.processes, seed=settings.seed)
    scored = score_all(predictions, data_set, scorer, num_threads=scoring_threads)
    names = {name: repr(method) for name, method in methods.items()}
    results = Results(data_set.name, data_set.settings, repr(scorer), names, environment, scored, tuple(captions))
    return results, failures


def _watch_missing(
    data_set: DataSet, methods: Methods, settings: RunSettings, cache: Cache, progress: Progress | None
) -> Iterator[Failure]:
    """Watch what no answer is kept of; yields the videos that failed."""
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
    """Nobody wants to know."""


def _unanswered(data_set: DataSet, video: Video, methods: Methods, cache: Cache) -> Methods:
    return {name: method for name, method in methods.items() if cache.find(data_set, video, repr(method), name) is None}


def _watch(
    data_set: DataSet, todo: list[Video], missing: Mapping[str, Methods], settings: RunSettings, cache: Cache
) -> Iterator[Failure | None]:
    """Watch videos, here or in other processes; one result each, in the order in which they are done."""
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
                f"one of {settings.processes} processes ended without a word, most likely for want of memory: "
                "run fewer; what was answered is kept"
            ) from error
        finally:
            for worker in multiprocessing.active_children():  # none is at work unless this ends early
                worker.terminate()
            pool.shutdown(cancel_futures=True)


def _watch_one(
    settings: RunSettings, cache: Cache, data_name: str, scoring: str, video: Video, methods: Methods
) -> Failure | None:
    """Watch a video with all methods, once for each frame rate, and keep their answers."""
    model = SharedModel(_load(settings.model, settings.device, settings.dtype))
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
                cache.put(own, video, repr(method), answered)
    except (VideoError, DataError, PromptTooLongError) as error:
        return Failure(video.video_id, str(error))
    return None


def _start_worker() -> None:
    """Several processes share the cores, so each takes one. Ctrl-C is the parent's business, which then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


@functools.cache
def _load(name: str, device: str | None, dtype: str | None) -> VideoModel:
    """The model, loaded once in each process: what it computes depends on nothing but these."""
    return load_model(name, device=device, dtype=dtype)
