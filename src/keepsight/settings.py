"""How a stream is watched and how questions are answered: one frozen record, checked on creation."""

import json
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from keepsight.errors import SettingError
from keepsight.incoming import unknown
from keepsight.plugins import Group, Part, Recorded, package_of
from keepsight.schema import Choice, Flag, Layers, Maybe, Number, PartName, Text, Whole, check_fields, setting

DESCRIBE_PROMPT = "Describe what's happening in the video."
"""The captioning instruction (paper, section 3); the bundled models are trained on exactly this."""

SELECTOR_NAMES = (
    "attention",
    "uniform",
    "random",
    "k-means",
    "mean-pool",
    "diverse",
    "change",
    "median",
    "saliency",
    "all",
)
"""Built-in selectors; plug-ins add others."""

RETRIEVER_NAMES = ("mmr", "similarity", "recency", "random", "all")
"""Built-in retrievers; plug-ins add others."""

HEAD_RULES = ("mean", "max")
"""How scores of attention heads are combined."""

MEMORY_POLICY_NAMES = ("fifo", "merge", "decay", "medoids", "novelty", "newest", "stream-medoids")
"""Built-in memory policies; plug-ins add others."""

MEMORY_POSITION_RULES = ("contiguous", "original")
"""Positions of remembered tokens before a clip: contiguous, or as in the stream."""

PARTS = MappingProxyType(
    {
        "selector": Group("keepsight.selectors", "selector", SELECTOR_NAMES, ("select",)),
        "retriever": Group("keepsight.retrievers", "retriever", RETRIEVER_NAMES, ("choose",)),
        "memory_policy": Group("keepsight.memory_policies", "memory_policy", MEMORY_POLICY_NAMES, ("retain",)),
    }
)
"""Settings that are parts: a name, which plug-ins can add to, or an object."""

STILL_THRESHOLD = 14.0
"""Change of a block, in levels of 255, up to which a clip counts as still; measured by `benchmarks/still.py`."""

MOST_ASKED_CLIP_FRAMES, MOST_ASKED_MEMORY_CLIPS = 256, 1024
"""Limits of a request, since memory grows with it; the server's owner may exceed them."""

