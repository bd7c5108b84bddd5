"""Experiments: the methods of each table, and its plot.

Methods are written for `methods.make_method`, so any row can be repeated from the command line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from keepsight.bench.methods import is_oracle, make_method
from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.method.protocol import ModelInfo
from keepsight.models.architectures import ARCHITECTURES
from keepsight.settings import MEMORY_POLICY_NAMES, SELECTOR_NAMES, Settings

RETENTIONS = (0.01, 0.03, 0.0625, 0.12, 0.25)
PAPER_RETENTIONS = (0.01, 0.0625, 0.12, 0.19, 0.25)
"""Shares of the paper's Table 2; all for attention, the second and third for the other selectors."""

FIFO_CLIPS = (0, 1, 2, 4, 8, 16, 32, 64)
FIFO_OF_MORE = "FIFO with four times the tokens"
FULL = "captions"
"""Default Keepsight, the reference of all comparisons."""

ABLATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "without recurrence": f"{FULL}:memory_clips=0",
        "uniform selection": f"{FULL}:selector=uniform",
        "random retrieval": f"{FULL}:retriever=random",
        "visual-token similarity": "visual-similarity",
        "answer from selected tokens": "selected-tokens",
        "captions + selected tokens": "captions-and-tokens",
    }
)
"""Parts of the method replaced one at a time, as the paper does it."""

LEAST_WINDOW_OF_BUDGETS_TOKENS = 24_000
"""Context windows above this hold the paper's larger budgets of captions."""

BLIND = "blind"
"""Baseline that sees no video."""


@dataclass(frozen=True)
class Plot:
    """Plot of accuracy over a number in which methods differ.

    Attributes:
        x_label: name of the number, with unit.
        curves: label -> (number, table row) in increasing order.
        log: whether the axis is logarithmic.
        percent: whether the numbers are shares.
    """

    x_label: str
    curves: Mapping[str, tuple[tuple[float, str], ...]]
    log: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Experiment:
    """One table.

    Attributes:
        name: name on the command line.
        title: title of the table.
        rows: label -> method, as `make_method` reads it; the reference is among them.
        reference: label of the row to compare with.
        plot: its plot, if any.
    """

    name: str
    title: str
    rows: Mapping[str, str]
    reference: str
    plot: Plot | None = None


def _overview(info: ModelInfo) -> Experiment:
    rows = {
        "full loop": FULL,
        "captions + live frames": "captions-and-live",
        **ABLATIONS,
        "KV retrieval (ReKV-style, ours)": "kv-retrieval",
        "uniform 32 frames": "uniform-frames",
        "last 4 frames": "last-frames",
    }
    if any(known.model_class == info.architecture and not known.supports_kv_retrieval for known in ARCHITECTURES):
        del rows["KV retrieval (ReKV-style, ours)"]
    return Experiment("overview", "The method, ablations and baselines", rows, "full loop")


ORACLES = MappingProxyType({"oracle, events first": "keeps=events", "random among things": "keeps=things"})
"""Labels of rows that know what each token shows, and their settings."""


def _selection(_: ModelInfo) -> Experiment:
    """All rules at the default share of tokens, and what rules could reach that know the truth."""
    rows = {"attention": FULL}
    rows |= {name: f"{FULL}:selector={name}" for name in SELECTOR_NAMES if name not in rows}
    rows |= {label: f"oracle-captions:{rule}" for label, rule in ORACLES.items()}
    return Experiment("selection", "Which visual tokens are kept", rows, "attention")


def _retention(_: ModelInfo) -> Experiment:
    rows: dict[str, str] = {}
    curves = {}
    for selector in ("attention", "uniform", "k-means"):
        points = []
        for retention in RETENTIONS:
            label = f"{selector} {retention:.0%}"
            default = selector == "attention" and retention == Settings().retention
            rows[label] = FULL if default else f"{FULL}:selector={selector},retention={retention}"
            points.append((retention, label))
        curves[selector] = tuple(points)
    rows["all tokens"] = f"{FULL}:selector=all"
    plot = Plot("share of visual tokens kept", curves, log=True, percent=True)
    return Experiment("retention", "How many visual tokens are kept", rows, "attention 6%", plot)


