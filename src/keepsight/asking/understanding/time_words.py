"""Written amounts of time and times of day: "an hour and a half", "90 s", "2:30 pm", "half past three".

A number is a time only with a unit, `am` or `pm`, a colon or `o'clock`; the hour of "at 3" is read apart, by
`read_bare_number`, where a preposition of time stands before it and no noun after it ("at 3 tables").
All patterns take single spaces, and no part of them repeats without a limit, so reading takes linear time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone

_DIGITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_WORDS = f"{_DIGITS} {_TEENS}".split()
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90}
NUMBERS = {word: number for number, word in enumerate(_WORDS, start=1)} | _TENS
_NTH = "first second third fourth fifth sixth seventh eighth ninth tenth"
ORDINALS = {word: number for number, word in enumerate(_NTH.split(), start=1)}
_FRACTIONS = {"half an": 0.5, "half a": 0.5, "half": 0.5, "a quarter of an": 0.25, "quarter of an": 0.25}
_QUARTERS = {"three quarters of an": 0.75}
_A_FEW = 5.0
_VAGUE = {"a couple of": 2.0, "couple of": 2.0, "a few": _A_FEW, "few": _A_FEW, "several": _A_FEW}
_AMOUNTS: dict[str, float] = {**_FRACTIONS, **_QUARTERS, **_VAGUE, **NUMBERS, "an": 1.0, "a": 1.0}
_UNIT_SECONDS = {"s": 1, "mi": 60, "h": 3600, "d": 86400, "w": 604800, "f": 1209600, "mo": 2592000, "y": 31536000}


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that ignores case, for ASCII letters and digits only."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def either(words: dict[str, int] | dict[str, float]) -> str:
    """Alternatives of a pattern, the longest first."""
    return "|".join(sorted(words, key=len, reverse=True))


NTH = rf"{either(ORDINALS)}|\d{{1,3}}(?:st|nd|rd|th)"
NUMBER_WORD = rf"\d{{1,2}}|{either(NUMBERS)}"
_AMOUNT = compiled(
    rf"(?:(?P<number>\d{{1,5}}(?:\.\d{{1,2}})?|{either(_AMOUNTS)})(?P<half> and a half)?(?:[ -]|(?<=\d)))?"
    r"(?P<unit>seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|fortnights?|months?|years?|(?<=\d)[smh])\b"
    r"(?P<later_half> and a half\b)?"
    r"(?:,? (?:and )?(?P<more>\d{1,2}) ?(?P<more_unit>minutes?|mins?|seconds?|secs?)\b)?"
)
# What may follow a bare hour: the end, punctuation, or a word that is no noun.
FOLLOWED = (
    r"(?=$|[?.!,;)\"”](?!\d)| ?[-–] ?\d"
    r"| (?:today|yesterday|on|and|or|to|until|till|at|did|was|were|is|are|has|have|had|the|what|who|where|how|sharp"
    r"|this|last|in)\b)"
)
_HALF_DAY = r"(?: ?(?P<half>[ap])\.?m\b\.?)"
# "14:00-15:00" is a range, so an offset with a minus stands only after seconds.
_OFFSET = r"(?:\+|(?<=:\d\d:\d\d)-)\d\d:?\d\d\b(?!:)"
_ZONE = rf"(?: ?(?P<offset>z\b|utc\b|gmt\b|{_OFFSET})| (?P<zone>(?-i:[A-Z]{{3,4}}))\b)?"
_DIGITAL = compiled(
    rf"(?P<hour>\d{{1,3}}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{{1,6}})?)?(?!\d){_HALF_DAY}?{_ZONE}"
)
_HOUR = compiled(rf"(?P<hour>\d{{1,2}})(?:\.(?P<minute>\d\d))?{_HALF_DAY}{_ZONE}")
_FRENCH = compiled(r"(?P<hour>\d{1,2})h(?P<minute>\d\d)\b|(?P<alone>1[3-9]|2[0-4])h\b(?! ago)")
_FOUR_DIGITS = compiled(r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d) ?(?:hours|hrs|h)\b")
_NAMED = compiled(r"(?:12 )?(?P<name>noon|midday|midnight)\b")
_MINUTES = rf"(?:{either(NUMBERS)})(?: minutes?)?|\d{{1,2}} minutes?"  # "3 to 2" is a score
_PAST = rf"(?:(?P<past>half past|(?:a )?quarter (?:past|to)|(?:{_MINUTES}) (?:past|to)) )"
_SPOKEN = compiled(
    rf"{_PAST}?(?P<hour>{NUMBER_WORD})\b(?P<clock> ?o[’']? ?clock\b)?(?:{_HALF_DAY}|(?P<plain>{FOLLOWED}))?"
)
_BARE_NUMBER = compiled(rf"(?P<number>\d{{1,5}}|{either(NUMBERS)})\b{FOLLOWED}")


@dataclass(frozen=True)
class Clock:
    """A written time of day.

    Attributes:
        hour: 0 to 23; None for digits that are only a time of a video, such as `75:30`.
        minute: 0 to 59.
        second: None if not written.
        is_half_known: an hour of the 12-hour clock without `am` or `pm`.
        video_seconds: the digits as a time of a video (`1:30` is 90 s, as for `--at`); None if they cannot be one.
        zone: a written UTC offset.
        zone_name: another zone's written abbreviation, such as `CET`.
    """

    hour: int | None
    minute: int = 0
    second: int | None = None
    is_half_known: bool = False
    video_seconds: float | None = None
    zone: timezone | None = None
    zone_name: str = ""


@dataclass(frozen=True)
class Amount:
    """A written amount of time; vague ones ("a few minutes") are not to be taken literally."""

    seconds: float
    unit: str
    unit_seconds: float
    is_counted: bool
    is_vague: bool


def number_of(word: str) -> int:
    """Number of a `NUMBER_WORD`."""
    return int(word) if word.isdigit() else NUMBERS[word.lower()]


def nth_of(word: str) -> int:
    """Number of an `NTH`."""
    return ORDINALS.get(word.lower()) or int(re.sub(r"\D", "", word))


def unit_seconds(unit: str) -> int:
    """Seconds of a unit's name; a month has 30 days."""
    unit = unit.lower()
    return _UNIT_SECONDS["mi" if unit == "m" else unit[: 2 if unit[0] == "m" else 1]]


