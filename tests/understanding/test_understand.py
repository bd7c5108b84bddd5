"""Scopes on any stream clock, said back; and questions that no one would ask."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.asking.understanding import Kind, Scope, understand
from keepsight.journal import StreamRecord
from keepsight.journal.records import WallClock
from tests.understanding.table import BEGAN, BERLIN, FILE_SECONDS, LIVE_SECONDS

DAY = 86400.0
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIME_WORDS = """
at on in the last first between and to until since before after from yesterday today tomorrow monday friday sat may 3
5 12 14:00 2 pm 1:30 ten minutes hour half an ago noon midnight morning evening night tonight 2026-11-24 3/4/2026 of
video second third week month year this past a couple few quarter o'clock into 24th november utc +01:00 weekend around
what when did dog come , ? -
"""
TIME_WORDS = _TIME_WORDS.split()
_PLAIN_WORDS = """
what who where which did the a dog cat red car two 3 12 room bus 42 come go left saw sun march may see and or of
behind under man woman at in on is was there how many colour
"""
PLAIN_WORDS = _PLAIN_WORDS.split()
WHO = ("what", "who", "where", "how", "did")


def live(began: datetime) -> StreamRecord:
    return StreamRecord("id", "rtsp://camera", "tiny", "{}", began.astimezone(UTC), is_live=True)


def scope_of(question: str, began: datetime = BEGAN, seconds: float = LIVE_SECONDS, zone: ZoneInfo = BERLIN) -> Scope:
    scope = understand(question, now_seconds=seconds, wall=live(began), zone=zone).scope
    assert scope is not None
    return scope


def ends(
    question: str, began: datetime = BEGAN, seconds: float = LIVE_SECONDS, zone: ZoneInfo = BERLIN
) -> tuple[float, float]:
    scope = scope_of(question, began, seconds, zone)
    assert scope.span is not None, scope.said
    return scope.span.start_seconds, scope.span.end_seconds


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who came between 2 and 3 pm?", "from 14:00 to 15:00 today"),
        ("Who came from 14:00 to 15:00 yesterday?", "from 14:00 to 15:00 yesterday"),
        ("Who came in the last ten minutes?", "in the last ten minutes"),
        ("Who came over the past hour?", "over the past hour"),
        ("Who came yesterday?", "yesterday"),
        ("Who came on Monday?", "on Monday 2026-11-23"),
        ("Who came yesterday evening?", "from 17:00 to 24:00 yesterday"),
        ("Who came last night?", "from 18:00 yesterday to 06:00 today"),
        ("Who came since noon?", "since 12:00 today"),
        ("Who came until yesterday?", "until 24:00 yesterday"),
        ("Who came from Monday to Tuesday?", "from Monday 2026-11-23 to yesterday"),
        ("Who came at 14:30:10 UTC?", "from 14:30:00 to 14:30:20 UTC today"),
        ("Who came in the first hour?", "from 00:00 to 1:00:00 of the recording"),
        ("Who came tomorrow?", "on Thursday 2026-11-26: it has not come yet"),
        ("Who came last Friday?", "on Friday 2026-11-20: the recording began later, at 2026-11-23 06:00"),
        ("Who came on 31 February?", '"31 february" is no date'),
        ("Who came at 14:00 PST?", "the time zone PST is unknown here: write an offset such as +01:00"),
    ],
)
def test_scope_is_said_back(question: str, said: str) -> None:
    assert scope_of(question, seconds=LIVE_SECONDS + 3600).said == said


def test_scope_of_a_file_is_said_back() -> None:
    def said(question: str) -> str:
        scope = understand(question, now_seconds=FILE_SECONDS).scope
        assert scope is not None
        return scope.said

    assert said("Who is seen at 1:30?") == "from 01:20 to 01:40 of the recording"
    assert said("Who is seen after 3:00:00?") == "since 3:00:00 of the recording: the recording ends at 2:00:00"
    assert said("Who came at 2 pm?") == "this recording has no date and no time of day"


@given(
    hour=st.integers(0, 23), minute=st.integers(1, 59), began=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    minutes=st.integers(2, 4000),
)  # fmt: skip
def test_time_of_day_is_the_latest_minute_that_shows_it(hour: int, minute: int, began: datetime, minutes: int) -> None:
    began = began.replace(second=0, microsecond=0, tzinfo=UTC)
    scope = scope_of(f"What happened at {hour:02d}:{minute:02d}?", began, minutes * 60.0, ZoneInfo("UTC"))
    passed = range(minutes, -1, -1)
    shown = [
        back for back in passed if (began + timedelta(minutes=back)).strftime("%H:%M") == f"{hour:02d}:{minute:02d}"
    ]
    if shown:
        expected = max(0.0, (shown[0] - 1) * 60.0), min(minutes * 60.0, (shown[0] + 1) * 60.0)
        assert scope.span is not None
        assert (scope.span.start_seconds, scope.span.end_seconds) == expected
    else:  # the minute after or before may still be on the stream
        assert scope.span is None or scope.span.duration_seconds <= 60


@given(day=st.dates(date(2020, 2, 1), date(2030, 1, 1)), back=st.integers(1, 7), hour=st.integers(0, 23))
@settings(deadline=None)
def test_weekday_is_the_latest_day_of_that_name(day: date, back: int, hour: int) -> None:
    now = datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)
    began = now - timedelta(days=20)
    meant = day - timedelta(days=back)
    start = (datetime(meant.year, meant.month, meant.day, tzinfo=UTC) - began).total_seconds()
    question = f"Who came on {WEEKDAYS[meant.weekday()]}?"
    assert ends(question, began, 20 * DAY, ZoneInfo("UTC")) == (start, start + DAY)


@given(
    st.integers(-300, 300),
    st.sampled_from(["yesterday at 3 pm", "at 14:00", "last night", "since noon", "before 9 am"]),
)
def test_moving_the_stream_by_days_moves_its_scopes(days: int, when: str) -> None:
    utc, began = ZoneInfo("UTC"), BEGAN.astimezone(UTC)
    question = f"Who came {when}?"
    assert ends(question, began + timedelta(days=days), zone=utc) == ends(question, began, zone=utc)


@given(st.floats(0, 20 * DAY))
def test_moving_only_the_start_moves_absolute_scopes_against_it(earlier: float) -> None:
    question = "Who came between 2026-11-24 14:00 and 2026-11-24 15:00?"
    start, end = ends(question)
    moved = ends(question, BEGAN - timedelta(seconds=earlier), LIVE_SECONDS + earlier)
    assert moved == pytest.approx((start + earlier, end + earlier), abs=1e-3)


_texts = st.text() | st.lists(st.sampled_from(TIME_WORDS), max_size=14).map(" ".join)


@given(text=_texts, seconds=st.floats(0, 400 * DAY), is_live=st.booleans())
@settings(deadline=None, max_examples=200)
def test_any_text_has_a_scope_within_the_stream_or_none(text: str, seconds: float, is_live: bool) -> None:
    found = understand(text, now_seconds=seconds, wall=live(BEGAN) if is_live else None, zone=BERLIN)
    assert found.question == text
    if found.scope is not None:
        assert found.scope.said
        assert found.scope.words
    if found.scope is not None and found.scope.span is not None:
        assert 0 <= found.scope.span.start_seconds <= found.scope.span.end_seconds <= seconds


@given(st.sampled_from(WHO), st.lists(st.sampled_from(PLAIN_WORDS), max_size=10))
def test_questions_without_times_have_no_scope(first: str, words: list[str]) -> None:
    # "at 3" and "in may" are times; these stay apart here
    words = [word for word in words if word not in ("at", "in", "on", "of")]
    assert understand(" ".join([first, *words]), now_seconds=LIVE_SECONDS, wall=live(BEGAN), zone=BERLIN).scope is None


@pytest.mark.parametrize(
    "text",
    [
        "what " + "between " * 20_000, "what " + "1 " * 50_000, "a" * 100_000, "what " + "between 1 and " * 8_000,
        "what " + "1h before " * 10_000, "what " + "the last " * 12_000, "what " + "at 3 on monday " * 100,
        "before " * 15_000, "what " + "before the dog " * 7_000, "what " + ":" * 100_000, "what" + " " * 100_000 + "?",
        "what " + "1:" * 40_000, "hello, " * 15_000, "what is " * 12_000, "what " + "-’" * 40_000, "9" * 100_000,
        "what at " + "9" * 100_000 + ":30", "\x00\ud800 what \u2028 at 3?", "what " + "٣" * 1000 + ":٣٠",
    ],
    ids=lambda text: repr(text[:24]),
)  # fmt: skip
def test_hostile_texts_are_read(text: str) -> None:
    assert understand(text, now_seconds=LIVE_SECONDS, wall=live(BEGAN), zone=BERLIN).question == text


class TestChangedClocks:
    """Berlin's clocks showed 02:00 to 03:00 twice on 2026-10-25, and never on 2026-03-29."""

    def test_a_repeated_time_means_both(self) -> None:
        began = datetime(2026, 10, 25, 0, tzinfo=BERLIN)
        # 02:30 is 2.5 hours after midnight in summer time, and again an hour later
        assert ends("Who came at 2:30 am?", began, 10 * 3600.0) == (2.5 * 3600 - 60, 3.5 * 3600 + 60)

    def test_a_skipped_time_means_the_hour_around_it(self) -> None:
        began = datetime(2026, 3, 29, 0, tzinfo=BERLIN)
        start, end = ends("Who came at 2:30 am?", began, 10 * 3600.0)
        assert (start, end) == (1.5 * 3600 - 60, 2.5 * 3600 + 60)

    def test_a_day_of_25_hours_is_one_day(self) -> None:
        began = datetime(2026, 10, 24, 0, tzinfo=BERLIN)
        assert ends("Who came yesterday?", began, 60 * 3600.0) == (24 * 3600.0, 49 * 3600.0)

    def test_a_corrected_clock_is_the_streams(self) -> None:
        record = live(BEGAN)
        # From the second hour on the clock, set forward by ten minutes, shows more.
        later = WallClock(7200.0, record.started_at + timedelta(minutes=10))
        record = StreamRecord(**{**record.__dict__, "wall_clocks": (later,)})
        scope = understand("Who came at 14:01?", now_seconds=LIVE_SECONDS - 600, wall=record, zone=BERLIN).scope
        assert scope is not None
        assert scope.span is not None
        assert scope.span.start_seconds == (56 - 10 / 60) * 3600


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_times_are_of_the_users_zone(zone: str) -> None:
    user = ZoneInfo(zone)
    now = (BEGAN + timedelta(seconds=LIVE_SECONDS)).astimezone(user)
    shown = datetime(now.year, now.month, now.day, 1, 1, tzinfo=user)
    start, _ = ends("Who came at 1:01 am?", zone=user)
    assert BEGAN + timedelta(seconds=start + 60) == shown.astimezone(BERLIN)


