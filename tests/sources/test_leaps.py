"""Leaps of a live source's clock: believed as far as time passed here."""

import io
from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.sources.live_clock import LeaplessClock
from keepsight.sources.readers import live_media
from keepsight.sources.readers.live_media import LiveMedia

TEN = Fraction(10)
DURATION = Fraction(1, 25)


@given(
    st.lists(st.tuples(st.fractions(0, 100), st.fractions(0, 9)), min_size=1, max_size=30),
    st.integers(0, 29),
    st.fractions(120, 20_000),
)
def test_only_what_time_does_not_confirm_is_taken_out(
    steps: list[tuple[Fraction, Fraction]], at: int, leap: Fraction
) -> None:
    """Pictures any time apart, up to 9 s more on their own clock than here; before one of them that clock is set."""
    now = 0.0
    clock = LeaplessClock(TEN, lambda: now)
    timestamp = expected = Fraction(1000)
    assert clock.without_leap(timestamp, DURATION) == expected
    for number, (passed, ahead) in enumerate(steps):
        now += float(passed)
        is_set = number == at
        timestamp += passed + ahead + (leap if is_set else 0)
        expected += DURATION if is_set else passed + ahead
        assert clock.without_leap(timestamp, DURATION) == expected


def slow_camera(seconds_apart: int) -> Any:
    """Eight uncompressed pictures so many seconds apart."""
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(8):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts, picture.time_base = number * seconds_apart * 25, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    file.seek(0)
    return av.open(file, format="nut")


@pytest.mark.parametrize("seconds_apart", [12, 15, 19])
def test_a_picture_every_15_seconds_keeps_its_distances(monkeypatch: pytest.MonkeyPatch, seconds_apart: int) -> None:
    now = iter(range(0, 10_000, seconds_apart))  # each picture comes when it says so
    made = LeaplessClock
    monkeypatch.setattr(live_media, "LeaplessClock", lambda most: made(most, lambda: float(next(now))))
    media = LiveMedia(slow_camera(seconds_apart), "here")
    times = [frame.pts_seconds for frame in media.sampled_frames(1)]
    assert times == list(range(7 * seconds_apart + 1))


def test_the_same_pictures_all_at_once_are_a_clock_that_leaps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = LeaplessClock
    monkeypatch.setattr(live_media, "LeaplessClock", lambda most: made(most, lambda: 0.0))
    media = LiveMedia(slow_camera(3600), "here")
    assert [frame.pts_seconds for frame in media.sampled_frames(25)] == [k / 25 for k in range(8)]
