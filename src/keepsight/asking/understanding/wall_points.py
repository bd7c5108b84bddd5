"""Where points of a wall clock and calendar lie on a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from math import inf
from typing import Protocol

from keepsight.asking.understanding.calendar_days import DAY, PARTS, Stretch, days_named, midnight, part_of
from keepsight.asking.understanding.time_points import Point
from keepsight.asking.understanding.time_words import Clock

_DAYTIME = range(7, 19)
_LATE_HOURS = range(6)  # of a night that began the day before


class WallTimes(Protocol):
    """A stream's wall clock, as a `StreamRecord` of a live stream is one."""

    def wall_time(self, seconds: float) -> datetime:
        """Wall-clock time at a stream time, with zone."""

    def seconds_at(self, moment: datetime) -> float:
        """Stream time of a moment; negative before the stream's start."""


class UnplacedError(Exception):
    """A time phrase means nothing on this stream; the text says why, and becomes the scope's.

    It never leaves this package: no question is refused for its time.
    """


@dataclass(frozen=True)
class Interval:
    """A span in stream seconds, which may reach beyond the stream; infinite where open."""

    start: float = -inf
    end: float = inf

    def intersection(self, other: "Interval") -> "Interval":
        """What both have; its end is before its start if that is nothing."""
        return Interval(max(self.start, other.start), min(self.end, other.end))

    def hull(self, other: "Interval") -> "Interval":
        """The shortest with both."""
        return Interval(min(self.start, other.start), max(self.end, other.end))


