"""Small videos for tests of the bench: pictures that come from a rule, and models whose answers tell what they saw."""

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keepsight.bench.causal import watch_and_ask
from keepsight.bench.datasets.toy_frames import Mark, MarkedFrame
from keepsight.bench.methods import Method
from keepsight.bench.records import Question, TimeUnit, Video
from keepsight.bench.results import CaptionedClip, Prediction
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import TruncatedVideoError
from keepsight.method.protocol import AnswerRequest, VideoModel, VisualInput
from keepsight.video import Frame
from tests.fake_model import FakeModel


@dataclass(frozen=True)
class PictureSource:
    """Small pictures, another one at each instant, that carry what an oracle may know.

    Attributes:
        seconds: length.
        other_from: from this time on the pictures are others, drawn with `seed`.
        seed: of the other pictures.
        breaks_at: the file is damaged at this time.
    """

    seconds: float = 40.0
    other_from: float = math.inf
    seed: int = 1
    breaks_at: float = math.inf

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        for number in range(math.ceil(self.seconds * sample_fps)):
            seconds = number / sample_fps
            if seconds >= self.breaks_at:
                raise TruncatedVideoError("cut.mp4 is cut off")
            seed = 0 if seconds < self.other_from else self.seed
            yield MarkedFrame(picture(number, seed), seconds, marks=marks(number, seed))


def marks(number: int, seed: int = 0) -> tuple[Mark, ...]:
    """What a picture is said to show: another thing, elsewhere, at each instant."""
    draw = np.random.default_rng((seed, number, 7))
    return (Mark("dog", (draw.random(), draw.random()), 0.3, bool(draw.random() < 0.5)),)


def picture(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, number)).integers(0, 256, (8, 8, 3), dtype=np.uint8)


@dataclass
class TellingModel(FakeModel):
    """A stand-in whose answer differs with every word and every token that it was given.

    Attributes:
        num_encoded: pictures encoded so far.
        shown: visual tokens of each call of `answer`, in order.
        visuals: visual part of each, whole.
    """

    num_encoded: int = 0
    shown: list[Tensor | None] = field(default_factory=list)
    visuals: list[VisualInput | None] = field(default_factory=list)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        self.num_encoded += len(frames)
        return super().encode(frames)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        super().answer(request)
        visual = request.visual
        shown = None if visual is None else torch.cat([visual.memory, visual.tokens])
        self.shown.append(shown)
        self.visuals.append(visual)
        seen = b"" if shown is None else shown.numpy().tobytes()
        return iter([f"{request.context}|{request.question}|", f"{zlib.crc32(seen)} "])


def question(at: float, name: str = "") -> Question:
    return Question(name or f"q{at:09.3f}", f"What happened by {at:g}, {name}?", "a dog", at)


def video(
    source: object, times: Sequence[float], unit: TimeUnit = TimeUnit.SECONDS, video_id: str = "kitchen"
) -> Video:
    """A video with a question at each of the times."""
    questions = tuple(question(at, f"{video_id}-{place}") for place, at in enumerate(times))
    return Video(video_id, source, questions, unit)  # type: ignore[arg-type]


def watch(
    model: VideoModel, watched: Video, methods: Mapping[str, Method[Any]]
) -> tuple[list[Prediction], list[CaptionedClip]]:
    return watch_and_ask(SharedModel(model), watched, methods)


def answers(model: VideoModel, watched: Video, methods: Mapping[str, Method[Any]]) -> dict[tuple[str, str], str]:
    """(method, question's id) -> answer."""
    predictions, _ = watch(model, watched, methods)
    return {(prediction.method, prediction.question_id): prediction.answer for prediction in predictions}
