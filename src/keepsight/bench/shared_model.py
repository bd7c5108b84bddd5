"""One encoding of each frame and one answer to each prompt, shared by all methods.

Otherwise ten methods that watch the same video would encode the same frames ten times, and ten that choose the same
captions would ask ten times.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from keepsight.method.protocol import AnswerRequest, VideoModel
from keepsight.models.delegating import DelegatingModel


class SharedModel(DelegatingModel[VideoModel]):
    """A model that caches the newest frames' tokens and answers to prompts without frames; it delegates the rest.

    Answers are greedy, so equal prompts have equal answers. Frames are identified by array object: changing an array in
    place gives stale tokens.

    Args:
        model: the wrapped model.
        capacity_frames: frames to cache; at least the longest clip of any method.

    Attributes:
        saved_seconds: original computation time of all cache hits. Latency measurements add it, so no method profits
            from another's work.
    """

    def __init__(self, model: VideoModel, capacity_frames: int = 128) -> None:
        super().__init__(model)
        self._capacity = capacity_frames
        self._known: OrderedDict[tuple[int, ...], tuple[Sequence[np.ndarray], Tensor, float]] = OrderedDict()
        self._answers: dict[tuple[str, str, int], tuple[str, float]] = {}
        self.saved_seconds = 0.0

    @property
    def model(self) -> VideoModel:
        """The wrapped model."""
        return self._model

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames; uncached steps are encoded together."""
        steps = [_filled(step, self.info.frames_per_step) for step in _steps(frames, self.info.frames_per_step)]
        different = {_key(step): step for step in steps}
        self.saved_seconds += sum(self._known[key][2] for key in different if key in self._known)
        missing = [step for key, step in different.items() if key not in self._known]
        if missing:
            started = time.perf_counter()
            parts = self._model.encode([frame for step in missing for frame in step]).chunk(len(missing))
            spent = (time.perf_counter() - started) / len(missing)
            for step, tokens in zip(missing, parts, strict=True):
                self._known[_key(step)] = (step, tokens, spent)  # the frames are held, so that their ids stay valid
        tokens = torch.cat([self._known[_key(step)][1] for step in steps])
        for step in steps:
            self._known.move_to_end(_key(step))
        while len(self._known) > max(self._capacity, len(steps)):
            self._known.popitem(last=False)
        return tokens

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question. An answer without frames is cached and returned in one piece."""
        if request.visual is not None:
            return self._model.answer(request)
        prompt = (request.context, request.question, request.max_new_tokens)
        if prompt in self._answers:
            text, seconds = self._answers[prompt]
            self.saved_seconds += seconds
        else:
            started = time.perf_counter()
            text = "".join(self._model.answer(request))
            self._answers[prompt] = (text, time.perf_counter() - started)
        return iter((text,))


def _steps(frames: Sequence[np.ndarray], size: int) -> Iterator[Sequence[np.ndarray]]:
    """Frames in groups of a size, the last one possibly shorter."""
    return (frames[start : start + size] for start in range(0, len(frames), size))


def _filled(step: Sequence[np.ndarray], size: int) -> Sequence[np.ndarray]:
    """A full step: an incomplete one is padded with its last frame, like in the model."""
    return [*step, *[step[-1]] * (size - len(step))]


def _key(step: Sequence[np.ndarray]) -> tuple[int, ...]:
    return tuple(id(frame) for frame in step)
