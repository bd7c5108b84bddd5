"""The method itself, one clip after another and without I/O: encode, describe with memory, select, remember.

Paper, section 3, arXiv 2510.17364. Encoding, describing and keeping are separate steps, so that the describing of many
streams can be done together. Storing what comes of it is the business of `stream_state`.
"""

import time
from dataclasses import dataclass

from torch import Tensor

from keepsight.memory import VisualMemory
from keepsight.models.protocol import Description, ScoreRule, VideoModel
from keepsight.selection import Selected, make_selector
from keepsight.settings import Settings
from keepsight.video import Clip


@dataclass(frozen=True, eq=False)
class ClipWork:
    """A clip that is encoded and waits to be described.

    Attributes:
        clip: frames and span.
        tokens: `[num_visual_tokens, dim]`.
        memory: `[num_memory_tokens, dim]`, oldest first, as much of the visual memory as fits the model's window.
        started: `time.perf_counter()` when work on it began.
    """

    clip: Clip
    tokens: Tensor
    memory: Tensor
    started: float


class Recurrence:
    """What is carried from clip to clip: the visual memory.

    Args:
        settings: how clips are described and what is kept.
        memory: what was kept of earlier clips; empty if None.
    """

    def __init__(self, settings: Settings, memory: VisualMemory | None = None) -> None:
        self.settings = settings
        self.memory = VisualMemory(settings.memory_clips, settings.memory_tokens) if memory is None else memory

    def prepare(self, model: VideoModel, clip: Clip) -> ClipWork:
        """Encode a clip and take the memory that fits before it."""
        started = time.perf_counter()
        tokens = model.encode([frame.image for frame in clip.frames])
        limit = model.max_memory_tokens(
            len(tokens), self.settings.describe_prompt, max_new_tokens=self.settings.max_caption_tokens
        )
        return ClipWork(clip, tokens, self.memory.tokens_within(limit, like=tokens), started)

    def describe(self, model: VideoModel, work: ClipWork) -> Description:
        """Caption a clip after what is remembered, and score its tokens.

        Raises:
            PromptTooLongError: the clip alone is longer than the model's window.
        """
        settings = self.settings
        return model.describe(
            work.memory,
            work.tokens,
            settings.describe_prompt,
            max_new_tokens=settings.max_caption_tokens,
            scoring=ScoreRule(settings.score_layers, settings.score_heads),
        )

    def keep(self, work: ClipWork, description: Description) -> Selected:
        """Select what is worth keeping of a clip and add it to the memory."""
        settings = self.settings
        # A seed per clip, not a generator that runs on: a resumed stream draws what an uninterrupted one does.
        selector = make_selector(settings.selector, retention=settings.retention, seed=settings.seed + work.clip.index)
        selected = selector.select(work.tokens, description.scores)
        self.memory.append(work.clip.index, selected.tokens)
        return selected
