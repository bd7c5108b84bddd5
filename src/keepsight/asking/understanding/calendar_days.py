"""Days that a calendar phrase names, as readings on a wall clock without zone.

`dateparser` reads the phrases: given one alone, it knows months, weekdays, ordinals, "the day before yesterday" and
"three weeks ago", and says whether a day, week, month or year is meant. It is imported only for them, since that takes
0.2 s; most questions name no day, or only today and yesterday. Its settings keep one entry for each base, so the base
is a whole day.
"""

import re
from datetime import date, datetime, timedelta

Stretch = tuple[datetime, datetime]
"""Start, and end after it, as a clock shows them."""

PARTS = {"morning": (5, 12), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}
"""Part of a day -> its first hour, and the hour at which it ended; above 24 on the next day."""

DAY = timedelta(days=1)

_NUMERIC = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{2,4})")
_ORDINAL = re.compile(r"the (\d{1,2})(?:st|nd|rd|th)")


def days_named(phrase: str, today: date) -> list[Stretch]:
    """Readings of a calendar phrase, the likeliest first; empty if it names no date.

    Args:
        phrase: such as `yesterday`, `last friday`, `3 may 2026`, `may 2026`, `last week`, `the 3rd`, in small letters.
        today: date of the question.
    """
    if phrase in ("today", "yesterday", "tomorrow"):
        return [_day(today + timedelta(days=("yesterday", "today", "tomorrow").index(phrase) - 1))]
    if phrase.endswith("weekend"):
        return [_weekend(phrase, today)]
    if match := _ORDINAL.fullmatch(phrase):
        return _days_of_month(int(match[1]), today)
    if match := _NUMERIC.fullmatch(phrase):
        return _numeric(int(match[1]), int(match[2]), int(match[3]))
    if phrase.startswith("this ") and phrase.endswith("day"):
        monday = midnight(today - timedelta(days=today.weekday()))
        begun = [one for one in days_named(phrase.removeprefix("this "), today) if one[0] >= monday]
        if begun:
            return begun
    stretch = _read(phrase, today)
    if stretch is None:
        return []
    # Of a weekday that is today's, the library takes the one a week ago.
    is_week_ago = stretch == _day(today - 7 * DAY) and not re.search(r"last|ago|\d", phrase)
    return [stretch, _day(today)] if is_week_ago else [stretch]


def part_of(start: datetime, part: str) -> Stretch:
    """A part of the day that starts at a time."""
    first, last = PARTS[part]
    return start + timedelta(hours=first), start + timedelta(hours=last)


def midnight(day: date) -> datetime:
    """Start of a day."""
    return datetime(day.year, day.month, day.day)


def _day(day: date) -> Stretch:
    return midnight(day), midnight(day) + DAY


def _weekend(phrase: str, today: date) -> Stretch:
    """Saturday and Sunday: of this week, or the latest that began; of `last`, the latest that ended."""
    monday = today - timedelta(days=today.weekday())
    weeks = -1 if phrase.startswith("last") or (not phrase.startswith("this") and today.weekday() < 5) else 0
    saturday = midnight(monday + timedelta(days=5 + 7 * weeks))
    return saturday, saturday + 2 * DAY


def _days_of_month(number: int, today: date) -> list[Stretch]:
    """The latest day with a number that is not after today."""
    days = (today - timedelta(days=back) for back in range(62))
    return [_day(day) for day in days if day.day == number][:1]


def _numeric(first: int, second: int, year: int) -> list[Stretch]:
    """Both readings of `3/4/2026`, the day first, if they differ."""
    year += 2000 if year < 100 else 0
    readings = []
    for month, day in dict.fromkeys(((second, first), (first, second))):
        try:
            readings.append(_day(date(year, month, day)))
        except ValueError:
            continue
    return readings


def _read(phrase: str, today: date) -> Stretch | None:
    """Reading of `dateparser`, or None."""
    from dateparser.date import DateDataParser

    settings = {
        "RELATIVE_BASE": midnight(today),
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
        "TIMEZONE": "UTC",  # without it, the library looks for this machine's
    }
    found = DateDataParser(languages=["en"], settings=settings).get_date_data(phrase)
    if found.date_obj is None:
        return None
    day = found.date_obj.date()
    match found.period:
        case "week":
            start = midnight(day - timedelta(days=day.weekday()))
            return start, start + 7 * DAY
        case "month":
            start = midnight(day.replace(day=1))
            return start, (start + 31 * DAY).replace(day=1)
        case "year":
            start = midnight(day.replace(month=1, day=1))
            return start, start.replace(year=start.year + 1)
    return _day(day)