def read_amount(text: str, place: int) -> tuple[Amount, int] | None:
    """Amount at an index, and the index after it; "a few minutes" and "minutes" are five, "hour" is one."""
    match = _AMOUNT.match(text, place)
    if match is None:
        return None
    number, unit = match["number"], match["unit"].lower()
    count = _A_FEW if unit.endswith("s") else 1.0
    if number is not None:
        count = _AMOUNTS.get(number.lower()) or float(number)
    count += 0.5 if match["half"] or match["later_half"] else 0.0
    more = int(match["more"]) * unit_seconds(match["more_unit"]) if match["more"] else 0
    is_vague = number is not None and number.lower() in _VAGUE
    seconds = count * unit_seconds(unit) + more
    return Amount(seconds, unit, unit_seconds(unit), number is not None, is_vague), match.end()


def read_clock(text: str, place: int) -> tuple[Clock, int] | None:
    """Time of day at an index, and the index after it."""
    for pattern, read in _READERS:
        match = pattern.match(text, place)
        clock = match and read(match)
        if match and clock:
            return clock, match.end()
    return None


def read_bare_number(text: str, place: int) -> tuple[int, int] | None:
    """Number at an index that no noun follows, as the hour of "at 3?", and the index after it."""
    match = _BARE_NUMBER.match(text, place)
    return (number_of(match["number"]), match.end()) if match else None


def hour_clock(number: int) -> Clock | None:
    """Clock of a bare hour; None if no clock shows it."""
    return Clock(number % 24, is_half_known=1 <= number <= 12) if number <= 24 else None


def _digital(match: re.Match[str]) -> Clock | None:
    groups = match.groupdict()
    hour, minute, second = int(groups["hour"]), int(groups["minute"] or 0), groups.get("second")
    half = (groups["half"] or "").lower()
    rest = int(second or 0)
    # m:ss or h:mm:ss
    seconds = hour * 60 + minute if second is None else hour * 3600 + minute * 60 + rest
    is_video_time = ":" in match[0] and not half and minute < 60 and rest < 60
    if minute > 59 or rest > 59 or hour > (12 if half else 24) or (hour == 24 and minute):
        return Clock(None, video_seconds=float(seconds)) if is_video_time else None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    is_half_known = not half and 1 <= hour <= 12 and len(groups["hour"]) == 1
    zone = _offset(groups["offset"]) if groups["offset"] else None
    return Clock(
        hour % 24,
        minute,
        None if second is None else rest,
        is_half_known,
        float(seconds) if is_video_time else None,
        zone,
        groups["zone"] or "",
    )


def _offset(text: str) -> timezone | None:
    if text[0] not in "+-":
        return UTC
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-shift if text[0] == "-" else shift) if shift < timedelta(hours=24) else None


def _named(match: re.Match[str]) -> Clock:
    return Clock(0 if match["name"].lower() == "midnight" else 12)


def _spoken(match: re.Match[str]) -> Clock | None:
    hour, past = number_of(match["hour"]), (match["past"] or "").lower()
    half = (match["half"] or "").lower()
    if not 1 <= hour <= 12 or not (match["clock"] or half or (past and match["plain"] is not None)):
        return None
    word = past.removeprefix("a ").split()[0] if past else ""
    minutes = {"": 0, "half": 30, "quarter": 15}.get(word)
    minutes = number_of(word) if minutes is None else minutes
    if minutes > 59:
        return None
    total = hour * 60 + (-minutes if past.endswith("to") else minutes)
    if half:
        total = total % 720 + (720 if half == "p" else 0)
    return Clock(total // 60, total % 60, None, not half)


def _military(match: re.Match[str]) -> Clock | None:
    groups = match.groupdict()
    hour, minute = int(groups["hour"] or groups.get("alone") or 0), int(groups["minute"] or 0)
    return Clock(hour % 24, minute) if hour <= 24 and minute <= 59 else None


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Clock | None]], ...] = (
    (_DIGITAL, _digital),
    (_HOUR, _digital),
    (_FRENCH, _military),
    (_FOUR_DIGITS, _military),
    (_NAMED, _named),
    (_SPOKEN, _spoken),
)
