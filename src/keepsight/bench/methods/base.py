"""What a method is to the bench: something that sees frames in time order and can be asked in between.

A method has two halves. Its observer sees the frames; it decides what is kept. Its answers are made from what an
observer holds. Methods that keep the same things (equal `watching`) share one observer, so that ten ways of answering
cost one time of watching.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from keepsight.models.protocol import VideoModel, VisualInput
from keepsight.spans import Span
from keepsight.video import Frame


@dataclass(frozen=True)
class Asked:
    """A question as a method hears it: nothing of the right answer.

    Attributes:
        question: the question alone; captions are searched by it.
        wording: what is put to the model: the question, with the choices where there are some.
        ask_seconds: when it is asked; everything seen so far is earlier.
    """

    question: str
    wording: str
    ask_seconds: float


@dataclass(frozen=True)
class Reply:
    """What a method answered.

    Attributes:
        text: the answer, stripped.
        num_prompt_tokens: length of the prompt, visual tokens included.
    """

    text: str
    num_prompt_tokens: int


@dataclass(frozen=True)
class Captioned:
    """A caption that was written on the way: see `results.CaptionedClip`."""

    clip_index: int
    span: Span
    caption: str
    num_frames: int
    num_visual_tokens: int
    kept_indices: tuple[int, ...]
    seconds_spent: float


class Observer(Protocol):
    """What a method keeps of one video. It is handed frames only, each once, in time order."""

    def see(self, frame: Frame) -> None:
        """Take the next frame."""

    def finish(self) -> None:
        """The video is over: no frame comes any more."""

    def captions(self) -> Sequence[Captioned]:
        """Captions written so far; empty for observers that write none."""


class NoCaptions:
    """The part of an observer that writes no captions and leaves nothing for the end."""

    def finish(self) -> None:
        """Nothing is left to do."""

    def captions(self) -> list[Captioned]:
        """None."""
        return []


ObserverT = TypeVar("ObserverT", bound=Observer)


class Method(Protocol[ObserverT]):
    """A way to watch and answer: a frozen dataclass whose `repr` is the record of the experiment."""

    @property
    def sample_fps(self) -> float:
        """Frames that it wants of each second of video."""

    @property
    def watching(self) -> Hashable:
        """All that decides what its observer keeps; equal for methods that can share one."""

    def begin(self, model: VideoModel, sample_fps: float) -> ObserverT:
        """An observer for a new video.

        Args:
            model: may be used while watching.
            sample_fps: frames that come for each unit of the video's time: what was asked for, but 1 where the video
                has one frame a shot and its time counts shots.
        """

    def answer(self, model: VideoModel, seen: ObserverT, asked: Asked) -> Reply:
        """Answer from what an observer of the same `watching` holds; the observer must not change."""


def ask_model(
    model: VideoModel, context: str, asked: Asked, visual: VisualInput | None = None, *, max_new_tokens: int
) -> Reply:
    """Put a prompt to the model and wait for the whole reply.

    Args:
        model: is asked.
        context: block of captions, may be empty.
        asked: the question.
        visual: what stands in the place of the video, if anything.
        max_new_tokens: longest reply.

    Raises:
        PromptTooLongError: the prompt does not fit the model's window.
    """
    pieces = model.answer(context, asked.wording, visual, max_new_tokens=max_new_tokens)
    num_frames, num_memory = (0, 0) if visual is None else (len(visual.tokens), len(visual.memory))
    num_tokens = model.count_prompt_tokens(
        context, asked.wording, num_frames, num_memory_tokens=num_memory, like=visual
    )
    return Reply("".join(pieces).strip(), num_tokens)
