"""How the paper ran each data set (arXiv 2510.17364, section 4), for `keepsight bench run --paper`.

What the paper leaves open is decided here; `docs/method.md` lists it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from keepsight.bench.datasets.even_frames import EvenFrames
from keepsight.bench.datasets.sources import ArraySource, FileSource, ShotSource
from keepsight.bench.records import DataSet, FrameSource, Question, Video
from keepsight.settings import PAPER, Settings


@dataclass(frozen=True)
class PaperRun:
    """How the paper ran a data set.

    Attributes:
        sample_fps: frames per second, or per shot where times count shots.
        frames_per_video: frames spread evenly over each video instead; None for the rate.
        asks_after_whole_frames: a question asked at t sees the first `int(t * sample_fps)` frames, as in ReKV's loader,
            instead of all frames before t, of which there may be one more. A frame at t itself is not shown, though
            that loader has one: the last of an odd number of shots.
        experiments: experiments with the paper's tables.
    """

    sample_fps: float = PAPER.sample_fps
    frames_per_video: int | None = None
    asks_after_whole_frames: bool = False
    experiments: tuple[str, ...] = ("paper-ablations",)

    def settings(self) -> Settings:
        """The paper's settings for this data set."""
        return replace(PAPER, sample_fps=self.sample_fps)


FRAMES_PER_SHORT_VIDEO = 32
"""Frames of a NExT-QA video: those that LLaVA-OneVision takes. The paper gives no number; at its 0.5 fps most of these
videos have one full clip or none."""

PAPER_RUNS: Mapping[str, PaperRun] = MappingProxyType(
    {
        "rvs-ego": PaperRun(asks_after_whole_frames=True),
        "rvs-movie": PaperRun(asks_after_whole_frames=True),
        "moviechat-1k": PaperRun(sample_fps=1.0),
        "nextqa-mc": PaperRun(frames_per_video=FRAMES_PER_SHORT_VIDEO, experiments=("paper-selection",)),
    }
)
"""The data sets that were not simply sampled at 0.5 fps."""

OF_TOYS = PaperRun(experiments=("paper-ablations", "paper-selection"))
"""The toy world, which the paper does not have."""


def paper_run(name: str) -> PaperRun:
    """How the paper ran a data set, or would have run one that it does not have."""
    return OF_TOYS if name.startswith("toyworld-") else PAPER_RUNS.get(name, PaperRun())


def as_in_paper(data_set: DataSet) -> DataSet:
    """The data set with frames and times of asking as in the paper."""
    run = paper_run(data_set.name)
    videos = tuple(_as_in_paper(video, run) for video in data_set.videos)
    return replace(data_set, videos=videos, settings=f"{data_set.settings}, {run!r}".removeprefix(", "))


def _as_in_paper(video: Video, run: PaperRun) -> Video:
    source, questions = video.source, video.questions
    if run.asks_after_whole_frames:
        end = source.num_shots if isinstance(source, ArraySource) else math.inf
        questions = tuple(_asked(question, run.sample_fps, end) for question in questions)
    return replace(video, source=_sampled(source, run), questions=questions)


def _sampled(source: FrameSource, run: PaperRun) -> FrameSource:
    if isinstance(source, FileSource) and run.frames_per_video is not None:
        return EvenFrames(source.path, run.frames_per_video)
    if isinstance(source, ShotSource):
        return replace(source, fps=run.sample_fps)
    return source


def _asked(question: Question, fps: float, end: float) -> Question:
    """The question, before the first frame that it must not see; at or after the end it sees all."""
    if question.ask_seconds >= end or math.isinf(question.ask_seconds):
        return question
    return replace(question, ask_seconds=math.floor(question.ask_seconds * fps) / fps)
