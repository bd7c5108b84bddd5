"""What is wrong with a request, in the words of Keepsight's other errors: `X must be Y, got Z`."""

from collections.abc import Callable, Mapping, Sequence, Sized
from types import MappingProxyType
from typing import Any

from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean, one_line, short, unknown

Problem = Mapping[str, Any]
"""An error of pydantic: its type, location, input and context."""

UNKNOWN_FIELD = "unknown_field"
"""Type of the error for a field that a request does not have; its context has the `field` and the `known` ones."""

_WHERE = frozenset({"body", "query", "path", "header"})
_NO_OBJECT_TYPES = frozenset({"json_invalid", "model_attributes_type", "model_type", "dict_type"})
_JSON_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
)

# Texts of a client are shown only where a number, a flag or a name is wanted, never where a secret could be.
_WANTED: Mapping[str, Callable[[Problem], str]] = MappingProxyType(
    {
        "string_type": lambda problem: f"text, got {_kind(problem)}",
        "string_unicode": lambda _: "text in UTF-8",
        "string_too_short": lambda problem: f"at least {_counted(problem, 'min_length')}",
        "string_too_long": lambda problem: f"at most {_counted(problem, 'max_length')}",
        "too_short": lambda problem: f"at least {_counted(problem, 'min_length')}",
        "too_long": lambda problem: f"at most {_counted(problem, 'max_length')}",
        "int_type": lambda problem: f"a whole number, got {_value(problem)}",
        "int_parsing": lambda problem: f"a whole number, got {_value(problem)}",
        "int_parsing_size": lambda problem: f"a whole number of fewer digits, got {_value(problem)}",
        "int_from_float": lambda problem: f"a whole number, got {_value(problem)}",
        "float_type": lambda problem: f"a number, got {_value(problem)}",
        "float_parsing": lambda problem: f"a number, got {_value(problem)}",
        "finite_number": lambda problem: f"a finite number, got {_value(problem)}",
        "bool_type": lambda problem: f"true or false, got {_value(problem)}",
        "bool_parsing": lambda problem: f"true or false, got {_value(problem)}",
        "greater_than": lambda problem: f"a number over {_limited(problem, 'gt')}",
        "greater_than_equal": lambda problem: f"at least {_limited(problem, 'ge')}",
        "less_than": lambda problem: f"a number below {_limited(problem, 'lt')}",
        "less_than_equal": lambda problem: f"at most {_limited(problem, 'le')}",
        "literal_error": lambda problem: _one_of(problem),
        "enum": lambda problem: _one_of(problem),
        "list_type": lambda problem: f"a list, got {_kind(problem)}",
        **{kind: lambda problem: f"an object, got {_kind(problem)}" for kind in _NO_OBJECT_TYPES},
    }
)
"""Type of an error -> what the field must be, and what it is."""


def first_problem(problems: Sequence[Problem]) -> Problem:
    """The first problem of what is given, else what is missing, as a misspelled field often is both.

    Where several forms of a field are allowed, it is that of the form that fits furthest.
    """
    first = next((one for one in problems if one["type"] != "missing"), problems[0])
    depth = next((place for place, part in enumerate(first["loc"]) if _is_form(part)), None)
    if depth is None:
        return first
    return max((one for one in problems if one["loc"][:depth] == first["loc"][:depth]), key=lambda one: len(one["loc"]))


def place_of(problem: Problem) -> tuple[str, ...]:
    """Names of the field with the problem, from the outermost in; none for the whole body."""
    parts = problem["loc"][1:] if problem["loc"][:1] and problem["loc"][0] in _WHERE else problem["loc"]
    found = tuple(short(part) for part in parts if not _is_form(part))
    return (*found, short(problem["ctx"]["field"])) if problem["type"] == UNKNOWN_FIELD else found


def in_words(problem: Problem, whole: str = "the body") -> str:
    """A problem in one line, without what may be a secret.

    Args:
        problem: from `first_problem`.
        whole: what has the fields.
    """
    kind, name = problem["type"], ".".join(place_of(problem)) or whole
    if kind == "json_invalid" or (name == whole and kind in _NO_OBJECT_TYPES | {"missing"}):
        return "the body must be a JSON object, with Content-Type: application/json"
    if kind == "missing":
        return f"{name} is required"
    if kind == UNKNOWN_FIELD:
        return f"{name} is {unknown(problem['ctx']['field'], problem['ctx']['known'])}"
    if kind in _WANTED:
        return f"{name} {'must have' if 'too_' in kind else 'must be'} {_WANTED[kind](problem)}"
    ours = problem.get("ctx", {}).get("error")
    if isinstance(ours, SettingError):
        return one_line(ours)  # a whole message, which names the field
    return one_line(f"{name}: {problem['msg'].removeprefix('Value error, ')}")


def _is_form(part: object) -> bool:
    """Whether a part of a location is no field, but one of the types that a field may have."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or part.startswith("list["))


def _kind(problem: Problem) -> str:
    given = problem.get("input")
    return next((name for kind, name in _JSON_KINDS if isinstance(given, kind)), "null")


def _value(problem: Problem) -> str:
    given = problem.get("input")
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int | float):
        return short(given)
    return short(repr(given)) if isinstance(given, str) else _kind(problem)


def _limited(problem: Problem, key: str) -> str:
    """A limit of a number, and the number, which is text in a query."""
    limit, given = problem["ctx"][key], problem.get("input")
    is_whole = isinstance(limit, float) and limit.is_integer()
    return f"{int(limit) if is_whole else limit}, got {short(given)}"


def _one_of(problem: Problem) -> str:
    """Allowed names, without pydantic's quotes and `or`, and what is given."""
    names = str(problem["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
    return f"one of {names}, got {_value(problem)}{did_you_mean(problem.get('input'), names.split(', '))}"


def _counted(problem: Problem, limit: str) -> str:
    """A limit of a length, and the length."""
    most, given = problem["ctx"][limit], problem.get("input")
    unit = "character" if isinstance(given, str) else "item"
    length = f", got {len(given)}" if isinstance(given, Sized) else ""
    return f"{most} {unit}{'' if most == 1 else 's'}{length}"
