"""Interface of a method: it gets frames in time order and can be asked in between.

A method has two halves: its observer gets the frames and decides what to keep; its answers use what an observer holds.
Methods with equal `watching` share one observer, so ten ways of answering cost one pass of watching.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from keepsight.method.protocol import AnswerRequest, VideoModel, VisualInput
from keepsight.plugins import package_of
from keepsight.spans import Span
from keepsight.video import Frame


@dataclass(frozen=True)
class Asked:
    """A question as a method sees it, without the correct answer.

    Attributes:
        question: the question alone, for searching captions.
        wording: text for the model: the question, with choices if any.
        ask_seconds: time of the question; all frames so far are earlier.
    """

    question: str
    wording: str
    ask_seconds: float


@dataclass(frozen=True)
class Reply:
    """Answer of a method.

    Attributes:
        text: the answer, stripped.
        num_prompt_tokens: prompt length, visual tokens included.
    """

    text: str
    num_prompt_tokens: int


@dataclass(frozen=True)
class Captioned:
    """A caption written while watching: see `results.CaptionedClip`."""

    clip_index: int
    span: Span
    caption: str
    num_frames: int
    num_visual_tokens: int
    kept_indices: tuple[int, ...]
    seconds_spent: float


class Observer(Protocol):
    """What a method keeps of one video. Gets each frame once, in time order."""

    def see(self, frame: Frame) -> None:
        """Process the next frame."""

    def finish(self) -> None:
        """End of the video: no more frames come."""

    def captions(self) -> Sequence[Captioned]:
        """Captions so far; empty for observers that write none."""


class NoCaptions:
    """Mixin of observers without captions and final work."""

    def finish(self) -> None: ...

    def captions(self) -> list[Captioned]:
        return []


ObserverT = TypeVar("ObserverT", bound=Observer)


class Method(Protocol[ObserverT]):
    """A way to watch and answer: a frozen dataclass whose `repr` is the record of the experiment."""

    @property
    def sample_fps(self) -> float:
        """Frames to sample per second of video."""

    @property
    def watching(self) -> Hashable:
        """Everything that decides what its observer keeps; equal for methods that can share one."""

    def begin(self, model: VideoModel, sample_fps: float) -> ObserverT:
        """Create an observer for a new video.

        Args:
            model: may be used while watching.
            sample_fps: frames per unit of the video's time: as requested, but 1 if the video's time counts shots.
        """

    def answer(self, model: VideoModel, seen: ObserverT, asked: Asked) -> Reply:
        """Answer from what an observer of the same `watching` holds, without changing it."""


def record_of(method: Method[Any]) -> str:
    """`repr` of a method; for a plug-in with package and version, since an update may change its answers."""
    package = package_of(type(method))
    return repr(method) if package.startswith("keepsight ") else f"{method!r} ({package})".removesuffix(" ()")


def ask_model(
    model: VideoModel, context: str, asked: Asked, visual: VisualInput | None = None, *, max_new_tokens: int
) -> Reply:
    """Prompt the model and return the whole reply.

    Args:
        model: answering model.
        context: block of captions, may be empty.
        asked: the question.
        visual: visual part of the prompt, if any.
        max_new_tokens: token limit of the reply.

    Raises:
        PromptTooLongError: the prompt exceeds the model's context window.
    """
    pieces = model.answer(AnswerRequest(context, asked.wording, visual, max_new_tokens=max_new_tokens))
    num_frames, num_memory = (0, 0) if visual is None else (len(visual.tokens), len(visual.memory))
    num_tokens = model.count_prompt_tokens(
        context, asked.wording, num_frames, num_memory_tokens=num_memory, like=visual
    )
    return Reply("".join(pieces).strip(), num_tokens)
