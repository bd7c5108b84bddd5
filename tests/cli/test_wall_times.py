"""Times on the wall around the hours that come twice, or not at all: Europe/Berlin, 2026-10-25 and 2026-03-29."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.cli.output import clock_text
from keepsight.cli.times import stream_seconds
from keepsight.errors import SettingError
from keepsight.journal import StreamRecord
from keepsight.wall_times import moments_of, time_zone, wall_text

BERLIN = ZoneInfo("Europe/Berlin")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = StreamRecord("id", "camera", "fake", "{}", BEGAN, is_live=True)
AUTUMN_NOON = datetime(2026, 10, 25, 11, 0, tzinfo=UTC)
SPRING_NOON = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)


# By name, where Python's zone data counts, and by rule, where the C library's does (POSIX.1-2024, 8.3).
@pytest.fixture(params=["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"], autouse=True)
def berlin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def moment(text: str, now: datetime, stream: StreamRecord = LIVE) -> str:
    """The moment in UTC that a text means."""
    seconds = stream_seconds(stream, text, now.astimezone(BERLIN))
    return (stream.started_at + timedelta(seconds=seconds)).strftime("%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "now", "meant"),
    [
        ("12:30", AUTUMN_NOON, "10-24 10:30:00"),  # yesterday, still in summer time
        ("11:30", AUTUMN_NOON, "10-25 10:30:00"),
        ("01:30", AUTUMN_NOON, "10-24 23:30:00"),
        ("03:30", AUTUMN_NOON, "10-25 02:30:00"),
        ("2026-10-24 12:30", AUTUMN_NOON, "10-24 10:30:00"),
        ("2026-10-25T12:30:05", AUTUMN_NOON, "10-25 11:30:05"),
        ("12:30", SPRING_NOON, "03-28 11:30:00"),
        ("11:30", SPRING_NOON, "03-29 09:30:00"),
        ("01:30", SPRING_NOON, "03-29 00:30:00"),
        ("03:30", SPRING_NOON, "03-29 01:30:00"),
        ("23:30", SPRING_NOON, "03-28 22:30:00"),
        # The hour that comes twice, named in each way.
        ("02:40+02:00", AUTUMN_NOON, "10-25 00:40:00"),
        ("02:40+01:00", AUTUMN_NOON, "10-25 01:40:00"),
        ("02:40 CEST", AUTUMN_NOON, "10-25 00:40:00"),
        ("02:40 CET", AUTUMN_NOON, "10-25 01:40:00"),
        ("2026-10-25 02:40+0200", AUTUMN_NOON, "10-25 00:40:00"),
        ("2026-10-25 02:40:30 +01", AUTUMN_NOON, "10-25 01:40:30"),
        ("01:40Z", AUTUMN_NOON, "10-25 01:40:00"),
        ("01:40 UTC", AUTUMN_NOON, "10-25 01:40:00"),
        # Its first time, while it has not come again.
        ("02:40", datetime(2026, 10, 25, 0, 45, tzinfo=UTC), "10-25 00:40:00"),
        ("02:50", datetime(2026, 10, 25, 1, 45, tzinfo=UTC), "10-25 00:50:00"),
        # Elsewhere.
        ("06:30 America/New_York", AUTUMN_NOON, "10-25 10:30:00"),
        ("2026-11-01 12:30 America/New_York", AUTUMN_NOON, "11-01 17:30:00"),
        ("22:15 Asia/Kathmandu", AUTUMN_NOON, "10-24 16:30:00"),
    ],
)
def test_the_moment_that_is_meant(text: str, now: datetime, meant: str) -> None:
    assert moment(text, now) == meant


def test_the_hour_that_comes_twice_is_named() -> None:
    with pytest.raises(SettingError) as raised:
        moment("02:40", AUTUMN_NOON)
    assert str(raised.value) == (
        "'02:40' is ambiguous on 2026-10-25, when clocks were set back: use '02:40+02:00' or '02:40+01:00'"
    )
    with pytest.raises(SettingError, match=r"use '2026-11-01 01:30-04:00' or '2026-11-01 01:30-05:00'$"):
        moment("2026-11-01 01:30 America/New_York", AUTUMN_NOON)


def test_the_stream_s_begin_may_settle_it() -> None:
    later = StreamRecord("id", "camera", "fake", "{}", datetime(2026, 10, 25, 1, 0, tzinfo=UTC), is_live=True)
    assert moment("02:40", AUTUMN_NOON, later) == "10-25 01:40:00"
    with pytest.raises(SettingError, match="must not be before the stream's start, 2026-10-25 02:00:00\\+01:00"):
        moment("01:40", AUTUMN_NOON, later)


@pytest.mark.parametrize("text", ["02:30", "2026-03-29 02:00", "2026-03-29T02:59:59"])
def test_the_hour_that_is_missing_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="does not exist on 2026-03-29: clocks were set forward past it"):
        moment(text, SPRING_NOON)


def test_an_abbreviation_that_does_not_hold_then_is_refused() -> None:
    with pytest.raises(SettingError, match=r"'2026-07-01 12:00 CET' must name the zone's time on .*, CEST, or"):
        moment("2026-07-01 12:00 CET", AUTUMN_NOON)
    with pytest.raises(
        SettingError, match="the time zone must be a name such as Europe/Berlin or UTC, got 'Europe/Oz'"
    ):
        moment("12:00 Europe/Oz", AUTUMN_NOON)


def test_what_is_shown_names_the_hour_that_comes_twice() -> None:
    shown = [
        clock_text(LIVE, (datetime(2026, 10, 25, hour, 40, tzinfo=UTC) - BEGAN).total_seconds()) for hour in range(3)
    ]
    assert shown == ["2026-10-25 02:40:00+02:00", "2026-10-25 02:40:00+01:00", "2026-10-25 03:40:00"]


@given(st.integers(0, 365 * 24 * 3600))
def test_what_is_shown_can_be_asked_for(seconds: int) -> None:
    """A moment that is written by us and read again is the same, at any time of a year."""
    text = wall_text(BEGAN + timedelta(seconds=seconds))
    assert stream_seconds(LIVE, text, datetime(2027, 6, 1, tzinfo=UTC)) == seconds


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)))
def test_every_reading_has_the_moments_that_show_it(shown: datetime) -> None:
    for zone in (None, time_zone("Europe/Berlin"), time_zone("America/New_York"), time_zone("Australia/Lord_Howe")):
        moments = moments_of(shown, zone)
        assert all(one.astimezone(zone).replace(tzinfo=None, fold=0) == shown for one in moments)
        assert len(moments) == len(set(moments)) <= 2
