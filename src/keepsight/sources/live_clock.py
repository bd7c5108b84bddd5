"""Times of live frames, in seconds since the stream's start.

Within a run, times come from a monotonic clock, unaffected by changes of the system clock. The system clock only places
the start of a run (`begin_run`), since nothing else advances while Keepsight is not running.

Frames of one connection keep the source's distances, anchored at the arrival of the first. A source's clock may drift,
and networks deliver delayed frames in bursts, so a frame too far from its arrival re-anchors the connection. Time never
runs back: a connection that repeats frames holds the time reached.

Programs may push frames faster than real time (`PushedClock`); their frames keep their distances.

A leap of a source's clock is real if as much time passed here, else its clock was set.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from keepsight.errors import SettingError

MAX_DRIFT_SECONDS = 5.0
"""Maximum distance between a frame's time and its arrival: network delays, plus hours of clock drift."""

PACE_SECONDS = 4.0
"""How long to observe a pushing program to tell its pace."""

REAL_TIME_PACE = 1.1
"""Pace, in seconds of video per second, up to which a program pushes in real time; a camera's clock may run slightly
fast.
"""

SMALLEST_GAP_SECONDS = 1.0
"""Length of a gap between two runs if the system clock cannot tell it."""


def steady_seconds() -> float:
    """Monotonic clock with an arbitrary origin, unaffected by the system clock.

    It runs while the machine is suspended, so suspended time becomes a gap in the stream. `time.monotonic` stops
    meanwhile on Linux (clock_getres(2), CLOCK_BOOTTIME).
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_MONOTONIC"):
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # on macOS it runs during sleep, unlike time.monotonic
    return time.monotonic()


@dataclass(frozen=True)
class RunStart:
    """Start of a run of a live stream.

    Attributes:
        seconds: stream time.
        started_at: Unix time of the stream's second 0 in this run.
        set_back_seconds: how far the wall clock is behind the stream's position; else 0.
    """

    seconds: float
    started_at: float
    set_back_seconds: float = 0.0


def begin_run(started_at: float, reached_seconds: float, wall: float, slack_seconds: float) -> RunStart:
    """Stream time of a run that starts now, by the wall clock.

    Args:
        started_at: Unix time of the stream's second 0 in the previous run.
        reached_seconds: stored stream time.
        wall: current Unix time.
        slack_seconds: how far stored time may be ahead of the wall clock, since a clip ends when its last frame leaves
            the screen.
    """
    seconds = wall - started_at
    if seconds >= reached_seconds:
        return RunStart(seconds, started_at)
    if seconds >= reached_seconds - slack_seconds:
        return RunStart(reached_seconds, started_at)
    begins = reached_seconds + SMALLEST_GAP_SECONDS
    return RunStart(begins, wall - begins, reached_seconds - seconds)


class LiveClock:
    """Converts connection times into stream times.

    Args:
        zero_at: monotonic time of the stream's second 0.
        reached_seconds: stream time reached before, when resuming.
        max_drift_seconds: see `MAX_DRIFT_SECONDS`.
        longest_silence_seconds: after a longer silence, frames are placed at their arrival.
    """

    def __init__(
        self,
        zero_at: float,
        reached_seconds: float = 0.0,
        max_drift_seconds: float = MAX_DRIFT_SECONDS,
        longest_silence_seconds: float = 20.0,
    ) -> None:
        if not max_drift_seconds >= 0:
            raise SettingError(f"max_drift_seconds must be 0 or more, got {max_drift_seconds}")
        self._zero_at = zero_at
        self._reached = reached_seconds
        self._max_drift = max_drift_seconds
        self._longest_silence = longest_silence_seconds
        self._offset: float | None = None
        self._latest_arrival = 0.0
        self._latest_media = 0.0
        self._backlog = 0.0

    @property
    def lead_seconds(self) -> float:
        """How far the latest frame is ahead of real time, for a source that can wait; 0 for a camera."""
        return 0.0

    def held_back(self, seconds: float) -> None:
        """Note that the source was blocked for some time. A camera does not block."""

    @property
    def reached_seconds(self) -> float:
        """Latest time returned."""
        return self._reached

    def connected(self) -> None:
        """Reset for a new connection, whose times are unrelated to the previous one's."""
        self._offset = None

    def place(self, media_seconds: float, arrived_at: float) -> float:
        """Stream time of a frame in seconds; never below that of the previous frame.

        Args:
            media_seconds: frame time on the connection's clock.
            arrived_at: monotonic time of arrival.
        """
        arrival = arrived_at - self._zero_at
        if self._offset is None:
            self._begin_at(arrival, media_seconds)
        else:
            self._follow(media_seconds, arrival, self._offset)
        self._latest_arrival, self._latest_media = arrival, media_seconds
        self._reached = max(self._reached, media_seconds + (self._offset or 0.0))
        return self._reached

    def _begin_at(self, arrival: float, media_seconds: float) -> None:
        """Place a connection's first frame at its arrival."""
        self._move_to(arrival, media_seconds)

    def _move_to(self, seconds: float, media_seconds: float) -> None:
        """Re-anchor frames from this one on."""
        self._offset, self._backlog = seconds - media_seconds, 0.0

    def _is_astray(self, ahead_seconds: float) -> bool:
        """Whether a frame is too far from its arrival."""
        return not -self._max_drift - self._backlog <= ahead_seconds <= self._max_drift

    def _follow(self, media_seconds: float, arrival: float, offset: float) -> None:
        """Keep the source's distances, unless they lead too far from arrival.

        After a silence, frames may be as late as it was long: a picture's stay is known only when the next arrives, so
        its frames arrive together. They catch up at the rate of their own times.
        """
        passed_on = max(0.0, media_seconds - self._latest_media)
        silence = arrival - self._latest_arrival
        self._backlog = max(silence if silence <= self._longest_silence else 0.0, self._backlog - passed_on, 0.0)
        if self._is_astray(media_seconds + offset - arrival):
            self._move_to(arrival, media_seconds)

    def now(self, steady: float) -> float:
        """Stream time at a monotonic time, at least the time reached."""
        return max(self._reached, steady - self._zero_at)


