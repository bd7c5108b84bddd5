"""Time phrases of an English question: where they stand, and what they do with the points that they name.

Finding is done by the rules below, since parsers of dates read too much as one: `dateparser.search` takes "the sun" for
a Sunday, "May I" for a month and "between 2 and 4 pm" for a day of February. A preposition says what its time does:
"in ten minutes" and "for two hours" are lengths and no times; "at night" alone is a habit. "First" and "last" with an
amount are times ("the last ten minutes"), without one they are an order, which is not read here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from keepsight.asking.understanding.time_points import (
    MONTH,
    NTH_DAY,
    Counted,
    Measure,
    Point,
    read_numbered,
    read_point,
)
from keepsight.asking.understanding.time_words import NTH, compiled, nth_of, read_amount, unit_seconds


class Relation(Enum):
    """How a time phrase limits what is asked of."""

    AT = "at"
    AROUND = "around"
    SINCE = "since"
    UNTIL = "until"
    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


@dataclass(frozen=True)
class TimePhrase:
    """A time phrase of a question, in `text[start:end]`.

    Attributes:
        start: index of its first character.
        end: index after its last one.
        relation: what it does with its points.
        first: its point, or the earlier of two.
        second: the later point of BETWEEN.
    """

    start: int
    end: int
    relation: Relation
    first: Point
    second: Point | None = None

    @property
    def points(self) -> tuple[Point, ...]:
        """Its points."""
        return (self.first,) if self.second is None else (self.first, self.second)


_RELATIONS: tuple[tuple[re.Pattern[str], Relation, bool], ...] = tuple(
    (compiled(rf"(?:{words}) "), relation, takes_bare_hour)
    for words, relation, takes_bare_hour in (
        (r"(?:ever )?since", Relation.SINCE, True),
        (r"(?:starting )?from", Relation.SINCE, False),
        (r"until|till", Relation.UNTIL, True),
        (r"by|up to|up until", Relation.UNTIL, False),
        (r"before|earlier than|prior to", Relation.BEFORE, True),
        (r"more than", Relation.BEFORE, False),
        (r"after|later than", Relation.AFTER, True),
        (r"less than", Relation.AFTER, False),
        (r"at (?:around|about|roughly|approximately)|around", Relation.AROUND, True),
        (r"about|roughly|circa", Relation.AROUND, False),
        (r"at|at exactly|exactly at", Relation.AT, True),
        (r"at the", Relation.AT, False),
        (r"on|in|during|over|within|throughout|through|of", Relation.AT, False),
    )
)
_LENGTH_WORDS = ("in", "during", "over", "within", "throughout", "through", "of")
_BETWEEN = compiled(r"(?:between|from|(?P<at>at)) (?:the )?(?:(?P<unit>minute|hour|second)s? )?")
_NTHS = compiled(
    rf"(?:between|from) (?:the )?(?P<first>{NTH}) (?:and|to) (?:the )?(?P<second>{NTH}) (?P<unit>second|minute|hour)\b"
)
_TO = compiled(r" ?[-–] ?| (?P<word>and|to|until|till|or) (?P<at>at )?")
_NOW = compiled(r"now\b")
_WORD_START = re.compile(r"(?<![\w.,:/+'’-])\w", re.ASCII)


def find_time_phrases(text: str) -> list[TimePhrase]:
    """Time phrases in text order, without overlaps.

    Args:
        text: with single spaces.
    """
    found: list[TimePhrase] = []
    place = 0
    while match := _WORD_START.search(text, place):
        start = match.start()
        phrase = next((phrase for rule in _RULES if (phrase := rule(text, start))), None)
        if phrase is not None:
            found.append(phrase)
        place = phrase.end if phrase else match.end()
    return found


def _between(text: str, start: int) -> TimePhrase | None:
    opening = _BETWEEN.match(text, start)
    place = opening.end() if opening else start
    first = read_point(text, place, after_preposition=bool(opening), takes_bare_hour=True)
    joined = _TO.match(text, first[1]) if first else None
    if first is None or joined is None or not _joins(joined["word"], opening):
        return None
    second = read_point(text, joined.end(), after_preposition=True, takes_bare_hour=bool(opening))
    if second is None and opening and (now := _NOW.match(text, joined.end())):
        second = Point(ago_seconds=0.0), now.end()
    if second is None:
        return None
    points = _explained(first[0], second[0], text[joined.end() : second[1]], opening["unit"] if opening else None)
    if not all(point.is_time for point in points):
        return None
    is_time = opening or points[0].bare_number is None or (second[0].clock and second[0].bare_number is None)
    return TimePhrase(start, second[1], Relation.BETWEEN, *points) if is_time else None


def _between_nths(text: str, start: int) -> TimePhrase | None:
    """From the 3rd to the 5th minute."""
    match = _NTHS.match(text, start)
    if match is None:
        return None
    numbers = [nth_of(match[group]) for group in ("first", "second")]
    if not all(numbers):
        return None
    points = [Point(measure=Measure(Counted.NTH, unit_seconds(match["unit"]), number)) for number in numbers]
    return TimePhrase(start, match.end(), Relation.BETWEEN, *points)


def _joins(word: str | None, opening: re.Match[str] | None) -> bool:
    """Whether a word joins the ends of a span: "at 8 or 9", "between 8 and 9", "from 8 to 9", "8:00 to 9:00"."""
    if word is None:
        return True
    word = word.lower()
    if opening is None:
        return word not in ("and", "or")
    return word in (("and", "or") if opening["at"] else ("and", "to", "until", "till"))


def _explained(first: Point, second: Point, second_text: str, unit: str | None) -> tuple[Point, Point]:
    """Two points; bare numbers take their meaning from the other: "between 20 and 10 minutes ago", "3 to 5 May"."""
    if unit and first.bare_number is not None and second.bare_number is not None:
        ends = (float(one.bare_number or 0) * unit_seconds(unit) for one in (first, second))
        first, second = (Point(position_seconds=end) for end in ends)
        return first, second
    if first.bare_number is None:
        return first, second
    amount = read_amount(second_text, 0)
    if amount and second.is_on_stream:
        seconds_before = first.bare_number * amount[0].unit_seconds
        is_ago = second.ago_seconds is not None
        return (Point(ago_seconds=seconds_before) if is_ago else Point(position_seconds=seconds_before)), second
    dated = re.fullmatch(rf"{NTH_DAY}((?: of)? {MONTH}.*)", second.day)
    return (Point(day=f"{first.bare_number}{dated[1]}") if dated and second.clock is None else first), second


def _related(text: str, start: int) -> TimePhrase | None:
    for pattern, relation, takes_bare_hour in _RELATIONS:
        opening = pattern.match(text, start)
        found = None
        if opening and opening[0].lower() in ("in ", "during "):
            found = read_numbered(text, opening.end())
        if opening and found is None:
            found = read_point(text, opening.end(), after_preposition=True, takes_bare_hour=takes_bare_hour)
        if opening and found and _fits(opening[0].lower().strip(), found[0]):
            return TimePhrase(start, found[1], relation, found[0])
    return None


def _fits(preposition: str, point: Point) -> bool:
    """Whether a preposition makes a time of a point."""
    if not point.is_time:
        return False
    if point.measure is not None:
        return preposition not in ("more than", "less than", "of")
    if preposition in ("more than", "less than"):
        return point.ago_seconds is not None
    if point.position_seconds is not None:
        return preposition in ("at", "at the", "before", "after", "since", "until", "from", "at around", "at about")
    if preposition in _LENGTH_WORDS:
        return bool(point.day or point.part)
    if preposition == "on":
        return bool(point.day)
    return not (preposition.startswith("at") and point.part and not point.day and point.clock is None)


def _unrelated(text: str, start: int) -> TimePhrase | None:
    """Phrases without a preposition: "yesterday", "14:00", "this morning", "5 min into the video"."""
    found = read_point(text, start, after_preposition=False, takes_bare_hour=False)
    if found is None:
        return None
    point, end = found
    written = text[start:end].lower()
    is_noun = point.clock is None and bool(point.part) and not point.day and written != "overnight"  # "evening dress"
    is_name = written in ("noon", "midday", "midnight")  # "midnight blue"
    return None if is_noun or is_name else TimePhrase(start, end, Relation.AT, point)


_RULES: tuple[Callable[[str, int], TimePhrase | None], ...] = (_between_nths, _between, _related, _unrelated)
