"""The method itself, one clip after another and without I/O: encode, describe with memory, select, remember.

Paper, section 3, arXiv 2510.17364. Encoding, describing and keeping are separate steps, so that the describing of many
streams can be done together. Storing what comes of it is the business of `stream_state`.
"""

import time
from dataclasses import dataclass

from torch import Tensor

from keepsight.memory import MemoryView, VisualMemory, make_policy
from keepsight.models.positions import offsets_within
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
        memory_offsets: int64 `[num_memory_tokens]`, how far before the clip's first token each one is put; None for
            contiguous positions.
        started: `time.perf_counter()` when work on it began.
    """

    clip: Clip
    tokens: Tensor
    memory: Tensor
    memory_offsets: Tensor | None
    started: float


class Recurrence:
    """What is carried from clip to clip: the visual memory, and how many tokens the stream has had.

    Args:
        settings: how clips are described and what is kept.
        memory: what was kept of earlier clips; empty if None.
        num_tokens_seen: visual tokens of all earlier clips, before selection, which is the position of the next clip's
            first token in the stream; None for the position after the memory's last token.
    """

    def __init__(
        self, settings: Settings, memory: VisualMemory | None = None, num_tokens_seen: int | None = None
    ) -> None:
        self.settings = settings
        self.memory = memory_of(settings) if memory is None else memory
        self.num_tokens_seen = _next_position(self.memory) if num_tokens_seen is None else num_tokens_seen

    def prepare(self, model: VideoModel, clip: Clip) -> ClipWork:
        """Encode a clip and take the memory that fits before it."""
        started = time.perf_counter()
        tokens = model.encode([frame.image for frame in clip.frames])
        limit = model.max_memory_tokens(
            len(tokens), self.settings.describe_prompt, max_new_tokens=self.settings.max_caption_tokens
        )
        view = self.memory.tokens_within(limit, like=tokens)
        return ClipWork(clip, tokens, view.tokens, self._offsets(view, limit), started)

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
            memory_offsets=work.memory_offsets,
        )

    def keep(self, work: ClipWork, description: Description) -> Selected:
        """Select what is worth keeping of a clip and add it to the memory."""
        settings = self.settings
        # A seed per clip, not a generator that runs on: a resumed stream draws what an uninterrupted one does.
        selector = make_selector(settings.selector, retention=settings.retention, seed=settings.seed + work.clip.index)
        selected = selector.select(work.tokens, description.scores)
        self.memory.append(
            work.clip.index,
            selected.tokens,
            self.num_tokens_seen + selected.indices,
            description.scores[selected.indices.to(description.scores.device)],
        )
        self.num_tokens_seen += len(work.tokens)
        return selected

    def _offsets(self, view: MemoryView, limit_tokens: int) -> Tensor | None:
        """How far before the next clip the tokens stood, as far as the window reaches; None for contiguous ones."""
        if self.settings.memory_positions == "contiguous":
            return None
        return offsets_within(self.num_tokens_seen - view.positions, limit_tokens)


def memory_of(settings: Settings) -> VisualMemory:
    """An empty memory as the settings want it."""
    policy = make_policy(settings.memory_policy, seed=settings.seed)
    return VisualMemory(settings.memory_clips, settings.memory_tokens, policy)


def _next_position(memory: VisualMemory) -> int:
    clips = memory.clips()
    return int(clips[-1].positions[-1]) + 1 if clips else 0