_ANSWERING = frozenset(
    {
        "retriever",
        "mmr_lambda",
        "mmr_pool_budgets",
        "retrieval_budget_tokens",
        "max_answer_tokens",
        "live",
        "live_at_start",
    }
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
    "live_at_start": (
        True,
        False,
        "the paper answers from captions only, so without the video until the first clip is full; here a question "
        "before the first caption sees the frames so far",
    ),
}
"""Where the defaults differ from the paper: setting -> (default here, the paper's, reason).

The other defaults are the paper's (arXiv 2510.17364, sections 3 and 4) where it gives a value. It gives none for
`mmr_lambda`, `max_answer_tokens` and `max_caption_tokens`, nor the prompt of an answer, nor what exactly
`retrieval_budget_tokens` counts.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Settings:
    """Settings of watching streams and answering questions. Its `repr` records an experiment.

    Each field describes itself; `keepsight watch --help` shows that. Selector, retriever and memory policy are built-in
    names, names of plug-ins, or objects: instances of frozen dataclasses, whose fields are JSON values. An object has
    its own settings and ignores `retention` and `seed`.

    Raises:
        SettingError: a value is not allowed.
    """

    frames_per_clip: int = setting(
        16,
        Whole(1),
        "Number of sampled frames that are captioned together.",
        "method",
        unit="frames",
        request_kind=Whole(1, MOST_ASKED_CLIP_FRAMES),
    )
    sample_fps: float = setting(
        0.5,
        Number(1e-6, 1000),
        "Frames sampled per second of video.",
        "basic",
        unit="fps",
        request_kind=Number(0.001, 1000),
    )
    selector: str | Part = setting(
        "attention", PartName(PARTS["selector"]), "Select the visual tokens of a clip to keep by this rule.", "method"
    )
    retention: float = setting(
        0.0625, Number(0, 1, is_above=True), "Share of each clip's visual tokens to keep.", "method", unit="share"
    )
    score_layers: tuple[int, ...] | Literal["all"] | None = setting(
        None,
        Layers(),
        "Score tokens by the attention of these decoder layers, from 1; none takes the model's own, the paper's at its "
        "depth.",
        "method",
    )
    score_heads: str = setting(
        "mean", Choice(HEAD_RULES), "Combine the scores of attention heads by this rule.", "method"
    )
    seed: int = setting(0, Whole(0), "Seed of selectors and retrievers that draw at random.", "method")
    memory_clips: int = setting(
        16,
        Whole(0),
        "Clips held in the visual memory.",
        "method",
        unit="clips",
        request_kind=Whole(0, MOST_ASKED_MEMORY_CLIPS),
    )
    memory_tokens: int | None = setting(
        None,
        Maybe(Whole(0)),
        "Limit the visual memory to this many tokens; none leaves it to the model's window.",
        "method",
        unit="tokens",
    )
    memory_policy: str | Part = setting(
        "fifo",
        PartName(PARTS["memory_policy"]),
        "Decide by this policy what the visual memory holds when not all fits; those that hold no whole clips "
        "have room for as many tokens as fifo.",
        "method",
    )
    memory_positions: str = setting(
        "contiguous",
        Choice(MEMORY_POSITION_RULES),
        "Place remembered tokens side by side before a clip, or as far before it as in the stream, within the model's "
        "window.",
        "method",
    )
    describe_prompt: str = setting(DESCRIBE_PROMPT, Text(), "Ask the model for a caption in these words.", "method")
    max_caption_tokens: int = setting(128, Whole(1), "Limit the length of a caption.", "method", unit="tokens")
    caption_partial_clip: bool = setting(
        True, Flag(), "Caption the last frames of a video that do not fill a clip.", "method"
    )
    skip_still: bool = setting(
        False,
        Flag(),
        "Leave clips uncaptioned in which nothing changed since the last captioned clip; the journal says so instead.",
        "method",
    )
    still_threshold: float = setting(
        STILL_THRESHOLD,
        Number(0, 255),
        "With skip_still, ignore changes of a block's colour up to this.",
        "method",
        unit="levels",
    )
    retriever: str | Part = setting(
        "mmr",
        PartName(PARTS["retriever"]),
        "Choose by this rule the captions that a question is answered from.",
        "method",
    )
    mmr_lambda: float = setting(0.5, Number(0, 1), "Weigh likeness to the question (1) against novelty (0).", "method")
    mmr_pool_budgets: float | None = setting(
        4.0,
        Maybe(Number(1)),
        "Let mmr choose from the captions most like the question that would fill the budget this many times; none "
        "takes all, as in the paper.",
        "method",
    )
    retrieval_budget_tokens: int = setting(
        10_000,
        Whole(1),
        "Limit the captions given with a question; the model's window may allow fewer.",
        "method",
        unit="tokens",
    )
    max_answer_tokens: int = setting(
        256, Whole(1), "Limit the length of an answer; at most a quarter of the model's window.", "basic", unit="tokens"
    )
    live: bool = setting(False, Flag(), "Show questions the frames that have no caption yet.", "live")
    live_at_start: bool = setting(
        True, Flag(), "Show questions asked before the first caption the frames so far, without `live` too.", "live"
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def paper(cls) -> Self:
        """The defaults, with every setting in `DIFFERENCES` at the paper's value."""
        return replace(cls(), **{name: paper for name, (_, paper, _) in DIFFERENCES.items()})  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Serialize the settings as a JSON object with sorted keys; `from_json` reads it back.

        Parts that are not built in are recorded with their package and its version, objects with their fields.
        """
        return json.dumps(self._values(), sort_keys=True, default=Recorded.to_data)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Settings from `to_json`; missing settings get their default.

        A part that was not built in becomes a `Recorded`, equal to what was recorded. Its package is loaded when the
        part is needed.

        Raises:
            SettingError: not a JSON object, an unknown setting, or a value that is not allowed.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise SettingError(f"settings must be a JSON object: {error}") from error
        if not isinstance(values, dict):
            raise SettingError(f"settings must be a JSON object, got {text!r}")
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise SettingError(f"the setting {name!r} is {unknown(name, known, 'settings')}")
        parts: dict[str, Any] = {name: Recorded.from_data(values[name]) for name in PARTS if name in values}
        return cls(**{**values, **parts})

    def watching(self) -> dict[str, Any]:
        """Settings that decide captions and memory; a stream resumes only if these are unchanged."""
        return {name: value for name, value in self._values().items() if name not in _ANSWERING}

    def answering_like(self, other: "Settings") -> Self:
        """These settings with the other's answering settings."""
        return replace(self, **{name: getattr(other, name) for name in _ANSWERING})

    def _values(self) -> dict[str, Any]:
        """All settings, with parts that are not built in as records."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {name: group.record(values[name]) for name, group in PARTS.items()}

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Settings) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._values().values()))

    def __repr__(self) -> str:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        shown = {name: _shown(PARTS[name], value) if name in PARTS else repr(value) for name, value in values.items()}
        return f"{type(self).__name__}({', '.join(f'{name}={text}' for name, text in shown.items())})"


def _shown(group: Group, part: str | Part) -> str:
    """A part for the record of an experiment, with its package unless built in."""
    if isinstance(part, str | Recorded):
        return repr(group.record(part))
    package = package_of(type(part))
    return f"{part!r} ({package})" if package and not package.startswith("keepsight ") else repr(part)


PAPER = Settings.paper()
"""The paper's value for every setting it gives; `DIFFERENCES` explains the others."""
