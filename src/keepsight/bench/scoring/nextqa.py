"""How NExT-QA's kinds of question are reported (Xiao et al., "NExT-QA", 2021, arXiv 2105.08276)."""

from types import MappingProxyType
from typing import Final

from keepsight.errors import DataError

GROUP_OF_TYPE: Final = MappingProxyType(
    {"CW": "C", "CH": "C", "TN": "T", "TC": "T", "TP": "T", "DC": "D", "DL": "D", "DO": "D"}
)
"""Type of question -> causal, temporal or descriptive."""


def group_of(question_type: str) -> str:
    """C, T or D.

    Raises:
        DataError: NExT-QA has no such type.
    """
    if question_type not in GROUP_OF_TYPE:
        raise DataError(f"NExT-QA has the types {', '.join(GROUP_OF_TYPE)}, not {question_type!r}")
    return GROUP_OF_TYPE[question_type]


def reported_type(question_type: str) -> str:
    """The row that a type is counted in: its own, but TP in TN, as there are few questions about what came before."""
    return "TN" if question_type == "TP" else question_type
