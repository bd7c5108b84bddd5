"""Times in image file names.

A name may have other text around its time: `IMG_20261123_120309.jpg`, `door 2026-11-23T12-03-09.jpg`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from keepsight.errors import SettingError
from keepsight.wall_times import local_zone, moments_of

ALLOWED_NAMES = (
    "2026-11-23T12-03-09, 20261123_120309, 20261123-120309.250, Unix seconds (1795435389) or milliseconds "
    "(1795435389250), or plain numbers with frame_interval_seconds"
)
"""Allowed names, for messages."""

_DATE_AND_TIME = re.compile(
    r"(?<!\d)(?P<year>\d{4})(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:[T _-]|[ _-]at[ _-])?"
    r"(?P<hour>\d\d)(?P<colon>[-_.:]?)(?P<minute>\d\d)(?P=colon)(?P<second>\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9})|(?P<millis>\d{3}))?"
    r"(?P<zone>Z|\+\d\d:?\d\d|-\d\d:\d\d)?(?!\d)"
)
_UNIX_TIME = re.compile(r"(?<!\d)(?:(?P<millis>\d{13})|(?P<seconds>\d{10})(?:\.(?P<fraction>\d{1,9}))?)(?!\d)")
_LAST_NUMBER = re.compile(r"(\d{1,18})(?!.*\d)")
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NameReader:
    """Reads times from file names.

    Attributes:
        frame_interval_seconds: time between consecutive plain numbers; None if names have times.

    Raises:
        SettingError: the interval is not above 0.
    """

    frame_interval_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frame_interval_seconds is not None and not 0 < self.frame_interval_seconds < float("inf"):
            raise SettingError(f"frame_interval_seconds must be a number above 0, got {self.frame_interval_seconds}")

    @property
    def has_dates(self) -> bool:
        """Whether times are Unix times."""
        return self.frame_interval_seconds is None

    def seconds(self, stem: str) -> Fraction | None:
        """First of `times`, or None."""
        return next(iter(self.times(stem)), None)

    def times(self, stem: str) -> tuple[Fraction, ...]:
        """Times that a name fits, in order, as Unix time or since picture number 0.

        A date without a zone is local time, or that of the variable TZ. It fits two times when ambiguous, and none when
        clocks skipped it.

        Args:
            stem: name without extension.
        """
        if self.frame_interval_seconds is not None:
            number = _LAST_NUMBER.search(stem)
            interval = Fraction(self.frame_interval_seconds).limit_denominator(1_000_000)
            return () if number is None else (int(number[1]) * interval,)
        if (match := _DATE_AND_TIME.search(stem)) is not None:
            return _of_date(match)
        if (match := _UNIX_TIME.search(stem)) is not None:
            return (_of_unix_time(match),)
        return ()

    def running_number(self, stem: str) -> int | None:
        """Number beside the date in a name, such as 12 in `IMG_0012_20261025_024000`; None without one."""
        number = _LAST_NUMBER.search(_DATE_AND_TIME.sub("_", stem, count=1))
        return None if number is None else int(number[1])


def _of_date(match: re.Match[str]) -> tuple[Fraction, ...]:
    try:
        year, month, day, hour, minute, second = (int(match[part]) for part in _PARTS)
        moment = datetime(year, month, day, hour, minute, second)
        zone = _zone(match["zone"])
        moments = moments_of(moment, local_zone()) if zone is None else [moment.replace(tzinfo=zone)]
    except (ValueError, OverflowError, OSError):  # month 13, or a year outside the system clock's range
        return ()
    digits = match["fraction"] or match["millis"] or "0"
    part = Fraction(int(digits), 10 ** len(digits))
    return tuple(Fraction((one - _EPOCH) // timedelta(seconds=1)) + part for one in moments)


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _of_unix_time(match: re.Match[str]) -> Fraction:
    if match["millis"]:
        return Fraction(int(match["millis"]), 1000)
    digits = match["fraction"] or "0"
    return int(match["seconds"]) + Fraction(int(digits), 10 ** len(digits))
