"""The runs behind the pages of docs/experiments, each one `keepsight bench run` command."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean


@dataclass(frozen=True)
class Run:
    """One command and what is kept of it.

    Attributes:
        name: of its stored tables.
        arguments: of `keepsight bench run`, without `--out`.
        minutes: wall time on two cores of 2023, measured; for the time that is left.
        is_short: whether it belongs to the runs that together stay within 20 minutes.
        plots: file in the run's folder -> file in docs/images.
    """

    name: str
    arguments: tuple[str, ...]
    minutes: float
    is_short: bool = False
    plots: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command as it is typed."""
        return shlex.join(("keepsight", "bench", "run", *self.arguments))


def _toy(name: str, words: str, minutes: float, *, short: bool = False, plots: dict[str, str] | None = None) -> Run:
    return Run(name, ("paper-toy", *shlex.split(words)), minutes, short, plots or {})


RUNS: tuple[Run, ...] = (
    _toy(
        "overview",
        "--experiment overview --videos 30",
        7,
        short=True,
        plots={"accuracy-age.png": "accuracy-age.png"},
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
