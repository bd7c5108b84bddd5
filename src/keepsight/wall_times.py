"""Wall-clock times: the moments at which clocks in a time zone show a time, and their text form.

An hour repeats when clocks are set back, and is skipped when they are set forward (PEP 495 calls the two readings of a
repeated time folds). Nothing here guesses between the two.
"""

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keepsight.errors import SettingError


def time_zone(name: str) -> ZoneInfo:
    """Time zone by name, such as `Europe/Berlin` or `UTC`.

    Raises:
        SettingError: no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingError(f"the time zone must be a name such as Europe/Berlin or UTC, got {name[:40]!r}") from None


def local_zone() -> ZoneInfo | None:
    """Zone named by the variable TZ; None for the system's own, which `astimezone` then uses.

    On systems without zone data, such as small containers, the C library treats every TZ as UTC; `tzdata` knows it.
    """
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        return ZoneInfo(name) if name else None
    # A rule such as CET-1CEST, or a path, which the C library handles
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moments_of(shown: datetime, zone: ZoneInfo | None) -> list[datetime]:
    """Moments at which clocks in a zone show a time, in order: usually one; two or none at clock changes.

    Args:
        shown: without a zone.
        zone: None for the system's zone.

    Returns:
        In UTC.

    Raises:
        OverflowError, OSError, ValueError: the system's clock does not know the year.
    """
    moments: list[datetime] = []
    for fold in (0, 1):
        reading = shown.replace(fold=fold)
        aware = reading.astimezone() if zone is None else reading.replace(tzinfo=zone)
        moment = aware.astimezone(UTC)
        # A reading that does not exist converts back to another one.
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == shown and moment not in moments:
            moments.append(moment)
    return sorted(moments)


def wall_text(moment: datetime, zone: ZoneInfo | None = None, *, with_date: bool = True) -> str:
    """Wall-clock text of a moment, with UTC offset if it is ambiguous.

    Args:
        moment: with a time zone.
        zone: zone of the clock; None for this machine's zone.
        with_date: whether to include the date.
    """
    zone = zone or local_zone()
    local = moment.astimezone(zone)
    text = local.strftime("%Y-%m-%d %H:%M:%S" if with_date else "%H:%M:%S")
    is_twice = len(moments_of(local.replace(tzinfo=None, microsecond=0, fold=0), zone)) > 1
    return text + (offset_text(local) if is_twice else "")


def offset_text(local: datetime) -> str:
    """UTC offset of a time with a zone, such as `+02:00`."""
    return local.isoformat(timespec="seconds")[19:]
