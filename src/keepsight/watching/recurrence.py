"""The method itself, one clip after another and without I/O: encode, describe with memory, select, remember.

Paper, section 3, arXiv 2510.17364. Encoding, describing and keeping are separate steps, so that the next clip can be
encoded meanwhile and many streams can be described together. Storing what comes of it is the business of
`stream_state`.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from keepsight.memory import MemoryView, VisualMemory, make_policy
from keepsight.models.prompting.positions import offsets_within
from keepsight.models.protocol import Description, ScoreRule, VideoModel, VisualInput
from keepsight.selection import Selected, make_selector
from keepsight.settings import Settings
from keepsight.video import Clip

RECENT_CAPTIONS = 8
"""Captions of earlier clips from which the next one is guessed ahead (`models.decoding.drafting`)."""


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """A clip as visual tokens, not yet behind any memory: what can be made ahead of its turn.

    Attributes:
        clip: frames and span.
        tokens: `[num_visual_tokens, visual_dim]`.
        token_grid: rows and columns of a step of tokens.
        seconds_spent: how long encoding took.
    """

    clip: Clip
    tokens: Tensor
    token_grid: tuple[int, int]
    seconds_spent: float


@dataclass(frozen=True, eq=False)
class ClipWork:
    """A clip that is encoded and waits to be described.

    Attributes:
        clip: frames and span.
        visual: the clip's tokens, and in front of them as much of the visual memory as fits the model's window.
        started: `time.perf_counter()` when its turn came, less the time that encoding took before.
    """

    clip: Clip
    visual: VisualInput
    started: float


def encode_clip(model: VideoModel, clip: Clip) -> EncodedClip:
    """The clip's visual tokens; no state of the stream is needed for them."""
    started = time.perf_counter()
    images = [frame.image for frame in clip.frames]
    tokens, grid = model.encode(images), model.token_grid(*images[0].shape[:2])
    return EncodedClip(clip, tokens, grid, time.perf_counter() - started)


class Recurrence:
    """What is carried from clip to clip: the visual memory, and how many tokens the stream has had.

    Args:
        settings: how clips are described and what is kept.
        memory: what was kept of earlier clips; empty if None.
        num_tokens_seen: visual tokens of all earlier clips, before selection, which is the position of the next clip's
            first token in the stream; None for the position after the memory's last token.
        recent_captions: of the clips before, newest last, from which the next one is guessed ahead.
    """

    def __init__(
        self,
        settings: Settings,
        memory: VisualMemory | None = None,
        num_tokens_seen: int | None = None,
        recent_captions: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.memory = memory_of(settings) if memory is None else memory
        self.num_tokens_seen = _next_position(self.memory) if num_tokens_seen is None else num_tokens_seen
        self._recent_captions = deque(recent_captions, maxlen=RECENT_CAPTIONS)

    @property
    def scoring(self) -> ScoreRule:
        """Which attention makes the scores."""
        return ScoreRule(self.settings.score_layers, self.settings.score_heads)

    def prepare(self, model: VideoModel, encoded: EncodedClip) -> ClipWork:
        """Put the memory that fits before a clip."""
        started = time.perf_counter() - encoded.seconds_spent
        clip, tokens = encoded.clip, encoded.tokens
        alone = VisualInput(
            memory=tokens[:0],
            tokens=tokens,
            token_grid=encoded.token_grid,
            frame_seconds=tuple(frame.pts_seconds - clip.frames[0].pts_seconds for frame in clip.frames),
        )
        limit = model.max_memory_tokens(
            len(tokens), self.settings.describe_prompt, max_new_tokens=self.settings.max_caption_tokens, like=alone
        )
        view = self.memory.tokens_within(limit, like=tokens)
        visual = replace(alone, memory=view.tokens, memory_offsets=self._offsets(view, limit))
        return ClipWork(clip, visual, started)

    def describe(self, model: VideoModel, work: ClipWork) -> Description:
        """Caption a clip after what is remembered, and score its tokens.

        Raises:
            PromptTooLongError: the clip alone is longer than the model's window.
        """
        settings = self.settings
        return model.describe(
            work.visual,
            settings.describe_prompt,
            max_new_tokens=settings.max_caption_tokens,
            scoring=self.scoring,
            recent_captions=tuple(self._recent_captions),
        )

    def keep(self, work: ClipWork, description: Description) -> Selected:
        """Select what is worth keeping of a clip and add it to the memory."""
        settings = self.settings
        # A seed per clip, not a generator that runs on: a resumed stream draws what an uninterrupted one does.
        selector = make_selector(settings.selector, retention=settings.retention, seed=settings.seed + work.clip.index)
        selected = selector.select(work.visual.tokens, description.scores)
        self.memory.append(
            work.clip.index,
            selected.tokens,
            self.num_tokens_seen + selected.indices,
            description.scores[selected.indices.to(description.scores.device)],
        )
        self.num_tokens_seen += len(work.visual.tokens)
        self._recent_captions.append(description.caption)
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
