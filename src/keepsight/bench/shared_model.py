"""One encoding of each frame and one answer to each prompt, for all methods.

Ten methods that watch the same video would otherwise run the vision tower ten times over the same pictures, and ten
that choose the same captions would ask ten times the same.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from keepsight.models.passing_on import PassingOn
from keepsight.models.protocol import PAPER_SCORING, Description, ScoreRule, VideoModel, VisualInput
from keepsight.prompts import DESCRIBE_PROMPT


class SharedModel(PassingOn[VideoModel]):
    """A model that remembers the newest frames and the answers to prompts without pictures; all else is passed on.

    Answers are greedy, so that the same prompt has the same one. A picture is known by being the same array: a caller
    that changes an array in place gets old tokens.

    Args:
        model: does the work.
        capacity_frames: frames remembered; the longest clip of any method, or more.

    Attributes:
        saved_seconds: time that remembered answers and visual tokens took when they were made, summed up over each time
            that one was given again. Who measures answers adds it, so that no method is quicker for what others did.
    """

    def __init__(self, model: VideoModel, capacity_frames: int = 128) -> None:
        super().__init__(model)
        self._capacity = capacity_frames
        self._known: OrderedDict[tuple[int, ...], tuple[Sequence[np.ndarray], Tensor, float]] = OrderedDict()
        self._answers: dict[tuple[str, str, int], tuple[str, float]] = {}
        self.saved_seconds = 0.0

    @property
    def model(self) -> VideoModel:
        """The model that does the work."""
        return self._model

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames; steps of them that are not known yet are encoded together."""
        steps = [_filled(step, self.info.frames_per_step) for step in _steps(frames, self.info.frames_per_step)]
        different = {_key(step): step for step in steps}
        self.saved_seconds += sum(self._known[key][2] for key in different if key in self._known)
        missing = [step for key, step in different.items() if key not in self._known]
        if missing:
            started = time.perf_counter()
            parts = self._model.encode([frame for step in missing for frame in step]).chunk(len(missing))
            spent = (time.perf_counter() - started) / len(missing)
            for step, tokens in zip(missing, parts, strict=True):
                self._known[_key(step)] = (step, tokens, spent)  # the frames are held, so that their ids stay theirs
        tokens = torch.cat([self._known[_key(step)][1] for step in steps])
        for step in steps:
            self._known.move_to_end(_key(step))
        while len(self._known) > max(self._capacity, len(steps)):
            self._known.popitem(last=False)
        return tokens

    def describe(
        self,
        clip: VisualInput,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        recent_captions: Sequence[str] = (),
    ) -> Description:
        """See `VideoModel.describe`."""
        return self._model.describe(
            clip, prompt, max_new_tokens=max_new_tokens, scoring=scoring, recent_captions=recent_captions
        )

    def answer(
        self, context: str, question: str, visual: VisualInput | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """See `VideoModel.answer`; an answer without pictures comes in one piece."""
        if visual is not None:
            return self._model.answer(context, question, visual, max_new_tokens=max_new_tokens)
        prompt = (context, question, max_new_tokens)
        if prompt in self._answers:
            text, seconds = self._answers[prompt]
            self.saved_seconds += seconds
        else:
            started = time.perf_counter()
            text = "".join(self._model.answer(context, question, max_new_tokens=max_new_tokens))
            self._answers[prompt] = (text, time.perf_counter() - started)
        return iter((text,))


def _steps(frames: Sequence[np.ndarray], size: int) -> Iterator[Sequence[np.ndarray]]:
    """Frames in groups of a size, the last one shorter if they do not divide."""
    return (frames[start : start + size] for start in range(0, len(frames), size))


def _filled(step: Sequence[np.ndarray], size: int) -> Sequence[np.ndarray]:
    """A whole step: an unfinished one is filled up with its last frame, as the model does."""
    return [*step, *[step[-1]] * (size - len(step))]


def _key(step: Sequence[np.ndarray]) -> tuple[int, ...]:
    return tuple(id(frame) for frame in step)
