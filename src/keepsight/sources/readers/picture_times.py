"""When a picture was taken, as its file's name says it.

A name may have more around its time: `IMG_20261123_120309.jpg`, `door 2026-11-23T12-03-09.jpg`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from keepsight.errors import SettingError

ALLOWED_NAMES = (
    "2026-11-23T12-03-09, 20261123_120309, 20261123-120309.250, Unix seconds (1795435389) or milliseconds "
    "(1795435389250), or plain numbers with frame_interval_seconds"
)
"""For messages."""

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
    """Reads times from names.

    Attributes:
        frame_interval_seconds: names hold plain numbers, and pictures of neighbouring numbers are so far apart; None
            where names hold times.

    Raises:
        SettingError: the interval is not above 0.
    """

    frame_interval_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.frame_interval_seconds is not None and not 0 < self.frame_interval_seconds < float("inf"):
            raise SettingError(f"frame_interval_seconds is a number above 0, not {self.frame_interval_seconds}")

    @property
    def has_dates(self) -> bool:
        """Whether times are those of the world, in seconds since 1970."""
        return self.frame_interval_seconds is None

    def seconds(self, stem: str) -> Fraction | None:
        """A picture's time in seconds, since 1970 or since picture number 0; None where the name holds none.

        A date without a zone is in this machine's own; in the hour that comes twice in autumn it is the first.

        Args:
            stem: the name without its ending.
        """
        if self.frame_interval_seconds is not None:
            number = _LAST_NUMBER.search(stem)
            interval = Fraction(self.frame_interval_seconds).limit_denominator(1_000_000)
            return None if number is None else int(number[1]) * interval
        if (match := _DATE_AND_TIME.search(stem)) is not None:
            return _of_date(match)
        if (match := _UNIX_TIME.search(stem)) is not None:
            return _of_unix_time(match)
        return None


def _of_date(match: re.Match[str]) -> Fraction | None:
    try:
        year, month, day, hour, minute, second = (int(match[part]) for part in _PARTS)
        moment = datetime(year, month, day, hour, minute, second)
        zone = _zone(match["zone"])
        moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):  # the 13th month, or a year that the system's clock does not know
        return None
    digits = match["fraction"] or match["millis"] or "0"
    return Fraction((moment - _EPOCH) // timedelta(seconds=1)) + Fraction(int(digits), 10 ** len(digits))


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
