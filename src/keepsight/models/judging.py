"""Prompt with which a model judges a caption, in the form that it was trained on.

`plain` uses the user's words, for instruction-following models. `toy-world` is for the bundled models: they were
trained on questions such as `is there a dog?` but on no requests, so `Tell me when a dog comes in` becomes that
question. Entering needs no word of its own, since alerts are edge-triggered.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from keepsight.method.model_info import JudgingStyle

_REQUEST = re.compile(
    r"^(?:please\s+|can you\s+|could you\s+)*"
    r"(?:tell|let|notify|alert|warn|inform|say)\b(?:\s+(?:me|us))?(?:\s+know)?"
    r"(?:\s+(?:when|whenever|if|once|as\s+soon\s+as|that))\s+(?P<what>.*)$",
    re.IGNORECASE,
)
_COMING = (
    r"(?:comes?|coming|arrives?|appears?|enters?|shows?|walks?|turns?)(?:\s+(?:in|into|up|by|along|back|on))?"
    r"(?:\s+(?:view|sight|the\s+(?:room|picture|frame|scene|screen|video)))?"
)
_COMES = re.compile(rf"^(?P<thing>(?:a|an|the|some|any)\s+.+?)\s+{_COMING}$", re.IGNORECASE)
_IS_THERE = re.compile(
    r"^(?:(?:there\s+(?:is|are)|(?:you|i|we)\s+see)\s+(?P<seen>.+)|(?P<there>.+)\s+is\s+there)$", re.I
)
_DOES = re.compile(r"^(?P<who>(?:a|an|the|some|any)\s(?:\S+\s)+?)(?P<verb>[a-z]+[^s\W]s)\b(?P<rest>.*)$", re.IGNORECASE)
_IS = re.compile(r"^(?P<who>(?:a|an|the|some|any)\s.+?)\s(?P<verb>is|are|was|were)\s(?P<rest>.+)$", re.IGNORECASE)


def judging_prompt(style: JudgingStyle, question: str) -> str:
    """One-line question over a caption; the reply starts with yes if the caption meets it.

    Args:
        style: `ModelInfo.judging_style` of the model.
        question: the user's question or request.
    """
    return _STYLES[style](" ".join(question.split()))


def _plain(question: str) -> str:
    return (
        f"Answer only yes or no. If this is a request, answer whether what it waits for is in the captions: {question}"
    )


def _toy_world(question: str) -> str:
    request = _REQUEST.match(question)
    if request is None:
        return f"Answer yes or no: {question}"
    what = request["what"].rstrip(" .!?")
    thing = _thing_of(what)
    asked = f"is there {thing}" if thing else _as_question(what)
    return f"Answer yes or no: {asked}?"


_STYLES: Final[Mapping[JudgingStyle, Callable[[str], str]]] = MappingProxyType(
    {"plain": _plain, "toy-world": _toy_world}
)


def _as_question(what: str) -> str:
    """Statement as a question: `the dog leaves` becomes `does the dog leave`."""
    if (is_so := _IS.match(what)) is not None:
        return f"{is_so['verb']} {is_so['who']} {is_so['rest']}"
    if (does := _DOES.match(what)) is not None:
        return f"does {does['who']}{_base_of(does['verb'])}{does['rest']}"
    return f"is it true that {what}"


def _base_of(verb: str) -> str:
    """Third-person verb without its ending, by spelling rules."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    return verb[:-2] if re.search(r"(?:ch|sh|ss|x|o)es$", verb) else verb[:-1]


def _thing_of(what: str) -> str | None:
    """Thing that a request waits to appear, or None for other requests."""
    there = _IS_THERE.match(what)
    if there is not None:
        return there["seen"] or there["there"]
    comes = _COMES.match(what)
    return comes["thing"] if comes is not None else None
