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

from keepsight.models.protocol import PAPER_SCORING, Description, ModelInfo, ScoreRule, VideoModel
from keepsight.prompts import DESCRIBE_PROMPT


class SharedModel:
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
        self._model = model
        self._capacity = capacity_frames
        self._known: OrderedDict[int, tuple[np.ndarray, Tensor, float]] = OrderedDict()
        self._answers: dict[tuple[str, str, int], tuple[str, float]] = {}
        self.saved_seconds = 0.0

    @property
    def model(self) -> VideoModel:
        """The model that does the work."""
        return self._model

    @property
    def info(self) -> ModelInfo:
        """What the model is and needs."""
        return self._model.info

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames; those not known yet are encoded together."""
        different = {id(frame): frame for frame in frames}
        self.saved_seconds += sum(self._known[key][2] for key in different if key in self._known)
        missing = [frame for key, frame in different.items() if key not in self._known]
        if missing:
            started = time.perf_counter()
            parts = self._model.encode(missing).chunk(len(missing))
            spent = (time.perf_counter() - started) / len(missing)
            for frame, tokens in zip(missing, parts, strict=True):
                self._known[id(frame)] = (frame, tokens, spent)  # the frame is held, so that its id stays its own
        tokens = torch.cat([self._known[id(frame)][1] for frame in frames])
        for frame in frames:
            self._known.move_to_end(id(frame))
        while len(self._known) > max(self._capacity, len(frames)):
            self._known.popitem(last=False)
        return tokens

    def describe(
        self,
        memory: Tensor,
        tokens: Tensor,
        prompt: str = DESCRIBE_PROMPT,
        *,
        max_new_tokens: int = 128,
        scoring: ScoreRule = PAPER_SCORING,
        memory_offsets: Tensor | None = None,
    ) -> Description:
        """See `VideoModel.describe`."""
        return self._model.describe(
            memory, tokens, prompt, max_new_tokens=max_new_tokens, scoring=scoring, memory_offsets=memory_offsets
        )

    def answer(
        self, context: str, question: str, visual_tokens: Tensor | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """See `VideoModel.answer`; an answer without pictures comes in one piece."""
        if visual_tokens is not None:
            return self._model.answer(context, question, visual_tokens, max_new_tokens=max_new_tokens)
        prompt = (context, question, max_new_tokens)
        if prompt in self._answers:
            text, seconds = self._answers[prompt]
            self.saved_seconds += seconds
        else:
            started = time.perf_counter()
            text = "".join(self._model.answer(context, question, max_new_tokens=max_new_tokens))
            self._answers[prompt] = (text, time.perf_counter() - started)
        return iter((text,))

    def embed(self, text: str) -> Tensor:
        """See `VideoModel.embed`."""
        return self._model.embed(text)

    def count_tokens(self, text: str) -> int:
        """See `VideoModel.count_tokens`."""
        return self._model.count_tokens(text)

    def count_prompt_tokens(self, context: str, question: str, num_visual_tokens: int = 0) -> int:
        """See `VideoModel.count_prompt_tokens`."""
        return self._model.count_prompt_tokens(context, question, num_visual_tokens)

    def max_memory_tokens(
        self, num_visual_tokens: int, prompt: str = DESCRIBE_PROMPT, *, max_new_tokens: int = 128
    ) -> int:
        """See `VideoModel.max_memory_tokens`."""
        return self._model.max_memory_tokens(num_visual_tokens, prompt, max_new_tokens=max_new_tokens)
