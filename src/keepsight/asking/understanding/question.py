"""A question, understood: what kind of answer it wants, of which time, in which order, and by which words.

Rules over the words, without a model: they take a millisecond, and what they take a question for can be said back. What
no rule knows is of kind `OTHER` without scope, which limits nothing. Only English is read; a question without an
English function word is `OTHER`, with all its words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum

from keepsight.asking.understanding.kinds import AUXILIARY, Kind, Order, kind_of, order_of
from keepsight.asking.understanding.question_words import content_words, is_english
from keepsight.asking.understanding.time_phrases import TimePhrase, find_time_phrases
from keepsight.asking.understanding.time_scope import Scope, scope_of
from keepsight.asking.understanding.time_words import compiled
from keepsight.asking.understanding.wall_points import WallTimes


class Side(Enum):
    """Where the moments asked about lie, seen from an event."""

    BEFORE = "before"
    AFTER = "after"
    WHILE = "while"


@dataclass(frozen=True)
class Anchor:
    """An event that limits the time: `before` + `the dog came`."""

    side: Side
    phrase: str


@dataclass(frozen=True)
class Understood:
    """What a question asks.

    Attributes:
        question: as written.
        kind: what kind of answer is wanted.
        order: preferred order; None for any.
        scope: time that it is limited to; None without a time.
        anchor: event that it is tied to; None without one.
        words: content words asked for, in small letters, in order; without those of scope and anchor.
    """

    question: str
    kind: Kind
    order: Order | None = None
    scope: Scope | None = None
    anchor: Anchor | None = None
    words: tuple[str, ...] = ()


def understand(
    question: str, *, now_seconds: float, wall: WallTimes | None = None, zone: tzinfo | None = None
) -> Understood:
    """Understand a question. Any text is accepted, in time that grows with its length.

    Args:
        question: any text.
        now_seconds: stream time of asking: the end of a file, or what a live stream's clock shows when it is asked.
        wall: the wall clock of a live stream, such as its `StreamRecord`; None for a file.
        zone: time zone of the user; None for this machine's.
    """
    text = " ".join(question.split())
    if not is_english(text):
        return Understood(question, Kind.OTHER, words=content_words(text))
    phrases = find_time_phrases(text)
    found = _find_anchor(text, phrases)
    cuts = [(phrase.start, phrase.end) for phrase in phrases] + ([found[1]] if found else [])
    rest = _without_lead(_without(text, cuts)).replace("right now", "now")
    kind = kind_of(rest)
    return Understood(
        question,
        kind,
        order_of(rest, kind),
        scope_of(text, phrases, now_seconds=now_seconds, wall=wall, zone=zone),
        found[0] if found else None,
        content_words(rest, english=True),
    )


_LEAD = compiled(
    r"[\s,;:.!?-]*(?:(?:hey|hi|hello|ok|okay|so|and|but|well|please|now)\b[,!]? )*"
    r"(?:(?:(?:can|could|would|will) you (?:please )?)?(?:tell|show)(?: me| us)|(?:do|would) you know"
    r"|i(?:[’']d| would)? (?:want|like) to know|i wonder|(?:do you have )?any idea"
    r"|(?:can|could|would|will) you (?:please )?(?=describe|summ|recap|count|list|say))?"
    r"[\s,;:]*(?:please )?(?:exactly )?"
)
_ANCHOR = compiled(
    r"(?<!look )(?<!looks )(?<!looked )(?<!looking )(?<![\w’'-])"
    r"(?:(?:right|just|shortly|immediately|directly|soon|exactly) )?"
    r"(?P<word>before|after|since|until|till|while|whilst|whenever|when|as soon as|once|during)"
    r"(?! (?:all|another|each other|that|this|then|which|it)\b(?= ?$|[?.,!;])) (?=\w)"
)
_SIDES = {"before": Side.BEFORE, "until": Side.BEFORE, "till": Side.BEFORE} | dict.fromkeys(
    ("after", "since", "once", "as soon as"), Side.AFTER
)
_ASKING_AFTER = compiled(rf"{AUXILIARY}\b")
_SUBJECT = compiled(r"(?:the|an?|he|she|they|it|we|i|you|some\w*|any\w*|his|her|their|all|everyone|everybody)\b")
_CLAUSE_END = compiled(r"[?.!;,:]")
_MAIN_CLAUSE = compiled(r" (?:what|who|where|which|how|when|why|did|do|does)\b|[?.!;,:]")
_MAIN_FIRST = compiled(r"how (?:long|soon|many \w+)(?: right| shortly)? ?$")

_LONGEST_EVENT = 200
"""Limit of an event's length in characters, so that reading a text with many prepositions takes linear time."""


def _without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    """Text without some stretches, which may overlap."""
    kept, place = [], 0
    for start, end in sorted(cuts):
        kept.append(text[place : max(place, start)])
        place = max(place, end)
    return " ".join(" ".join([*kept, text[place:]]).split())


def _without_lead(text: str) -> str:
    """Text without what introduces a question: "Hello, can you tell me ..."."""
    lead = _LEAD.match(text)
    return text[lead.end() :] if lead else text


def _find_anchor(text: str, phrases: Sequence[TimePhrase]) -> tuple[Anchor, tuple[int, int]] | None:
    """The first event that a question is tied to, and its place: up to the end of its clause, or to a time phrase."""
    lead = _LEAD.match(text)
    begin = lead.end() if lead else 0
    for match in _ANCHOR.finditer(text):
        start, word = match.start("word"), match["word"].lower()
        if any(phrase.start <= start < phrase.end for phrase in phrases) or _is_asking(text, match, begin):
            continue
        is_main_after = start <= begin or any(one.end >= start - 2 and one.start <= begin for one in phrases)
        is_main_after = is_main_after or bool(_MAIN_FIRST.search(text, max(0, start - 40), start))
        pattern = _MAIN_CLAUSE if is_main_after and "," not in text[start:] else _CLAUSE_END
        limit = min(len(text), match.end() + _LONGEST_EVENT)
        stop = pattern.search(text, match.end(), limit)
        end = min([stop.start() if stop else limit, *(one.start for one in phrases if one.start >= match.end())])
        phrase = text[match.end() : end].strip()
        if not content_words(phrase, english=True):
            continue
        left = _without(text, [(start, end), *((one.start, one.end) for one in phrases)])
        if content_words(left):
            return Anchor(_SIDES.get(word, Side.WHILE), phrase), (match.start(), end)
    return None


def _is_asking(text: str, match: re.Match[str], begin: int) -> bool:
    """Whether "when" asks for a time, or "once" for a number."""
    word = match["word"].lower()
    if word == "once":
        return _SUBJECT.match(text, match.end()) is None
    if word != "when":
        return False
    if _ASKING_AFTER.match(text, match.end()):
        return True
    return 0 < match.start("word") == begin