def _kept_tokens(_: ModelInfo) -> Experiment:
    """The paper's Table 2: answers from kept tokens alone, of videos so short that all kept tokens are given."""
    rows: dict[str, str] = {}
    for retention in (Settings().retention, 0.12):
        share = "" if retention == Settings().retention else f",retention={retention}"
        for selector in SELECTOR_NAMES:
            if selector != "all":
                rows[f"{selector} {retention:.0%}"] = f"selected-tokens:selector={selector}{share}"
        rows |= {f"{label} {retention:.0%}": f"oracle-tokens:{rule}{share}" for label, rule in ORACLES.items()}
    rows |= {"all tokens": "selected-tokens:selector=all", "captions": FULL, "last 4 frames": "last-frames"}
    return Experiment("kept-tokens", "Answers from kept tokens, without captions", rows, "attention 6%")


def _attention(info: ModelInfo) -> Experiment:
    rows = {"the model's layers, mean over heads": FULL, "all layers": f"{FULL}:score_layers=all"}
    for layer in info.score_layers:
        rows[f"layer {layer} alone"] = f"{FULL}:score_layers=[{layer}]"
    rows["max over heads"] = f"{FULL}:score_heads=max"
    return Experiment("attention", "Which layers and heads score tokens", rows, "the model's layers, mean over heads")


def _memory(_: ModelInfo) -> Experiment:
    labels = {clips: f"FIFO of {clips}" for clips in FIFO_CLIPS}
    rows = {label: _remembering(clips) for clips, label in labels.items()}
    plot = Plot("clips in the FIFO", {"full loop": tuple(labels.items())})
    return Experiment("memory", "Length of the visual memory", rows, labels[Settings().memory_clips], plot)


def _policies(_: ModelInfo, clips: int = 4) -> Experiment:
    """Policies with the tokens of a FIFO of so many clips, and the FIFO with four times the room."""
    rows = {"FIFO": _remembering(clips)}
    rows |= {policy: f"{FULL}:memory_clips={clips},memory_policy={policy}" for policy in MEMORY_POLICY_NAMES[1:]}
    if 4 * clips <= max(FIFO_CLIPS):
        rows[FIFO_OF_MORE] = _remembering(4 * clips)
    name = "policies" if clips == 4 else f"policies-{clips}"
    title = f"Eviction policy, at the token budget of {clips} clip{'' if clips == 1 else 's'}"
    return Experiment(name, title, rows, "FIFO")


def _remembering(clips: int) -> str:
    """The full loop with a FIFO of so many clips."""
    return FULL if clips == Settings().memory_clips else f"{FULL}:memory_clips={clips}"


def _positions(_: ModelInfo) -> Experiment:
    rows = {
        "FIFO of 16, contiguous": FULL,
        "FIFO of 16, original positions": f"{FULL}:memory_positions=original",
        "FIFO of 4, contiguous": f"{FULL}:memory_clips=4",
        "FIFO of 4, original positions": f"{FULL}:memory_clips=4,memory_positions=original",
    }
    return Experiment("positions", "Positions of recalled tokens", rows, "FIFO of 16, contiguous")


