"""The time span that a question is limited to, from its time phrases and the stream's clock.

Decisions, where English leaves it open. The scope is said back, so that a user sees which was taken:

- A moment is given room on both sides: 10 s if written with seconds or of the video, a minute with minutes, 5 minutes
  for a full hour, 15 for "around" (60 s in the video); for an amount "ago" a tenth of it, at least 10 s. "A few" are
  five and "a couple" two; "a few minutes ago" is any time in the last ten.
- Without a date, a time is its latest occurrence up to now. Without `am` or `pm` ("at 3", "3:30") both readings count:
  the latest on the stream; on a named day the one from 07:00 to 18:59. Two digits ("03:30") are of 24 hours.
- "Between 2 and 4 pm", "from 10 to 2": of all readings on the stream the shortest, then the latest. It may cross
  midnight.
- "Friday" is the latest before today; today, if only that is on the stream. "3/4/2026" is the reading on the stream, or
  3 April. A date without a year is the latest up to today.
- Morning is 05:00 to 12:00, afternoon 12:00 to 18:00, evening 17:00 to 24:00, night 18:00 to 06:00. Before 06:00
  "tonight" began yesterday. "In the morning" is the latest that has begun, "at night" a habit and no time.
- Since a day is from its start, after a day from its end, before a day to its start, until and by a day to its end.
  "Before 5 pm" may be later today. Before and after a time of a named day are of that day: "after 5 pm yesterday".
- Clocks set back: a repeated time means both. Clocks set forward: a skipped time means the hour around it.
- Several times limit together ("yesterday, after 5 pm"); if nothing is left ("Monday or Friday"), all between them.
- Without a wall clock, as for a file, `1:30` is a time of the video in minutes and seconds, as for `--at`. What needs a
  clock or a calendar has no place there.
- What lies outside the stream or has no place is no filter: the scope has no span, and says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import reduce

from keepsight.asking.understanding.scope_text import clock_at, said_of
from keepsight.asking.understanding.time_phrases import Relation, TimePhrase
from keepsight.asking.understanding.time_points import Counted, Measure, Point
from keepsight.asking.understanding.wall_points import Interval, UnplacedError, WallReader, WallTimes
from keepsight.spans import Span, format_clock


@dataclass(frozen=True)
class Scope:
    """What the time phrases of a question limit it to.

    Attributes:
        words: the phrases as written.
        said: completes "asked of what was seen ...", such as `from 14:00 to 15:00 yesterday`; if it has no place on the
            stream, the reason, as a clause of its own.
        span: in stream seconds, within 0 and the time of asking; None if it has no place on the stream.
    """

    words: str
    said: str
    span: Span | None


def scope_of(
    text: str, phrases: Sequence[TimePhrase], *, now_seconds: float, wall: WallTimes | None, zone: tzinfo | None
) -> Scope | None:
    """Scope of a question's time phrases; None if there are none.

    Args:
        text: that the phrases were found in.
        phrases: in text order.
        now_seconds: stream time of asking; for a live stream that ended, what its clock would show now.
        wall: None for a stream without a wall clock.
        zone: of the user; None for this machine's.
    """
    if not phrases:
        return None
    words = ", ".join(text[phrase.start : phrase.end] for phrase in phrases)
    written = next(
        (point.clock.zone for one in phrases for point in one.points if point.clock and point.clock.zone), None
    )
    try:
        reader = None if wall is None else WallReader(wall, now_seconds, written or zone)
        interval = _combined(phrases, now_seconds, reader)
        said = said_of(phrases, words, interval, reader)
    except UnplacedError as reason:
        return Scope(words, str(reason), None)
    except (OverflowError, OSError, ValueError):  # a year outside the calendar's or the system clock's range
        return Scope(words, f'"{words}" is outside the calendar', None)
    if interval.end < 0:
        return Scope(words, f"{said}: the recording began later, at {clock_at(0.0, reader)}", None)
    if interval.start > now_seconds:
        later = "it has not come yet" if reader else f"the recording ends at {format_clock(now_seconds)}"
        return Scope(words, f"{said}: {later}", None)
    return Scope(words, said, Span(max(0.0, interval.start), min(interval.end, now_seconds)))


def _combined(phrases: Sequence[TimePhrase], now: float, reader: WallReader | None) -> Interval:
    """Interval of all phrases together.

    Raises:
        UnplacedError: one of them has no meaning on the stream.
    """
    alone = [phrase.first for phrase in phrases if _is_day(phrase)]
    others = [phrase for phrase in phrases if not _is_day(phrase)]
    days = [point for point in alone if point.day] or alone
    part = next((point.part for point in alone if point.part and not point.day), "")
    days = [replace(point, part=point.part or part) for point in days]
    day = days[0] if days else Point()
    intervals = [_interval(phrase, now, reader, day) for phrase in others]
    # A time on a named day has the day in it, and a night's times may be of the next one.
    if days and not any(phrase.relation in (Relation.AT, Relation.AROUND, Relation.BETWEEN) for phrase in others):
        places = [_place(point, now, reader) for point in days]
        intervals.append(reduce(Interval.hull, places))
    common = reduce(Interval.intersection, intervals)
    return common if common.start <= common.end else reduce(Interval.hull, intervals)


def _is_day(phrase: TimePhrase) -> bool:
    point = phrase.first
    return phrase.relation is Relation.AT and bool(point.day or point.part) and point.clock is None


def _interval(phrase: TimePhrase, now: float, reader: WallReader | None, day: Point) -> Interval:
    """Interval of one phrase; `day` is named elsewhere in the question."""
    if phrase.second is not None:
        first, second = (_on(day, point) for point in phrase.points)
        if reader and not (first.is_on_stream or second.is_on_stream):
            return reader.between(first, second)
        one, other = (_place(point, now, reader) for point in (first, second))
        return Interval(min(one.start, other.start), max(one.end, other.end))
    point, relation = _on(day, phrase.first), phrase.relation
    place = _place(point, now, reader, may_come=relation in (Relation.UNTIL, Relation.BEFORE))
    match relation:
        case Relation.SINCE:
            return Interval(start=place.start)
        case Relation.UNTIL:
            return Interval(end=place.end)
        case Relation.BEFORE | Relation.AFTER:
            open_one = Interval(end=place.start) if relation is Relation.BEFORE else Interval(start=place.end)
            own_day = reader.day_of(point) if reader and point.day and point.clock else Interval()
            return open_one.intersection(own_day)
    room = _room(point, relation, is_video=reader is None)
    return Interval(place.start - room, place.end + room)


def _on(day: Point, point: Point) -> Point:
    """A point on a day named elsewhere, unless it says its own."""
    if point.is_on_stream or point.day:
        return point
    return replace(point, day=day.day, part=point.part or day.part)


def _place(point: Point, now: float, reader: WallReader | None, *, may_come: bool = False) -> Interval:
    """Where a point lies: a stretch as a whole, a time as one moment."""
    if point.measure is not None:
        return _measured(point.measure, now)
    moment = point.position_seconds if point.ago_seconds is None else now - point.ago_seconds
    if moment is None and reader is not None:
        return reader.place(point, may_come=may_come)
    clock = point.clock
    if moment is None and clock and not (point.day or point.part or clock.zone or clock.zone_name):
        moment = clock.video_seconds
    if moment is None:
        raise UnplacedError("this recording has no date and no time of day")
    return Interval(moment + point.shift_seconds, moment + point.shift_seconds)


def _measured(measure: Measure, now: float) -> Interval:
    match measure.counted:
        case Counted.LAST:
            return Interval(now - measure.seconds, now)
        case Counted.NTH:
            return Interval((measure.number - 1) * measure.seconds, measure.number * measure.seconds)
        case Counted.HALF:
            return Interval((measure.number - 1) * now / 2, measure.number * now / 2)


def _room(point: Point, relation: Relation, *, is_video: bool) -> float:
    """Seconds on both sides of a point that are meant by it."""
    if point.measure is not None:
        return 0.0
    if point.ago_seconds is not None:
        return max(10.0, point.ago_seconds / 10)
    if point.position_seconds is not None or is_video:
        return 60.0 if relation is Relation.AROUND else 10.0
    if point.clock is None:
        return 0.0
    if relation is Relation.AROUND:
        return 900.0
    if point.clock.second is not None:
        return 10.0
    return 60.0 if point.clock.minute else 300.0