class PushedClock(LiveClock):
    """`LiveClock` for frames that a program may push faster than real time.

    Frames keep the program's distances, however far ahead of arrival. Only a late frame moves to its arrival; time
    during which the program was blocked makes no frame late.

    Args:
        zero_at: see `LiveClock`.
        reached_seconds: see `LiveClock`.
        max_drift_seconds: maximum lateness of a frame.
        longest_silence_seconds: see `LiveClock`.
        step_seconds: distance of sampled frames; a new connection starts this long after the last frame.
    """

    def __init__(
        self,
        zero_at: float,
        reached_seconds: float = 0.0,
        max_drift_seconds: float = MAX_DRIFT_SECONDS,
        longest_silence_seconds: float = 20.0,
        step_seconds: float = 0.0,
    ) -> None:
        super().__init__(zero_at, reached_seconds, max_drift_seconds, longest_silence_seconds)
        self._step_seconds = step_seconds
        self._held = 0.0
        self._head_start = 0.0  # lead without a fast pace: behind earlier frames, or after a slow start
        self._pace_from = (0.0, 0.0)  # program time and frame time
        self._lead = 0.0
        self._has_placed = False

    @property
    def lead_seconds(self) -> float:
        """How far the latest frame is ahead of real-time pushing, in seconds, at least 0.

        Counted from the connection's first frame, or from when the program was last in real time.
        """
        return self._lead

    def held_back(self, seconds: float) -> None:
        """Note that the program was blocked, so its frames are not late."""
        self._held += seconds

    def place(self, media_seconds: float, arrived_at: float) -> float:
        placed = super().place(media_seconds, arrived_at)
        self._has_placed = True
        own_seconds = arrived_at - self._zero_at - self._held
        self._lead = max(0.0, placed - self._head_start - own_seconds)
        passed = own_seconds - self._pace_from[0]
        if passed >= PACE_SECONDS:
            if placed - self._pace_from[1] <= passed * REAL_TIME_PACE:
                self._head_start += self._lead
                self._lead = 0.0
            self._pace_from = (own_seconds, placed)
        return placed

    def _begin_at(self, arrival: float, media_seconds: float) -> None:
        """After frames that ran ahead, start a connection behind them, since time never runs back."""
        begins = max(arrival, self._reached + self._step_seconds) if self._has_placed else arrival
        self._move_to(begins, media_seconds)
        self._head_start = begins - arrival
        self._pace_from = (arrival, begins)

    def _move_to(self, seconds: float, media_seconds: float) -> None:
        super()._move_to(seconds, media_seconds)
        self._held, self._head_start = 0.0, 0.0
        self._pace_from = (seconds, seconds)

    def _is_astray(self, ahead_seconds: float) -> bool:
        return ahead_seconds + self._held < -self._max_drift - self._backlog


class LeaplessClock:
    """Removes forward leaps from live timestamps that arrival times do not confirm.

    Args:
        most_ahead_seconds: how much a step may exceed the time that passed here; networks and programs deliver in
            bursts.
        steady: monotonic clock.
    """

    def __init__(self, most_ahead_seconds: Fraction, steady: Callable[[], float] = steady_seconds) -> None:
        self._most_ahead = most_ahead_seconds
        self._steady = steady
        self._leapt = Fraction(0)
        self._before: Fraction | None = None
        self._arrived_before = steady()

    def without_leap(self, timestamp: Fraction, duration: Fraction) -> Fraction:
        """A picture's timestamp without the clock's leaps.

        Args:
            timestamp: timestamp of a just received picture, in seconds.
            duration: step to substitute for a leap, in seconds.
        """
        arrived = self._steady()
        passed = Fraction(arrived - self._arrived_before)
        step = Fraction(0) if self._before is None else timestamp - self._before
        if step > passed + self._most_ahead:
            self._leapt += step - duration
        self._before, self._arrived_before = timestamp, arrived
        return timestamp - self._leapt
