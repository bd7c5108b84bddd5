"""Scopes in words, to say back what a question was asked of: `from 14:00 to 15:00 yesterday`."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from math import inf

from keepsight.asking.understanding.calendar_days import DAY, midnight
from keepsight.asking.understanding.time_phrases import Relation, TimePhrase
from keepsight.asking.understanding.time_points import Counted, Point
from keepsight.asking.understanding.wall_points import Interval, WallReader
from keepsight.spans import format_clock

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def said_of(phrases: Sequence[TimePhrase], words: str, interval: Interval, reader: WallReader | None) -> str:
    """The interval in words: of the wall clock if the question speaks of it, else of the video."""
    is_measured = len(phrases) == 1 and phrases[0].relation is Relation.AT and phrases[0].first.measure is not None
    if is_measured and _is_last(phrases[0].first) and not words.lower().endswith(" ago"):
        return words if words.lower().startswith(("in", "over", "during", "within")) else f"in {words}"
    is_wall = reader is not None and not all(one.first.is_on_stream and not _is_last(one.first) for one in phrases)
    start, end = interval.start, interval.end
    if reader is None or not is_wall:
        begin = format_clock(max(0.0, start)) if start > -inf else ""
        until = format_clock(max(0.0, end)) if end < inf else ""
        return _from_to(begin, until) + " of the recording"
    return _said_of_wall(start, end, reader)


def _is_last(point: Point) -> bool:
    """Whether a point on the stream is counted from now."""
    return point.ago_seconds is not None or (point.measure is not None and point.measure.counted is Counted.LAST)


def _said_of_wall(start: float, end: float, reader: WallReader) -> str:
    """Whole days by their names, other times with their day: once, if both are of one day."""
    begin = reader.shown(start) if start > -inf else None
    until = reader.shown(end) if end < inf else None
    if begin and until and begin == midnight(begin) and until == midnight(until) and begin < until:
        last = until - DAY
        first_day, last_day = _day_name(begin, reader.now), _day_name(last, reader.now)
        return first_day if begin == last else f"from {first_day.removeprefix('on ')} to {last_day.removeprefix('on ')}"
    timespec = "seconds" if any(shown is not None and shown.second for shown in (begin, until)) else "minutes"
    zone = f" {reader.zone}" if isinstance(reader.zone, timezone) else ""  # an offset that the question wrote
    first = f"{begin.time().isoformat(timespec)}{zone} {_day_name(begin, reader.now)}" if begin else ""
    if until is None:
        return _from_to(first, "")
    day = midnight(until - timedelta(microseconds=1))
    time = "24:00" if until == midnight(until) else until.time().isoformat(timespec)
    if begin and day == midnight(begin):
        first = begin.time().isoformat(timespec)
    return _from_to(first, f"{time}{zone} {_day_name(day, reader.now)}")


def _from_to(begin: str, until: str) -> str:
    if begin and until:
        return f"from {begin} to {until}"
    return f"since {begin}" if begin else f"until {until}"


def _day_name(shown: datetime, now: datetime) -> str:
    days = (midnight(now) - midnight(shown)).days
    return {0: "today", 1: "yesterday"}.get(days) or f"on {_WEEKDAYS[shown.weekday()]} {shown.date()}"


def clock_at(seconds: float, reader: WallReader | None) -> str:
    """A stream time: date and time of day, or since the start of a stream without a wall clock."""
    if reader is None:
        return format_clock(seconds)
    return reader.shown(seconds).isoformat(sep=" ", timespec="minutes")
