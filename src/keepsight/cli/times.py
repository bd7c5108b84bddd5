"""Times as a user writes them: since the start of a video, or by the clock on the wall for a live stream."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from keepsight.cli.options import parse_time
from keepsight.errors import SettingError

if TYPE_CHECKING:
    from keepsight.journal import StreamRecord

_WALL_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%H:%M:%S", "%H:%M")


def stream_seconds(stream: "StreamRecord", text: str, now: datetime | None = None) -> float:
    """A time of a stream, in seconds.

    Args:
        stream: live ones take the clock on the wall (`12:03`, `12:03:10`, `2026-11-23 12:03`), the last time that it
            showed this; others the time since their start (`75`, `1:15`, `0:01:15`).
        text: as it was written.
        now: with time zone; the present if None.

    Raises:
        SettingError: the text is no such time, or lies before the stream was begun.
    """
    if not stream.is_live:
        return parse_time(text)
    moment = _wall_time(text.strip(), (now or datetime.now()).astimezone())
    seconds = (moment - stream.started_at).total_seconds()
    if seconds < 0:
        began = stream.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        raise SettingError(f"{text!r} lies before {began}, when the stream was begun")
    return seconds


def _wall_time(text: str, now: datetime) -> datetime:
    for form in _WALL_FORMATS:
        try:
            parsed = datetime.strptime(text, form)
        except ValueError:
            continue
        if "%Y" in form:
            return parsed.astimezone()
        today = datetime.combine(now.date(), parsed.time()).astimezone()
        return today if today <= now else (today - timedelta(days=1)).astimezone()
    allowed = "12:03, 12:03:10 and 2026-11-23 12:03, by the clock on the wall"
    raise SettingError(f"{text!r} is no time of a live stream; allowed are {allowed}")
