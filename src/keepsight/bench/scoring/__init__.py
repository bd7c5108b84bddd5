"""Rules of scoring, by the names that data sets ask for them with."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from keepsight.bench.scoring.base import Score, Scorer
from keepsight.bench.scoring.choice import ChoiceScorer
from keepsight.bench.scoring.exact import ExactScorer
from keepsight.bench.scoring.judge import AnswerJudge, JudgeScorer
from keepsight.bench.scoring.ovobench import OvoBenchScorer
from keepsight.bench.scoring.streamingbench import StreamingBenchScorer
from keepsight.errors import SettingError

__all__ = ["SCORERS", "AnswerJudge", "Score", "Scorer", "make_scorer"]

SCORERS: Final[Mapping[str, Callable[..., Scorer]]] = MappingProxyType(
    {
        "exact": ExactScorer,
        "choice": ChoiceScorer,
        "ovobench": OvoBenchScorer,
        "streamingbench": StreamingBenchScorer,
        "judge": JudgeScorer,
    }
)
"""Every rule by the name that `DataSet.scoring` uses."""


def make_scorer(name: str, judge: AnswerJudge | None = None) -> Scorer:
    """A rule by name.

    Args:
        name: a key of `SCORERS`.
        judge: for the rule `judge` only; without one its answers stay unscored and can be judged later.

    Raises:
        SettingError: no rule has this name.
    """
    if name not in SCORERS:
        raise SettingError(f"scoring is one of {', '.join(SCORERS)}, not {name!r}")
    return JudgeScorer(judge) if name == "judge" else SCORERS[name]()
