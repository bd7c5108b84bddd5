"""The method, one clip at a time and without I/O: encode, describe with memory, select, remember.

Paper, section 3, arXiv 2510.17364. Encoding, describing and keeping are separate steps, so that the next clip can be
encoded meanwhile and several streams described together. `engine.stream_pipeline` stores the results.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from keepsight.method.memory import MemoryView, VisualMemory, make_policy
from keepsight.method.protocol import DescribeRequest, Description, ScoreRule, VideoModel, VisualInput
from keepsight.method.selection import Selected, Selector, make_selector
from keepsight.method.selection.base import check_selected
from keepsight.settings import PARTS, Settings
from keepsight.video import Clip

RECENT_CAPTIONS = 8
"""Earlier captions used to draft the next one (`models.decoding.replies`)."""


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """A clip as visual tokens, before memory is added; can be computed ahead.

    Attributes:
        clip: frames and span.
        tokens: `[num_visual_tokens, visual_dim]`.
        token_grid: rows and columns per step.
        seconds_spent: duration of encoding.
    """

    clip: Clip
    tokens: Tensor
    token_grid: tuple[int, int]
    seconds_spent: float


@dataclass(frozen=True, eq=False)
class ClipWork:
    """An encoded clip ready to be described.

    Attributes:
        clip: frames and span.
        visual: the clip's tokens, preceded by as much visual memory as fits the model's context window.
        started: `time.perf_counter()` at its turn, minus the time spent encoding earlier.
    """

    clip: Clip
    visual: VisualInput
    started: float


def encode_clip(model: VideoModel, clip: Clip) -> EncodedClip:
    """Encode a clip; needs no state of the stream."""
    started = time.perf_counter()
    images = [frame.image for frame in clip.frames]
    tokens, grid = model.encode(images), model.token_grid(*images[0].shape[:2])
    return EncodedClip(clip, tokens, grid, time.perf_counter() - started)


class Recurrence:
    """State carried from clip to clip: visual memory, and number of visual tokens seen.

    Args:
        settings: settings of description and selection.
        memory: kept tokens of earlier clips; empty if None.
        num_tokens_seen: visual tokens of all earlier clips, before selection, which is the position of the next clip's
            first token in the stream; None for the position after the memory's last token.
        recent_captions: captions of previous clips, newest last, to draft the next one from.
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
    def request(self) -> DescribeRequest:
        """Request for the next caption, with recent captions to draft it from."""
        settings = self.settings
        return DescribeRequest(
            settings.describe_prompt,
            settings.max_caption_tokens,
            ScoreRule(settings.score_layers, settings.score_heads),
            tuple(self._recent_captions),
        )

    def prepare(self, model: VideoModel, encoded: EncodedClip) -> ClipWork:
        """Put as much memory before a clip as fits."""
        started = time.perf_counter() - encoded.seconds_spent
        clip, tokens = encoded.clip, encoded.tokens
        alone = VisualInput(
            memory=tokens[:0],
            tokens=tokens,
            token_grid=encoded.token_grid,
            frame_seconds=tuple(frame.pts_seconds - clip.frames[0].pts_seconds for frame in clip.frames),
        )
        limit = model.max_memory_tokens(len(tokens), self.request, like=alone)
        view = self.memory.tokens_within(limit, like=tokens)
        visual = replace(alone, memory=view.tokens, memory_offsets=self._offsets(view, limit))
        return ClipWork(clip, visual, started)

    def describe(self, model: VideoModel, work: ClipWork) -> Description:
        """Caption a clip with memory, and score its tokens.

        Raises:
            PromptTooLongError: the clip alone exceeds the model's context window.
        """
        return model.describe(work.visual, self.request)

    def keep(self, work: ClipWork, description: Description) -> Selected:
        """Select tokens of a clip and add them to the memory.

        Raises:
            PlugInError: the selector or memory policy is a plug-in that fails.
        """
        tokens = work.visual.tokens
        selector = selector_of(self.settings, work.clip.index, work.visual.token_grid)
        with PARTS["selector"].calling(selector, "select"):
            selected = check_selected(selector.select(tokens, description.scores), tokens)
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
        """Distances of memory tokens to the next clip, limited to the window; None for contiguous positions."""
        if self.settings.memory_positions == "contiguous":
            return None
        return offsets_within(self.num_tokens_seen - view.positions, limit_tokens)


def selector_of(settings: Settings, clip_index: int, token_grid: tuple[int, int] | None = None) -> Selector:
    """Selector of a clip under the settings.

    A named selector is seeded per clip, not from a running generator, so a resumed stream draws like an uninterrupted
    one.

    Args:
        settings: selector, retention and seed.
        clip_index: index of the clip in its stream.
        token_grid: rows and columns per step of the clip, for selectors that compare places.

    Raises:
        SettingError: it is a plug-in that cannot be loaded.
    """
    seed = settings.seed + clip_index
    return make_selector(settings.selector, retention=settings.retention, seed=seed, token_grid=token_grid)


def check_parts(settings: Settings) -> None:
    """Check that the settings' selector and memory policy can be made, before any work.

    Raises:
        SettingError: a plug-in is missing or broken.
    """
    selector_of(settings, 0)
    memory_of(settings)


def memory_of(settings: Settings) -> VisualMemory:
    """Empty memory under the settings."""
    policy = make_policy(settings.memory_policy, seed=settings.seed)
    return VisualMemory(settings.memory_clips, settings.memory_tokens, policy)


def _next_position(memory: VisualMemory) -> int:
    clips = memory.clips()
    return int(clips[-1].positions[-1]) + 1 if clips else 0


def offsets_within(offsets: Tensor, limit_tokens: int) -> Tensor:
    """Limit offsets so that no token falls outside the model's window.

    A kept token stands for many that were dropped, so the oldest soon lie beyond every position that the model was
    trained on. Those take the farthest free places; order is preserved, and newer tokens keep their true distance.

    Args:
        offsets: int64 `[num_memory_tokens]`, strictly decreasing, at least 1.
        limit_tokens: largest offset that fits the window, at least `num_memory_tokens`.

    Returns:
        int64 `[num_memory_tokens]`, strictly decreasing, between `limit_tokens` and 1.
    """
    return torch.minimum(offsets, limit_tokens - torch.arange(len(offsets), device=offsets.device))