def _retrieval(info: ModelInfo) -> Experiment:
    rows = {"MMR 0.5": FULL}
    rows |= {f"MMR {weight}": f"{FULL}:mmr_lambda={weight}" for weight in (0.25, 0.75)}
    rows["MMR among all captions"] = f"{FULL}:mmr_pool_budgets=null"
    rows |= {f"MMR among {pool} budgets": f"{FULL}:mmr_pool_budgets={pool}" for pool in (2, 8)}
    rows |= {name: f"{FULL}:retriever={name}" for name in ("similarity", "recency", "random", "all")}
    rows |= {"visual-token similarity": "visual-similarity", "last 4 frames": "last-frames"}
    window = info.context_window_tokens
    is_large = window > LEAST_WINDOW_OF_BUDGETS_TOKENS
    budgets = (6_000, 20_000) if is_large else (window // 16, window // 8, window // 4, window // 2)
    rows |= {f"MMR, {budget:,} tokens": f"{FULL}:retrieval_budget_tokens={budget}" for budget in budgets}
    return Experiment("retrieval", "Caption retrieval and budget", rows, "MMR 0.5")


def _clips(_: ModelInfo) -> Experiment:
    rows = {"16 frames at 0.5 fps": FULL}
    rows |= {f"{frames} frames at 0.5 fps": f"{FULL}:frames_per_clip={frames}" for frames in (4, 8)}
    rows |= {f"16 frames at {fps} fps": f"{FULL}:sample_fps={fps}" for fps in (0.25, 1.0)}
    return Experiment("clips", "Length of clips and frame rate", rows, "16 frames at 0.5 fps")


def _paper_ablations(info: ModelInfo) -> Experiment:
    rows = {
        "full loop": FULL,
        **ABLATIONS,
        "uniform 32 frames, no captions": "uniform-frames",
    }
    if info.context_window_tokens > LEAST_WINDOW_OF_BUDGETS_TOKENS:
        rows |= {f"budget of {budget:,}": f"{FULL}:retrieval_budget_tokens={budget}" for budget in (20_000, 6_000)}
    return Experiment("paper-ablations", "The ablations of the paper", rows, "full loop")


def _paper_selection(_: ModelInfo) -> Experiment:
    kept = "selected-tokens"
    rows: dict[str, str] = {}
    curves = {}
    for selector in ("attention", "k-means", "uniform", "mean-pool"):
        retentions = PAPER_RETENTIONS if selector == "attention" else PAPER_RETENTIONS[1:3]
        labels = {retention: f"{selector} {retention:.0%}" for retention in retentions}
        rows |= {label: f"{kept}:selector={selector},retention={share}" for share, label in labels.items()}
        curves[selector] = tuple(labels.items())
    rows["all tokens"] = f"{kept}:selector=all"
    plot = Plot("share of visual tokens kept", curves, log=True, percent=True)
    return Experiment(
        "paper-selection", "Answers from the kept tokens alone (the paper's Table 2)", rows, "attention 6%", plot
    )


EXPERIMENTS: Final[Mapping[str, Callable[[ModelInfo], Experiment]]] = MappingProxyType(
    {
        "overview": _overview,
        "selection": _selection,
        "retention": _retention,
        "kept-tokens": _kept_tokens,
        "attention": _attention,
        "memory": _memory,
        "policies": _policies,
        "positions": _positions,
        "retrieval": _retrieval,
        "clips": _clips,
        "policies-1": partial(_policies, clips=1),
        "policies-16": partial(_policies, clips=16),
        "policies-64": partial(_policies, clips=64),
        "paper-ablations": _paper_ablations,
        "paper-selection": _paper_selection,
    }
)
"""All experiments by name, made per model, since layers and budgets depend on it."""

ON_REQUEST = ("kept-tokens", "policies-1", "policies-16", "policies-64")
"""Experiments that run only where they are named."""


def make_experiments(names: tuple[str, ...], info: ModelInfo, *, oracles: bool = True) -> tuple[Experiment, ...]:
    """Experiments by name; without names all but those on request.

    Args:
        names: keys of `EXPERIMENTS`.
        info: the model.
        oracles: whether to include rows of oracles, which need the toy world.

    Raises:
        SettingError: no such experiment.
    """
    for name in names:
        if name not in EXPERIMENTS:
            near = did_you_mean(name, EXPERIMENTS)
            raise SettingError(f"experiment must be one of {', '.join(EXPERIMENTS)}, got {name!r}{near}")
    chosen = names or [name for name in EXPERIMENTS if name not in ON_REQUEST]
    made = tuple(_with_blind(EXPERIMENTS[name](info)) for name in chosen)
    return made if oracles else tuple(map(_without_oracles, made))


def _without_oracles(experiment: Experiment) -> Experiment:
    rows = {label: text for label, text in experiment.rows.items() if not is_oracle(make_method(text))}
    return replace(experiment, rows=rows)


def _with_blind(experiment: Experiment) -> Experiment:
    """Add the blind baseline to a table."""
    rows = {label: method for label, method in experiment.rows.items() if method != BLIND}
    return replace(experiment, rows={**rows, BLIND: BLIND})
