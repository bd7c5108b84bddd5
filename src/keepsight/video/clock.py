"""A steady clock for a stream, whatever its timestamps do.

Times count from the container's zero, as in players and `ffmpeg -ss`: a picture that starts 10 s after its sound has
time 10 s. Forward steps of a container are real time, however long: a slide may stay for hours. A step back cannot be
real; the clock then continues from the time reached, and reports the break.
"""

from dataclasses import dataclass
from fractions import Fraction

from av.video.stream import VideoStream

from keepsight.spans import format_clock

LONGEST_BACKSTEP = Fraction(1)
"""Backward step of a timestamp beyond which it is a restarted clock, not a glitch; in seconds."""

LONGEST_LIVE_STEP = Fraction(10)
"""Step between two pictures beyond which a live clock has jumped, unless arrival times confirm it; in seconds."""

_FALLBACK_DURATION = Fraction(1, 25)
_USUAL_STEPS = 3
_LONGEST_USUAL_DURATION = Fraction(3600)


def usual_duration(stream: VideoStream) -> Fraction:
    """Duration of a picture by the stream's rate, or 1/25 s if unknown."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(0)
    return 1 / rate if rate * _LONGEST_USUAL_DURATION >= 1 else _FALLBACK_DURATION


@dataclass(frozen=True)
class ClockSettings:
    """Properties of a container's timestamps.

    Attributes:
        zero: timestamp in seconds that players show as time 0; None for the first picture's.
        wrap_seconds: period after which timestamps wrap (MPEG transport streams: 33 bits at 90 kHz, ISO/IEC 13818-1,
            section 2.4.3.7); None if they never do.
        latest_seconds: no picture can be later, so a step beyond it is a clock jump.
        longest_step_seconds: a longer forward step is a clock jump; None if every forward step is real.
    """

    zero: Fraction | None = None
    wrap_seconds: Fraction | None = None
    latest_seconds: Fraction | None = None
    longest_step_seconds: Fraction | None = None


class FrameClock:
    """Converts ordered timestamps into monotonic seconds since the container's zero.

    Ordered timestamps keep their distances exactly. A missing one is the previous one plus the picture's duration. One
    that runs back slightly is held at the time reached. One that runs back by more than `LONGEST_BACKSTEP` is a clock
    jump: time continues from there, one duration later.

    Args:
        settings: properties of the timestamps.
    """

    def __init__(self, settings: ClockSettings = ClockSettings()) -> None:
        self._settings = settings
        self._zero = settings.zero
        self._latest: Fraction | None = None
        self._longest_step = Fraction(0)
        self.jump = ""
        """One line on a clock jump before the last timestamp; empty if there was none."""
        self.has_wrapped = False
        """Whether timestamps wrapped before the last one."""

    def place(self, timestamp: Fraction | None, duration: Fraction) -> Fraction:
        """Time of the next picture in seconds since the container's zero, at least 0: see `follow`."""
        return max(Fraction(0), self.follow(timestamp, duration))

    def follow(
        self, timestamp: Fraction | None, duration: Fraction, longest_step_seconds: Fraction | None = None
    ) -> Fraction:
        """Like `place`, but negative before the container's zero.

        Args:
            timestamp: timestamp of the picture in seconds, or None if missing.
            duration: usual display duration, above 0.
            longest_step_seconds: as in `ClockSettings`, for this picture only; None for that of the settings.
        """
        self.jump, self.has_wrapped = "", False
        latest = self._latest
        if timestamp is None or self._zero is None:
            time = Fraction(0) if latest is None else latest + duration
            if timestamp is not None:
                self._zero = timestamp - time
        elif latest is None:
            time = timestamp - self._zero
        else:
            longest = longest_step_seconds or self._settings.longest_step_seconds
            time = latest + self._step(timestamp - self._zero - latest, latest, duration, longest)
            if self.jump:
                self._zero = timestamp - time
        self._latest = time
        return time

    def _step(self, step: Fraction, latest: Fraction, duration: Fraction, longest: Fraction | None) -> Fraction:
        """Seconds from the latest picture to the next."""
        settings = self._settings
        wrap = settings.wrap_seconds
        if wrap is not None and step < 0 and -LONGEST_BACKSTEP <= step + wrap <= self._longest_plausible_step():
            self._zero = (self._zero or Fraction(0)) - wrap
            self.has_wrapped = True
            return max(step + wrap, Fraction(0))
        # FFmpeg adds a wrap to timestamps before the first: a step of half a wrap is a restarted clock.
        is_back = step < -LONGEST_BACKSTEP or (wrap is not None and step > wrap / 2)
        is_beyond = settings.latest_seconds is not None and latest + step > settings.latest_seconds
        if is_back or is_beyond or (longest is not None and step > longest):
            direction = "back" if is_back else "ahead"
            self.jump = f"the recording's clock jumps {direction} at {format_clock(max(0.0, float(latest)))}"
            return duration
        self._longest_step = max(self._longest_step, step)
        return max(step, Fraction(0))

    def _longest_plausible_step(self) -> Fraction:
        """Plausible step across a wrap of timestamps, in seconds."""
        return max(LONGEST_LIVE_STEP, _USUAL_STEPS * self._longest_step)


class PresentationClock:
    """Converts picture timestamps, in display order, into seconds since the container's zero.

    Clock jumps are detected from the packets (`packet_times.py`); here a time follows from its timestamp alone, so it
    does not depend on which pictures were skipped. Time never runs back: a glitch is held at the time reached.

    Args:
        zero: timestamp in seconds of time 0; None for the first picture's.
    """

    def __init__(self, zero: Fraction | None) -> None:
        self._zero = zero
        self._latest: Fraction | None = None

    @property
    def zero(self) -> Fraction:
        """Current timestamp of time 0, in seconds."""
        return self._zero or Fraction(0)

    def place(self, timestamp: Fraction | None, duration: Fraction, zero: Fraction | None = None) -> Fraction:
        """Time of the next picture, at least 0.

        Args:
            timestamp: timestamp of the picture in seconds, or None to follow the previous one.
            duration: usual display duration, above 0.
            zero: timestamp of time 0 from this picture on; None if unchanged.
        """
        latest = self._latest
        self._zero = self._zero if zero is None else zero
        following = Fraction(0) if latest is None else latest + duration
        if self._zero is None and timestamp is not None:
            self._zero = timestamp - following
        time = following if timestamp is None else timestamp - self.zero
        self._latest = max(time, latest or Fraction(0))
        return self._latest
