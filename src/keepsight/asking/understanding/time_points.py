"""Points in time that an English question names, before any clock is known: "yesterday evening at 7", "an hour ago".

A part of a day, a month or a short weekday is a noun or a verb as often ("evening dress", "may", "sat"), so they count
only in places for times: after a preposition, beside a day, or with "this" or "last".
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

from keepsight.asking.understanding.time_words import (
    FOLLOWED,
    NTH,
    NUMBER_WORD,
    Clock,
    compiled,
    hour_clock,
    nth_of,
    read_amount,
    read_bare_number,
    read_clock,
    unit_seconds,
)


class Counted(Enum):
    """From where a measured stretch of the stream is counted."""

    LAST = "the last one before now"
    NTH = "the n-th of this length"
    HALF = "the n-th half"


@dataclass(frozen=True)
class Measure:
    """A stretch of the stream by its length: the last ten minutes, the second hour.

    Attributes:
        counted: from where.
        seconds: its length; unused for a half.
        number: from 1; unused for the last.
    """

    counted: Counted
    seconds: float = 0.0
    number: int = 1


@dataclass(frozen=True)
class Point:
    """What a time phrase names: the fields that are written.

    Attributes:
        day: calendar phrase in small letters: `yesterday`, `last friday`, `3 may 2026`, `last week`.
        part: `morning`, `afternoon`, `evening` or `night`.
        clock: time of day.
        ago_seconds: seconds before now.
        position_seconds: seconds from the stream's start.
        measure: stretch of the stream.
        bare_number: a number that what follows may explain, as the 2 of "between 2 and 4 minutes".
        shift_seconds: later than the clock shows, as in "ten minutes after noon"; negative for earlier.
    """

    day: str = ""
    part: str = ""
    clock: Clock | None = None
    ago_seconds: float | None = None
    position_seconds: float | None = None
    measure: Measure | None = None
    bare_number: int | None = None
    shift_seconds: float = 0.0

    @property
    def is_time(self) -> bool:
        """Whether anything but a bare number is known."""
        return bool(self.day or self.part or self.clock) or self.is_on_stream

    @property
    def is_on_stream(self) -> bool:
        """Whether it needs no wall clock."""
        return self.ago_seconds is not None or self.position_seconds is not None or self.measure is not None


MONTH = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)"
)
_WEEKDAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
NTH_DAY = r"(?:the )?(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?!\d)"
_FILM = "(?:video|clip|stream|recording|film|footage|movie|tape|broadcast)"
_DAY = compiled(
    r"(?:today|yesterday|tomorrow|(?:the )?day before yesterday"
    rf"|(?:{_WEEKDAY},? )?{NTH_DAY}(?: of)? {MONTH}(?:,? \d{{4}})?"
    rf"|(?:{_WEEKDAY},? )?{MONTH} {NTH_DAY}(?:,? \d{{4}})?(?![:\d])"
    r"|\d{4}-\d\d-\d\d(?=t\d|\b)|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{1,2}/\d{1,2}/\d\d"
    rf"|{MONTH} (?:19|20)\d\d|(?:(?:last|this|next) )?{_WEEKDAY}"
    rf"|(?:last|this|next) (?:{MONTH}|week|month|year|weekend)|the weekend"
    rf"|(?:{NUMBER_WORD}|an?) (?:days?|weeks?|fortnights?|months?|years?) ago)(?:\b|(?<=\d)(?=t\d))"
)
# Only after a preposition: "may", "sat" and "sun" are words, too, and years are numbers.
_DAY_AFTER_PREPOSITION = compiled(
    rf"(?:(?:{MONTH}|(?-i:Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun))\b"
    rf"|(?:19|20)\d\d(?= ?$|[?.,;!])|the \d{{1,2}}(?:st|nd|rd|th)\b{FOLLOWED})"
)
# "The 3 may enter", "12 march in": in small letters, with only a number, and no preposition before it.
_VERB = re.compile(r"^(?:the )?\d{1,2} (?:may|march)$|^(?:may|march) \d{1,2}$")
_PART = compiled(
    r"(?:early |late )?(?:(?P<which>this|last|the) )?(?:early |late )?(?P<part>morning|afternoon|evening|night)\b"
    r"|(?P<word>tonight|overnight)\b"
)
_NUMBERED = compiled(r"(?:the )?(?P<unit>minute|second|hour) (?P<number>\d{1,5})\b")
_JOIN = compiled(r"t(?=\d\d:)|,? (?:at |on |in the |of |around |early |late )?")
_MARK = compiled(rf"[ -]mark\b| in(?=$|[?.,])| in(?:to)? (?:the |this )?{_FILM}\b| of (?:the |this )?{_FILM}\b")
_MEASURED = compiled(rf"(?:the )?(?:very )?(?:(?P<last>last|past|previous)|(?P<nth>{NTH})) ")
_HALF = compiled(rf"(?:the )?(?P<which>first|second|last) half of (?:the |this )?{_FILM}\b")
_SHIFT = compiled(r" (?P<word>before|after) ")


def read_point(text: str, start: int, *, after_preposition: bool, takes_bare_hour: bool) -> tuple[Point, int] | None:
    """All that is said of one point, in any order ("yesterday evening at 7", "3 pm on Friday"), and the index after."""
    if measure := _measure(text, start):
        return measure
    found = _part_of_point(text, start, after_preposition=after_preposition)
    if found is None and takes_bare_hour and (bare := read_bare_number(text, start)):
        found = Point(clock=hour_clock(bare[0]), bare_number=bare[0]), bare[1]
    while found is not None and not found[0].is_on_stream:
        point, end = found
        join = _JOIN.match(text, end)
        if join is None:
            break
        more = _part_of_point(text, join.end(), after_preposition=join[0].lower() == " on ")
        if more is None and join[0].lower().endswith("at ") and (bare := read_bare_number(text, join.end())):
            more = Point(clock=hour_clock(bare[0])), bare[1]
        merged = _merged(point, more[0]) if more else None
        if more is None or merged is None:
            break
        found = merged, more[1]
    return found


def _merged(one: Point, other: Point) -> Point | None:
    """Two points as one, or None if both say the same kind of thing."""
    if other.is_on_stream or (one.day and other.day) or (one.part and other.part) or (one.clock and other.clock):
        return None
    return replace(one, day=one.day or other.day, part=one.part or other.part, clock=one.clock or other.clock)


def _part_of_point(text: str, start: int, *, after_preposition: bool) -> tuple[Point, int] | None:
    match = _DAY.match(text, start)
    if match and not after_preposition and _VERB.search(match[0]):
        match = None
    if match is None and after_preposition:
        match = _DAY_AFTER_PREPOSITION.match(text, start)
    if match:
        return Point(day=match[0].lower()), match.end()
    if match := _PART.match(text, start):
        if match["word"]:
            return Point("today" if match["word"].lower() == "tonight" else "", "night"), match.end()
        day = {"this": "today", "last": "yesterday"}.get((match["which"] or "").lower(), "")
        return Point(day, match["part"].lower()), match.end()
    if clock := read_clock(text, start):
        return Point(clock=clock[0]), clock[1]
    if after_preposition and (match := _NUMBERED.match(text, start)):
        return Point(position_seconds=float(int(match["number"]) * unit_seconds(match["unit"]))), match.end()
    amount = read_amount(text, start)
    if amount is None or not amount[0].is_counted:
        return None
    seconds, end = amount[0].seconds, amount[1]
    if text[end : end + 4].lower() == " ago":
        if amount[0].is_vague:
            return Point(measure=Measure(Counted.LAST, 2 * seconds)), end + 4
        return Point(ago_seconds=seconds), end + 4
    if shift := _SHIFT.match(text, end):
        seconds = -seconds if shift["word"].lower() == "before" else seconds
        of_clock = read_clock(text, shift.end())
        return (Point(clock=of_clock[0], shift_seconds=seconds), of_clock[1]) if of_clock else None
    mark = _MARK.match(text, end)
    if not (after_preposition or mark):
        return None
    return Point(position_seconds=seconds), mark.end() if mark else end


def read_numbered(text: str, start: int) -> tuple[Point, int] | None:
    """The stretch that "in" makes of "minute 5": the fifth minute."""
    match = _NUMBERED.match(text, start)
    if match is None or not int(match["number"]):
        return None
    seconds = float(unit_seconds(match["unit"]))
    return Point(measure=Measure(Counted.NTH, seconds, int(match["number"]))), match.end()


def _measure(text: str, start: int) -> tuple[Point, int] | None:
    """The last ten minutes, the first hour, the second half hour, the first half of the video."""
    if half := _HALF.match(text, start):
        number = 1 if half["which"].lower() == "first" else 2
        return Point(measure=Measure(Counted.HALF, number=number)), half.end()
    opening = _MEASURED.match(text, start)
    read = read_amount(text, opening.end()) if opening else None
    if opening is None or read is None:
        return None
    amount, end = read
    if opening["last"]:
        is_calendar = not amount.is_counted and amount.unit in ("week", "month", "year")
        if is_calendar and opening[0].lower() == "last ":  # a calendar week, as "the last week" is not
            return None
        return Point(measure=Measure(Counted.LAST, amount.seconds)), end
    number = nth_of(opening["nth"])
    return (Point(measure=Measure(Counted.NTH, amount.seconds, number)), end) if number else None
