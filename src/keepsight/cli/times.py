"""Parsing of times: since the start of a video, or wall-clock times for a live stream."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from keepsight.cli.options import parse_time
from keepsight.errors import SettingError
from keepsight.wall_times import local_zone, moments_of, offset_text, time_zone, wall_text

if TYPE_CHECKING:
    from keepsight.journal import StreamRecord

_WALL_TIME = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)[ T]+)?(?P<time>\d{1,2}:\d\d(?::\d\d)?)"
    r"(?:\s*(?P<offset>Z|[+-]\d\d(?::?\d\d)?)|\s+(?P<zone>[A-Z]{2,5}|[A-Za-z]\w+/[\w/+-]+))?",
    re.ASCII,
)
_ALLOWED = "12:03, 12:03:10 or 2026-11-23 12:03, followed by +01:00, Z, CET or Europe/Berlin if needed"


@dataclass(frozen=True)
class _Written:
    """A wall-clock time as written.

    Attributes:
        text: the whole text.
        day: None without a date.
        clock: the time of day.
        zone: named zone; None for this machine's.
        offset: given UTC offset, or None.
        abbreviation: zone abbreviation such as CEST; empty without one.
    """

    text: str
    day: date | None
    clock: time
    zone: ZoneInfo | None
    offset: timezone | None
    abbreviation: str

    def moments(self, day: date) -> list[datetime]:
        """Moments at which clocks showed it on a day, in UTC, in order."""
        shown = datetime.combine(day, self.clock)
        try:
            if self.offset is not None:
                return [shown.replace(tzinfo=self.offset).astimezone(UTC)]
            moments = moments_of(shown, self.zone)
        except (OverflowError, OSError, ValueError):  # a year outside the system clock's range
            return []
        if not self.abbreviation:
            return moments
        named = [one for one in moments if one.astimezone(self.zone).tzname() == self.abbreviation]
        if moments and not named:
            holds = moments[0].astimezone(self.zone).tzname()
            raise SettingError(f"{self.text!r} must name the zone's time on {day}, {holds}, or its offset")
        return named

    def local(self, moment: datetime) -> datetime:
        """A moment in the written zone."""
        return moment.astimezone(self.offset or self.zone)


def stream_seconds(stream: "StreamRecord", text: str, now: datetime | None = None) -> float:
    """Stream time in seconds of a written time.

    Args:
        stream: live streams take wall-clock times (`12:03`, `12:03:10`, `2026-11-23 12:03`), the latest match, followed
            by an offset, abbreviation or zone name if it is not this machine's zone or ambiguous (`02:40+01:00`, `02:40
            CET`, `12:03 Europe/Berlin`); others take time since the start (`75`, `1:15`, `0:01:15`).
        text: text to parse.
        now: current time, with time zone; None for the clock's.

    Raises:
        SettingError: the time is malformed, nonexistent, ambiguous, or before the stream's start.
    """
    if not stream.is_live:
        return parse_time(text)
    written = _read(text.strip())
    moment = _moment(written, now or datetime.now(UTC), stream.wall_time(0))
    seconds = stream.seconds_at(moment)
    if seconds < 0:
        raise SettingError(f"{text!r} must not be before the stream's start, {wall_text(stream.started_at)}")
    return seconds


def _read(text: str) -> _Written:
    match = _WALL_TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        day = date.fromisoformat(match["date"]) if match["date"] else None
        clock = time.fromisoformat(match["time"].rjust(len("00:00:00") if match["time"].count(":") == 2 else 5, "0"))
        offset = _offset(match["offset"]) if match["offset"] else None
    except ValueError:
        raise SettingError(f"a time of a live stream must be {_ALLOWED}, got {text!r}") from None
    name = match["zone"] or ""
    is_zone = "/" in name or name in ("UTC", "GMT")
    zone = time_zone(name) if is_zone else local_zone()
    return _Written(text, day, clock, zone, offset, "" if is_zone else name)


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if minutes > 59:
        raise ValueError
    shift = timedelta(hours=hours, minutes=minutes)
    return timezone(-shift if text[0] == "-" else shift)


def _moment(written: _Written, now: datetime, began: datetime) -> datetime:
    """The written moment; without a date, its latest occurrence."""
    if written.day is not None:
        return _only(written, written.day, written.moments(written.day), began)
    today = written.local(now).date()
    is_later = written.clock > written.local(now).time()
    moments = [moment for moment in written.moments(today) if moment <= now]
    if moments or not (is_later or written.moments(today)):
        return _only(written, today, moments, began)
    yesterday = today - timedelta(days=1)
    return _only(written, yesterday, written.moments(yesterday), began)


def _only(written: _Written, day: date, moments: Sequence[datetime], began: datetime) -> datetime:
    """The only moment, or the only one within the stream's time.

    Raises:
        SettingError: there is none, or several.
    """
    if not moments:
        raise SettingError(f"{written.text!r} does not exist on {day}: clocks were set forward past it")
    since = [moment for moment in moments if moment >= began]
    if len(moments) == 1 or len(since) == 1:
        return since[0] if since else moments[0]
    choices = " or ".join(f"'{_without_zone(written)}{offset_text(written.local(one))}'" for one in moments)
    raise SettingError(f"{written.text!r} is ambiguous on {day}, when clocks were set back: use {choices}")


def _without_zone(written: _Written) -> str:
    match = _WALL_TIME.fullmatch(written.text)
    return written.text if match is None else written.text[: match.end("time")]
