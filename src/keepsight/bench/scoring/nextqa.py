"""Reporting of NExT-QA's question types (Xiao et al., "NExT-QA", 2021, arXiv 2105.08276)."""

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
        DataError: no such type.
    """
    if question_type not in GROUP_OF_TYPE:
        raise DataError(f"NExT-QA question type must be one of {', '.join(GROUP_OF_TYPE)}, got {question_type!r}")
    return GROUP_OF_TYPE[question_type]


def reported_type(question_type: str) -> str:
    """Row that a type is counted in: its own, but TN for TP, which has few questions."""
    return "TN" if question_type == "TP" else question_type