class WallReader:
    """Places points on a stream with a wall clock.

    Args:
        wall: the stream's clock.
        now_seconds: stream time of asking.
        zone: zone that times are written in; None for this machine's.

    Attributes:
        now: when it is asked, as a clock in the zone shows it.
        zone: as given.
    """

    def __init__(self, wall: WallTimes, now_seconds: float, zone: tzinfo | None) -> None:
        self._wall = wall
        self.zone = zone
        self.now = self.shown(now_seconds)
        self._began = self.shown(0.0)

    def shown(self, seconds: float) -> datetime:
        """What a clock in the zone shows at a stream time; without zone."""
        return self._wall.wall_time(seconds).astimezone(self.zone).replace(tzinfo=None)

    def place(self, point: Point, *, may_come: bool = False, before: float | None = None) -> Interval:
        """A day or part of it as a whole, a time as one moment.

        Args:
            point: of a calendar or clock.
            may_come: whether a time without a day may be later today.
            before: take the latest before this stream time; None for now.

        Raises:
            UnplacedError: it is no date, or its time zone is unknown.
        """
        now = self.now if before is None else self.shown(before)
        if point.clock is None:
            return self._seconds(self._best(self._days(point, now), now))
        moments = self._moments(point, point.clock, now)
        if may_come and not point.day and not point.clock.is_half_known:
            return self._seconds((moments[-1], moments[-1]) if moments[-1] > now else (moments[0], moments[0]))
        return self._seconds(self._best([(moment, moment) for moment in moments], now))

    def day_of(self, point: Point) -> Interval:
        """The day of a point that names one, or of its part `night` up to the next morning."""
        start, end = self._best(self._days(replace(point, part=""), self.now), self.now)
        return self._seconds((start, part_of(start, "night")[1] if point.part == "night" else end))

    def between(self, first: Point, second: Point) -> Interval:
        """Between two times: the shortest of all readings on the stream, then the one in the daytime, then the latest.

        Raises:
            UnplacedError: the end is before the start, or as for `place`.
        """
        if first.clock is None or second.clock is None:
            start, end = self.place(first), self.place(second)
            if start.start > end.end:  # "from Monday to Wednesday", asked on a Tuesday
                start = self.place(first, before=end.end)
            return Interval(min(start.start, end.start), max(start.end, end.end))
        starts = self._moments(replace(first, day=first.day or second.day), first.clock, self.now)
        readings = [(start, end) for start in starts for end in self._ends(start, first, second, second.clock)]
        readings = [one for one in readings if one[0] < one[1]]
        if not readings:
            raise UnplacedError("the end of the time asked about is before its start")
        on_stream = [one for one in readings if self._is_on_stream(one, self.now)] or readings
        has_day = bool(first.day or second.day)
        on_stream.sort(key=lambda one: one[0], reverse=True)
        on_stream.sort(key=lambda one: (one[1] - one[0], has_day and one[0].hour not in _DAYTIME))
        return self._seconds(on_stream[0])

    def _ends(self, start: datetime, first: Point, second: Point, clock: Clock) -> list[datetime]:
        if first.day and second.day and first.day != second.day:
            return self._moments(second, clock, self.now)
        self._check_zone(clock)
        days = (midnight(start), midnight(start) + DAY)
        return [_at(day, clock, hour, second.shift_seconds) for day in days for hour in _hours(clock, second.part)]

    def _is_on_stream(self, stretch: Stretch, now: datetime) -> bool:
        return stretch[0] <= now and stretch[1] >= self._began

    def _best(self, stretches: Sequence[Stretch], now: datetime) -> Stretch:
        """The first that lies on the stream, else the first."""
        return next((one for one in stretches if self._is_on_stream(one, now)), stretches[0])

    def _days(self, point: Point, now: datetime) -> list[Stretch]:
        """Readings of a day or part of a day, the likeliest first."""
        if not point.day:
            today = midnight(now)
            begun = [part_of(day, point.part) for day in (today, today - DAY)]
            return [one for one in begun if one[0] <= now]
        is_late = point.part == "night" and point.day == "today" and now.hour in _LATE_HOURS
        days = days_named("yesterday" if is_late else point.day, now.date())
        if not days:
            raise UnplacedError(f'"{point.day}" is no date')
        return [part_of(start, point.part) for start, _ in days] if point.part else days

    def _moments(self, point: Point, clock: Clock, now: datetime) -> list[datetime]:
        """Readings of a time, the likeliest first: without a day the latest, and after them those to come today."""
        self._check_zone(clock)
        hours = _hours(clock, point.part)
        if point.day:
            hours.sort(key=lambda hour: hour not in _DAYTIME)
            days = [start for start, _ in self._days(replace(point, part=""), now)]
            is_night = point.part == "night"
            starts = [(day + DAY * (is_night and hour in _LATE_HOURS), hour) for day in days for hour in hours]
            return [_at(day, clock, hour, point.shift_seconds) for day, hour in starts]
        starts = [(midnight(now) - DAY * back, hour) for back in (0, 1) for hour in hours]
        moments = sorted(_at(day, clock, hour, point.shift_seconds) for day, hour in starts)
        return [one for one in reversed(moments) if one <= now] + [one for one in moments if one > now]

    def _check_zone(self, clock: Clock) -> None:
        """Refuse the abbreviation of a zone that is not the user's."""
        if not clock.zone_name:
            return
        halves = [datetime(self.now.year, month, 1) for month in (1, 7)]
        if clock.zone_name not in [_aware(one, self.zone).tzname() for one in halves]:
            raise UnplacedError(f"the time zone {clock.zone_name} is unknown here: write an offset such as +01:00")

    def _seconds(self, stretch: Stretch) -> Interval:
        start, end = (self._readings(shown) for shown in stretch)
        return Interval(self._wall.seconds_at(min(start)), self._wall.seconds_at(max(end)))

    def _readings(self, shown: datetime) -> list[datetime]:
        """Moments that a shown time may mean, in UTC: two if clocks were set back or forward over it (PEP 495)."""
        both = [shown.replace(fold=fold) for fold in (0, 1)]
        return [_aware(one, self.zone).astimezone(UTC) for one in both]


def _aware(shown: datetime, zone: tzinfo | None) -> datetime:
    return shown.astimezone() if zone is None else shown.replace(tzinfo=zone)


def _hours(clock: Clock, part: str) -> list[int]:
    """Hours that a written hour may mean, those in a part of the day if there are any.

    Raises:
        UnplacedError: no clock shows it.
    """
    if clock.hour is None:
        raise UnplacedError("the time asked about is shown by no clock")
    hours = [clock.hour % 12, clock.hour % 12 + 12] if clock.is_half_known else [clock.hour]
    first, last = PARTS.get(part, (0, 24))
    return [hour for hour in hours if first <= hour < last or hour + 24 < last] or hours


def _at(day: datetime, clock: Clock, hour: int, shift_seconds: float = 0.0) -> datetime:
    return day + timedelta(hours=hour, minutes=clock.minute, seconds=(clock.second or 0) + shift_seconds)
