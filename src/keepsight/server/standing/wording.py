"""What the model is asked for a standing question, and what a caption is searched for.

People write requests, models answer questions. `Tell me when a dog comes in` becomes `is there a dog?`: that it comes
is what the edge says, since only what was not so before is told of. Measured with the bundled model, which was taught
questions of this form and no requests.
"""

import re

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
_WORD = re.compile(r"\w+")

_EMPTY = """
a an the this that these those some any there here it its is are was were be been being am do does did doing done
has have had will would can could should may might of to at on in into and or if when whenever once while as soon by
for from with tell me us let know notify inform alert warn say please i you we see seen saw watch look someone
something anything anyone somebody anybody what which who appear appears appeared appearing come comes came coming
arrive arrives arrived arriving enter enters entered entering show shows showed showing up visible now new happen
happens video picture caption clip scene answer yes no true
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())


def asked_of_model(question: str) -> str:
    """The yes or no question that the model gets for a question or a request, on one line."""
    asked = " ".join(question.split())
    request = _REQUEST.match(asked)
    if request is None:
        return f"Answer yes or no: {asked}"
    what = request["what"].rstrip(" .!?")
    thing = _thing_of(what)
    asked = f"is there {thing}" if thing else _as_question(what)
    return f"Answer yes or no: {asked}?"


def content_words(question: str) -> list[str]:
    """The words of a question that a caption must have, in their order; empty where it has none.

    Left out are the words that only ask, such as `tell me when`, and those that only say that something is there or
    comes.
    """
    return [word for word in _WORD.findall(question) if word.lower() not in _EMPTY_WORDS]


def _as_question(what: str) -> str:
    """A statement as a question: `the dog leaves` as `does the dog leave`."""
    if (is_so := _IS.match(what)) is not None:
        return f"{is_so['verb']} {is_so['who']} {is_so['rest']}"
    if (does := _DOES.match(what)) is not None:
        return f"does {does['who']}{_base_of(does['verb'])}{does['rest']}"
    return f"is it true that {what}"


def _base_of(verb: str) -> str:
    """A verb in the third person without its ending, by the rules of spelling."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    return verb[:-2] if re.search(r"(?:ch|sh|ss|x|o)es$", verb) else verb[:-1]


def _thing_of(what: str) -> str | None:
    """What a request wants to see come or be there, or None where it is about something else."""
    there = _IS_THERE.match(what)
    if there is not None:
        return there["seen"] or there["there"]
    comes = _COMES.match(what)
    return comes["thing"] if comes is not None else None
