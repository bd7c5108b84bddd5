"""How a stream is watched and how questions are answered: one frozen record, checked on creation."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

from keepsight.errors import SettingError
from keepsight.prompts import DESCRIBE_PROMPT

SELECTOR_NAMES = ("attention", "uniform", "random", "k-means", "mean-pool", "all")
"""Names that `selection.make_selector` knows."""

RETRIEVER_NAMES = ("mmr", "similarity", "recency", "random", "all")
"""Names that `asking.retrieval.make_retriever` knows."""

HEAD_RULES = ("mean", "max")
"""How attention heads are put together in the scores."""

MEMORY_POLICY_NAMES = ("fifo", "merge", "decay", "medoids", "novelty")
"""Names that `memory.make_policy` knows."""

MEMORY_POSITION_RULES = ("contiguous", "original")
"""Where remembered tokens stand before a clip: side by side, or where they stood in the stream."""

_ANSWERING = frozenset(
    {"retriever", "mmr_lambda", "mmr_pool_budgets", "retrieval_budget_tokens", "max_answer_tokens", "live"}
)  # these change answers only, so a stream can be resumed after they were changed

DIFFERENCES: dict[str, tuple[object, object, str]] = {
    "caption_partial_clip": (
        True,
        False,
        "the paper describes full clips only; here the last frames of a video, fewer than a clip, get a caption too",
    ),
    "mmr_pool_budgets": (
        4.0,
        None,
        "the paper ranks all captions; here MMR ranks those most like the question that would fill the budget four "
        "times, which is all of them for the first hours, and keeps long journals quick to ask",
    ),
}
"""Where the defaults differ from the paper: setting -> (default here, the paper's, why). All other defaults are the
paper's (arXiv 2510.17364, sections 3 and 4), except `mmr_lambda` and `max_answer_tokens`, which it does not give."""


@dataclass(frozen=True)
class Settings:
    """All that decides how a stream is watched and how questions are answered. Its `repr` records an experiment.

    Attributes:
        frames_per_clip: sampled frames that are captioned together.
        sample_fps: frames taken from each second of video.
        selector: which visual tokens of a clip are kept, one of `SELECTOR_NAMES`.
        retention: share of a clip's visual tokens that is kept, over 0 and at most 1.
        score_layers: decoder layers, 1-based, whose attention scores the tokens; None takes the model's own, the
            paper's at its depth; `"all"` takes every one.
        score_heads: `mean` or `max` over attention heads.
        seed: for selectors and retrievers that draw at random.
        memory_clips: clips that the visual memory holds.
        memory_tokens: visual tokens that the memory holds at most; None means only the model's window limits it.
        memory_policy: what the memory holds when not all fits, one of `MEMORY_POLICY_NAMES`; those that do not hold
            whole clips have room for as many tokens as `fifo`.
        memory_positions: one of `MEMORY_POSITION_RULES`: remembered tokens stand side by side, or as far before the
            clip as they did in the stream, as far as the model's window reaches.
        describe_prompt: the captioning instruction.
        max_caption_tokens: longest caption.
        caption_partial_clip: caption the last frames of a video that do not fill a clip.
        retriever: which captions a question is answered from, one of `RETRIEVER_NAMES`.
        mmr_lambda: 1 ranks by likeness to the question alone, 0 by novelty alone.
        mmr_pool_budgets: MMR chooses from the captions most like the question that would fill the budget so many times,
            1 or more; None chooses from all, as in the paper.
        retrieval_budget_tokens: most tokens of captions before a question; the model's window may allow fewer.
        max_answer_tokens: longest answer; a quarter of the model's window if that is less.
        live: also show the model the frames that have no caption yet when a question is asked.

    Raises:
        SettingError: a value is outside what is allowed.
    """

    frames_per_clip: int = 16
    sample_fps: float = 0.5
    selector: str = "attention"
    retention: float = 0.0625
    score_layers: tuple[int, ...] | Literal["all"] | None = None
    score_heads: str = "mean"
    seed: int = 0
    memory_clips: int = 16
    memory_tokens: int | None = None
    memory_policy: str = "fifo"
    memory_positions: str = "contiguous"
    describe_prompt: str = DESCRIBE_PROMPT
    max_caption_tokens: int = 128
    caption_partial_clip: bool = True
    retriever: str = "mmr"
    mmr_lambda: float = 0.5
    mmr_pool_budgets: float | None = 4.0
    retrieval_budget_tokens: int = 10_000
    max_answer_tokens: int = 256
    live: bool = False

    def __post_init__(self) -> None:
        for name in ("frames_per_clip", "max_caption_tokens", "max_answer_tokens", "retrieval_budget_tokens"):
            _require_whole(name, getattr(self, name), minimum=1)
        for name in ("seed", "memory_clips"):
            _require_whole(name, getattr(self, name), minimum=0)
        if self.memory_tokens is not None:
            _require_whole("memory_tokens", self.memory_tokens, minimum=0)
        _require_number("sample_fps", self.sample_fps, most=1000, zero_too=False)
        _require_number("retention", self.retention, most=1, zero_too=False)
        _require_number("mmr_lambda", self.mmr_lambda, most=1, zero_too=True)
        _require_pool("mmr_pool_budgets", self.mmr_pool_budgets)
        _require_choice("selector", self.selector, SELECTOR_NAMES)
        _require_choice("retriever", self.retriever, RETRIEVER_NAMES)
        _require_choice("memory_policy", self.memory_policy, MEMORY_POLICY_NAMES)
        _require_choice("memory_positions", self.memory_positions, MEMORY_POSITION_RULES)
        _require_choice("score_heads", self.score_heads, HEAD_RULES)
        object.__setattr__(self, "score_layers", _as_layers(self.score_layers))
        _require_flag("caption_partial_clip", self.caption_partial_clip)
        _require_flag("live", self.live)
        if not isinstance(self.describe_prompt, str) or not self.describe_prompt.strip():
            raise SettingError(f"describe_prompt must be a text, not {self.describe_prompt!r}")

    @classmethod
    def paper(cls) -> Self:
        """The settings of the paper: the defaults, with everything in `DIFFERENCES` set back."""
        return replace(cls(), **{name: paper for name, (_, paper, _) in DIFFERENCES.items()})  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The settings as a JSON object with sorted keys; `from_json` reads it back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Settings from `to_json`; a setting that the text lacks gets its default.

        Raises:
            SettingError: not a JSON object, an unknown setting, or a value that is not allowed.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SettingError(f"settings must be a JSON object: {error}") from error
        if not isinstance(values, dict):
            raise SettingError(f"settings must be a JSON object, not {text!r}")
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise SettingError(f"there is no setting {name!r}; the settings are {', '.join(known)}")
        return cls(**values)

    def watching(self) -> dict[str, Any]:
        """The part that decides captions and memory; a stream can only be resumed where this is the same."""
        return {name: value for name, value in asdict(self).items() if name not in _ANSWERING}


def _require_whole(name: str, value: object, *, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise SettingError(f"{name} must be a whole number of at least {minimum}, not {value!r}")


def _require_number(name: str, value: object, *, most: float, zero_too: bool) -> None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if not 0 <= number <= most or (number == 0 and not zero_too):
        allowed = f"from 0 to {most}" if zero_too else f"over 0 and at most {most}"
        raise SettingError(f"{name} must be a number {allowed}, not {value!r}")


def _require_pool(name: str, value: object) -> None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    if value is not None and not 1 <= number < float("inf"):
        raise SettingError(f"{name} must be a number of at least 1, or none, not {value!r}")


def _require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _as_layers(value: object) -> tuple[int, ...] | Literal["all"] | None:
    """Layers as a tuple: JSON has lists."""
    if value is None or value == "all":
        return value
    layers = value if isinstance(value, list | tuple) else ()
    if not layers or not all(type(layer) is int and layer >= 1 for layer in layers):
        raise SettingError(f'score_layers must be whole numbers of at least 1, "all" or none, not {value!r}')
    return tuple(layers)


def _require_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SettingError(f"{name} must be true or false, not {value!r}")


PAPER = Settings.paper()
"""The preset with every setting as in the paper."""
