"""Reporting of NExT-QA's question types (Xiao et al., "NExT-QA", 2021, arXiv 2105.08276)."""

from types import MappingProxyType
from typing import Final

from keepsight.errors import DataError

TYPES_OF_GROUP: Final = MappingProxyType({"C": ("CW", "CH"), "T": ("TN", "TC"), "D": ("DC", "DL", "DO")})
"""Causal, temporal and descriptive -> reported types, in the published order."""

GROUP_OF_TYPE: Final = MappingProxyType(
    {"CW": "C", "CH": "C", "TN": "T", "TC": "T", "TP": "T", "DC": "D", "DL": "D", "DO": "D"}
)
"""Type of question -> causal, temporal or descriptive."""


COLUMNS: Final = tuple(name for group, kinds in TYPES_OF_GROUP.items() for name in (group, *kinds))
"""Groups and reported types in the order of tables: a group, then its types."""


def columns_of(question_type: str) -> tuple[str, str]:
    """Columns of a table that count a question: its group, and its reported type.

    Raises:
        DataError: no such type.
    """
    return group_of(question_type), reported_type(question_type)


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
