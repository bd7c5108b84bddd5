"""Scoring rules, by the names that data sets refer to."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from keepsight.bench.scoring.base import Score, Scorer
from keepsight.bench.scoring.choice import ChoiceScorer
from keepsight.bench.scoring.exact import ExactScorer
from keepsight.bench.scoring.first_letters import LvBenchScorer, VideoMmeScorer
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
        "videomme": VideoMmeScorer,
        "lvbench": LvBenchScorer,
        "judge": JudgeScorer,
    }
)
"""All rules by their names in `DataSet.scoring`."""


def make_scorer(name: str, judge: AnswerJudge | None = None) -> Scorer:
    """Scoring rule by name.

    Args:
        name: a key of `SCORERS`.
        judge: for the rule `judge`; None leaves answers unscored, to be judged later.

    Raises:
        SettingError: no such rule.
    """
    if name not in SCORERS:
        raise SettingError(f"scoring must be one of {', '.join(SCORERS)}, got {name!r}")
    return JudgeScorer(judge) if name == "judge" else SCORERS[name]()
