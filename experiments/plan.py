"""The runs behind the pages of docs/experiments, each one command."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean

VARIANT_MODELS = "runs/variants/models"
"""Model folders of trained variants of `tiny`, see training/variants."""

BENCH = ("keepsight", "bench", "run")
TABLE = ("training.variants", "table")


@dataclass(frozen=True)
class Run:
    """One command and what is kept of it.

    Attributes:
        name: of its stored tables.
        program: module and subcommand.
        arguments: without `--out`.
        minutes: wall time on two cores of 2023, measured; for the time that is left.
        is_short: whether it belongs to the runs that together stay within 20 minutes.
        plots: file in the run's folder -> file in docs/images.
        variants: trained variants whose model folders it needs.
    """

    name: str
    program: tuple[str, ...]
    arguments: tuple[str, ...]
    minutes: float
    is_short: bool = False
    plots: dict[str, str] = field(default_factory=dict)
    variants: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as it is typed."""
        start = () if self.program == BENCH else ("python", "-m")
        return shlex.join((*start, *self.program, *self.arguments))


def _toy(name: str, words: str, minutes: float, *, short: bool = False, plots: dict[str, str] | None = None) -> Run:
    return Run(name, BENCH, ("paper-toy", *shlex.split(words)), minutes, short, plots or {})


def _methods(*settings: str) -> str:
    """The full loop with these settings, as methods."""
    return " ".join(f"--method captions{':' if text else ''}{text}" for text in settings)


def _complexity(difficulty: str) -> Run:
    methods = _methods("", *(f"retention={share}" for share in (0.03, 0.12, 0.25)), "selector=uniform", "selector=all")
    words = f"--difficulty {difficulty} --videos 30 --questions 1 {methods}"
    return _toy(f"complexity-{difficulty}", words, 4)


def _long_gaps(clips: int, minutes: float) -> Run:
    """Policies with the room of so many clips, where things stay away for 20 clips and more."""
    experiment = "policies" if clips == 4 else f"policies-{clips}"
    words = f"--experiment {experiment} --difficulty long-gaps --minutes 43 --videos 30 --question-set memory"
    return _toy(f"long-gaps-{clips}", f"{words} --questions 3", minutes)


RUNS: tuple[Run, ...] = (
    _toy(
        "overview",
        "--experiment overview --videos 30",
        7,
        short=True,
        plots={"accuracy-age.png": "accuracy-age.png"},
    ),
    _toy("overview-qwen", "--experiment overview --model tiny-qwen --videos 30", 7),
    _toy("unseen", "--experiment overview --difficulty unseen --videos 30", 7),
    _toy("selection", "--experiment selection --videos 30", 7, short=True),
    _toy("selection-unseen", "--experiment selection --difficulty unseen --videos 30", 7),
    _toy("memory-questions", "--experiment selection --videos 30 --minutes 12 --question-set memory --questions 3", 8),
    _toy("kept-tokens", "--experiment kept-tokens --videos 30 --minutes 1.6", 4),
    _toy("paper-selection", "--experiment paper-selection --paper --videos 26 --minutes 1.6", 2, short=True),
    _toy(
        "retention",
        "--experiment retention --videos 30 --questions 1",
        8,
        plots={"retention-captions.png": "retention-captions.png"},
    ),
    *map(_complexity, ("easy", "cluttered", "crowded", "fast", "hard")),
    _toy(
        "memory",
        "--experiment memory --experiment positions --difficulty hard --videos 30 --minutes 16",
        12,
        plots={"memory-gap.png": "memory-gap.png"},
    ),
    _toy(
        "policies",
        "--experiment policies --difficulty hard --videos 30 --minutes 16",
        8,
        plots={"policies-gap.png": "policies-gap.png"},
    ),
    _toy("changing-looks", "--experiment policies --difficulty changing-looks --videos 30 --minutes 16", 8),
    _long_gaps(1, 14),
    _long_gaps(4, 14),
    _long_gaps(16, 16),
    _long_gaps(64, 20),
    _toy(
        "retrieval",
        "--experiment retrieval --videos 12 --minutes 180 --ask-minutes 10,30,60,180",
        15,
        plots={"retrieval-length.png": "retrieval-length.png"},
    ),
    Run(
        "variants",
        TABLE,
        (
            *("--model", "tiny"),
            *(word for name in ("events", "uniform", "attention") for word in ("--model", f"{VARIANT_MODELS}/{name}")),
            *("--videos", "30", "--processes", "2"),
        ),
        16,
        variants=("events", "uniform", "attention"),
    ),
    Run(
        "variants-learned",
        TABLE,
        (
            *("--model", f"{VARIANT_MODELS}/learned", "--videos", "30", "--processes", "2"),
            *("--column", "learned", "--column", "selector=attention", "--column", "selector=random"),
        ),
        6,
        variants=("learned",),
    ),
    Run(
        "variants-gaps",
        TABLE,
        (
            *("--model", f"{VARIANT_MODELS}/gaps", "--videos", "30", "--processes", "2"),
            *("--column", "memory_positions=original", "--column", "memory_positions=contiguous"),
        ),
        4,
        variants=("gaps",),
    ),
)
"""All runs, in the order of the pages."""


def chosen(names: Sequence[str], *, short: bool) -> tuple[Run, ...]:
    """Runs by name, all without names; the short ones only if asked.

    Raises:
        SettingError: no such run, or names together with `short`.
    """
    known = {run.name: run for run in RUNS}
    if names and short:
        raise SettingError("give either names of runs or --short, not both")
    for name in names:
        if name not in known:
            raise SettingError(f"run must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")
    return tuple(known[name] for name in names) if names else tuple(run for run in RUNS if run.is_short or not short)
