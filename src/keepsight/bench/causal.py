"""Runs one video through many methods, causally: frames in time order, each question at its time.

This is the only place where methods get frames. A method never holds the source, so it cannot look ahead: when asked,
it has received exactly the frames before that time.
"""

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from keepsight.bench.datasets import DATASET_GROUP
from keepsight.bench.methods import METHOD_GROUP
from keepsight.bench.methods.base import Asked, Captioned, Method, Observer, Reply
from keepsight.bench.records import Question, Video
from keepsight.bench.results import CaptionedClip, Prediction, finite_or_none
from keepsight.bench.scoring.choice import wording_of
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import SettingError
from keepsight.video import Frame

Methods = Mapping[str, Method[Any]]
"""Methods by name."""


def watch_and_ask(model: SharedModel, video: Video, methods: Methods) -> tuple[list[Prediction], list[CaptionedClip]]:
    """Let methods watch a video once and answer every question at its time.

    Args:
        model: model shared by all methods.
        video: frames and questions.
        methods: methods with equal frame rates.

    Returns:
        Predictions without scores in the order of methods and questions; captions in the order of methods and clips.

    Raises:
        VideoError: the video is unreadable or damaged.
        PlugInError: a method or the video's source is a plug-in that fails.
    """
    (wanted_fps,) = {method.sample_fps for method in methods.values()}
    fps = video.fps(wanted_fps)
    observers = _begin(model, methods, fps)
    predictions: list[Prediction] = []
    waiting = list(video.questions)
    end_seconds = 0.0
    for frame in _frames(video, fps):
        for question in _due(waiting, frame.pts_seconds):
            predictions += _ask_all(model, video, question, methods, observers)
        _show(observers, frame)
        end_seconds = frame.pts_seconds + 1 / fps
    for question in _due(waiting, end_seconds):
        predictions += _ask_all(model, video, question, methods, observers)
    for observer in observers.values():
        with METHOD_GROUP.calling(observer, "finish"):
            observer.finish()
    for question in waiting:
        predictions += _ask_all(model, video, question, methods, observers)
    order = {name: place for place, name in enumerate(methods)}
    predictions.sort(key=lambda prediction: order[prediction.method])
    return predictions, list(_captions(video, methods, observers))


def _frames(video: Video, sample_fps: float) -> Iterator[Frame]:
    """A video's frames; what a plug-in's source raises or gives instead is its fault."""
    with DATASET_GROUP.calling(video.source, "frames"):
        for frame in video.source.frames(sample_fps):
            if not isinstance(frame, Frame):
                raise SettingError(f"frames must be Frame, got {type(frame).__name__}")
            yield frame


def _begin(model: SharedModel, methods: Methods, sample_fps: float) -> dict[Hashable, Observer]:
    """One observer per group of methods that watch alike."""
    observers: dict[Hashable, Observer] = {}
    for method in methods.values():
        if method.watching not in observers:
            with METHOD_GROUP.calling(method, "begin"):
                observers[method.watching] = method.begin(model, sample_fps)
    return observers


def _due(waiting: list[Question], seconds: float) -> Iterator[Question]:
    """Pop questions whose time is at or before a frame's time; questions are in time order."""
    while waiting and waiting[0].ask_seconds <= seconds:
        yield waiting.pop(0)


def _show(observers: Mapping[Hashable, Observer], frame: Frame) -> None:
    for observer in observers.values():
        with METHOD_GROUP.calling(observer, "see"):
            observer.see(frame)


def _ask_all(
    model: SharedModel,
    video: Video,
    question: Question,
    methods: Methods,
    observers: Mapping[Hashable, Observer],
) -> Sequence[Prediction]:
    asked = Asked(question.question, wording_of(question), question.ask_seconds)
    predictions = []
    for name, method in methods.items():
        started, saved_before = time.perf_counter(), model.saved_seconds
        with METHOD_GROUP.calling(method, "answer"):
            reply = method.answer(model, observers[method.watching], asked)
            if not isinstance(reply, Reply):
                raise SettingError(f"the result must be a Reply, got {type(reply).__name__}")
        spent = time.perf_counter() - started + model.saved_seconds - saved_before
        predictions.append(_prediction(name, video, question, reply, spent))
    return predictions


def _prediction(name: str, video: Video, question: Question, reply: Reply, seconds: float) -> Prediction:
    return Prediction(
        method=name,
        video_id=video.video_id,
        question_id=question.question_id,
        task=question.task,
        question=question.question,
        right_answer=question.answer,
        answer=reply.text,
        age_seconds=question.age_seconds,
        answer_seconds=seconds,
        num_prompt_tokens=reply.num_prompt_tokens,
        ask_seconds=finite_or_none(question.ask_seconds),
    )


def _captions(video: Video, methods: Methods, observers: Mapping[Hashable, Observer]) -> Iterator[CaptionedClip]:
    """Captions of every method; methods that share an observer have equal ones."""
    for name, method in methods.items():
        with METHOD_GROUP.calling(observers[method.watching], "captions"):
            captions = list(observers[method.watching].captions())
        for clip in captions:
            yield _captioned_clip(name, video, clip)


def _captioned_clip(name: str, video: Video, clip: Captioned) -> CaptionedClip:
    return CaptionedClip(
        method=name,
        video_id=video.video_id,
        clip_index=clip.clip_index,
        start_seconds=clip.span.start_seconds,
        end_seconds=clip.span.end_seconds,
        caption=clip.caption,
        num_frames=clip.num_frames,
        num_visual_tokens=clip.num_visual_tokens,
        kept_indices=clip.kept_indices,
        seconds_spent=clip.seconds_spent,
    )
