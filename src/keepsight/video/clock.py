"""One steady clock for a stream, whatever its timestamps do."""

from fractions import Fraction

from av.video.stream import VideoStream

LONGEST_BACKSTEP = Fraction(1)
"""Seconds a timestamp may run backwards before it counts as a restarted clock and not as a glitch."""

LONGEST_HOLD = Fraction(3600)
"""Seconds a picture may stay on screen in a file with one continuous clock (slides, a recording of a still screen)."""

LONGEST_HOLD_BROADCAST = Fraction(10)
"""The same in formats whose clock may jump by design, such as MPEG transport streams."""

_FALLBACK_DURATION = Fraction(1, 25)


def usual_duration(stream: VideoStream, longest_hold: Fraction) -> Fraction:
    """Seconds that a picture is on screen by what the stream says of its rate, or a 25th where it says nothing."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(0)
    return 1 / rate if rate * longest_hold >= 1 else _FALLBACK_DURATION


class FrameClock:
    """Turns timestamps in presentation order into times since the first picture that never run backwards.

    Timestamps that are present and in order keep their distances exactly. A missing one is taken as the one before
    plus the picture's own duration. One that runs back a little is held at the time already reached. One that runs
    back by more than `LONGEST_BACKSTEP` or leaps ahead by more than `longest_hold` is a jump of the clock: it goes on
    from there, one duration later.

    Args:
        longest_hold: seconds between two pictures above which the clock has jumped.
    """

    def __init__(self, longest_hold: Fraction = LONGEST_HOLD) -> None:
        self._longest_hold = longest_hold
        self._offset: Fraction | None = None
        self._latest: Fraction | None = None

    def place(self, timestamp: Fraction | None, duration: Fraction) -> Fraction:
        """Time of the next picture in seconds since the first one.

        Args:
            timestamp: the picture's timestamp in seconds, or None where there is none.
            duration: seconds a picture usually stays on screen, above 0.
        """
        if self._latest is None:
            time = Fraction(0)
        elif timestamp is None:
            time = self._latest + duration
        else:
            time = self._follow(timestamp, self._latest, duration)
        if timestamp is not None and self._offset is None:
            self._offset = time - timestamp
        self._latest = time
        return time

    def _follow(self, timestamp: Fraction, latest: Fraction, duration: Fraction) -> Fraction:
        if self._offset is None:
            return latest + duration
        step = timestamp + self._offset - latest
        if -LONGEST_BACKSTEP <= step <= self._longest_hold:
            return latest + max(step, Fraction(0))
        self._offset = latest + duration - timestamp
        return latest + duration
