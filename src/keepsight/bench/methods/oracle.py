"""Oracles: the loop with a selection that knows what each frame shows, as a bound for selectors that must find out.

What they know comes with the frames (`datasets.toy_frames`), one at a time, so they are as causal as other methods.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import torch
from torch import Tensor

from keepsight.bench.datasets.toy_frames import MarkedFrame
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.selected_tokens import SelectedTokens
from keepsight.errors import SettingError
from keepsight.method.protocol import Description, VideoModel
from keepsight.method.recurrence import ClipWork
from keepsight.method.selection.selectors import clip_seed
from keepsight.video import Frame

EMPTY, SHOWN, EVENT = 0, 1, 2
"""What a token shows: neither thing nor box, one of them, or one that acts."""

RULES: Final = ("events", "things")
"""What is kept first: tokens of things that act, then of things; or tokens of things, acting or not."""


@dataclass
class OracleObserver(LoopObserver):
    """Watches with the full loop, and selects by what the frames show.

    Attributes:
        keeps: a rule in `RULES`.
    """

    keeps: str = RULES[0]

    def rated(self, work: ClipWork, description: Description) -> Description:
        """The description with the rank of what each token shows for its score, drawn at random within a rank."""
        grid, tokens = work.visual.token_grid or self.model.info.token_grid, work.visual.tokens
        ranks = shown_in(work.clip.frames, grid, self.model.info.frames_per_step)
        ranks = ranks if self.keeps == "events" else ranks.clamp(max=SHOWN)
        generator = torch.Generator().manual_seed(clip_seed(self.settings.seed + work.clip.index, tokens))
        scores = ranks.flatten() + torch.rand(len(tokens), generator=generator)
        return replace(description, scores=scores.to(description.scores.device))


def shown_in(frames: Sequence[Frame], token_grid: tuple[int, int], frames_per_step: int) -> Tensor:
    """What each token shows: int64 `[num_steps, tokens_per_step]` of `EMPTY`, `SHOWN` and `EVENT`.

    A step of several frames shows the most of them.

    Raises:
        SettingError: the frames do not carry what they show.
    """
    rows, columns = token_grid
    shown = torch.full((-(-len(frames) // frames_per_step), rows * columns), EMPTY)
    for number, frame in enumerate(frames):
        if not isinstance(frame, MarkedFrame):
            raise SettingError("an oracle must get frames of the toy world, which tell what they show, got others")
        step = shown[number // frames_per_step]
        for mark in frame.marks:
            for cell in range(rows * columns):
                if mark.shows_in(cell, token_grid):
                    step[cell] = max(int(step[cell]), EVENT if mark.acts else SHOWN)
    return shown


@dataclass(frozen=True)
class OracleCaptions(Captions):
    """Answer from captions, written with a memory of what an oracle kept.

    Tokens of one rank are drawn at random. A clip with fewer tokens of things than are kept is filled with others.

    Attributes:
        keeps: a rule in `RULES`.
        settings: as for `Captions`; the selector must be the default.

    Raises:
        SettingError: the rule is unknown, or a selector is given.
    """

    keeps: str = field(default=RULES[0], kw_only=True)

    def __post_init__(self) -> None:
        if self.keeps not in RULES:
            raise SettingError(f"keeps must be one of {', '.join(RULES)}, got {self.keeps!r}")
        if self.settings.selector != "attention":
            raise SettingError(f"selector must be left out of an oracle, got {self.settings.selector!r}")

    @property
    def watching(self) -> Hashable:
        """The rule, and settings that decide captions and memory."""
        return ("oracle", self.keeps, super().watching)

    def begin(self, model: VideoModel, sample_fps: float) -> OracleObserver:
        """Start with an empty memory."""
        return OracleObserver(model, replace(self.settings, sample_fps=sample_fps), keeps=self.keeps)


def is_oracle(method: object) -> bool:
    """Whether a method knows what the frames show, so that it runs on the toy world only."""
    return isinstance(method, OracleCaptions)


@dataclass(frozen=True)
class OracleTokens(OracleCaptions, SelectedTokens):
    """Answer from the tokens that an oracle kept; the model sees no captions."""