def test_before_six_tonight_began_yesterday() -> None:
    now = datetime(2026, 11, 25, 2, tzinfo=BERLIN)
    seconds = (now - BEGAN).total_seconds()
    evening = datetime(2026, 11, 24, 18, tzinfo=BERLIN)
    assert ends("Who came tonight?", seconds=seconds) == ((evening - BEGAN).total_seconds(), seconds)


def test_either_reading_of_a_numeric_date_is_taken_if_only_it_is_on_the_stream() -> None:
    began = datetime(2026, 4, 1, tzinfo=BERLIN)
    april = (datetime(2026, 4, 3, tzinfo=BERLIN) - began).total_seconds()
    assert ends("Who came on 3/4/2026?", began, 10 * DAY) == (april, april + DAY)
    assert ends("Who came on 4/3/2026?", began, 10 * DAY) == (april, april + DAY)


def test_a_stream_that_began_a_second_ago_has_scopes() -> None:
    assert ends("What happened today?", seconds=1.0) == (0.0, 1.0)
    assert understand("What happened yesterday?", now_seconds=0.0, wall=live(BEGAN), zone=BERLIN).scope is not None


def test_a_question_in_another_language_limits_nothing() -> None:
    found = understand("Qui est venu hier à 14:00 ?", now_seconds=LIVE_SECONDS, wall=live(BEGAN), zone=BERLIN)
    assert (found.kind, found.scope, found.order, found.anchor) == (Kind.OTHER, None, None, None)


def test_dateparser_is_imported_only_for_dates() -> None:
    code = """
import sys
from datetime import UTC, datetime
from keepsight.asking.understanding import understand
from keepsight.journal import StreamRecord

wall = StreamRecord("id", "rtsp://camera", "tiny", "{}", datetime(2026, 11, 23, tzinfo=UTC), is_live=True)
for question in ("Who came yesterday at 3?", "Who came in the last hour?", "Who came this morning?"):
    understand(question, now_seconds=200000.0, wall=wall)
assert "dateparser" not in sys.modules
understand("Who came on 3 May?", now_seconds=200000.0, wall=wall)
assert "dateparser" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dates_are_read_alike_whatever_this_machines_zone() -> None:
    code = """
from datetime import date
from keepsight.asking.understanding.calendar_days import days_named

(start, end), = days_named("3 may", date(2026, 11, 25))
assert (str(start), str(end)) == ("2026-05-03 00:00:00", "2026-05-04 00:00:00")
"""
    for zone in ("CET-1CEST", "Nowhere/City", "Pacific/Kiritimati"):
        subprocess.run([sys.executable, "-W", "error", "-c", code], env={**os.environ, "TZ": zone}, check=True)
