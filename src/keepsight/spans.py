"""Time spans, their text form, and notes on missing frames."""

from dataclasses import dataclass

from keepsight.errors import SettingError


def format_clock(seconds: float) -> str:
    """Clock text of seconds, rounded down: `01:04`, or `1:01:04` from one hour on."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def frames_note(num_frames: int, num_expected: int, num_dropped: int) -> str:
    """Note on a clip's missing frames, such as `9 of 16 frames, 3 dropped`; empty if none are missing."""
    if num_frames >= num_expected and not num_dropped:
        return ""
    return f"{num_frames} of {num_expected} frames" + (f", {num_dropped} dropped" if num_dropped else "")


@dataclass(frozen=True)
class Span:
    """A span of a stream, in seconds from its start.

    Raises:
        SettingError: the end is before the start, or the start is negative.
    """

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_seconds <= self.end_seconds:
            raise SettingError(f"a span must have 0 <= start <= end, got {self.start_seconds} to {self.end_seconds} s")

    def __str__(self) -> str:
        return f"{format_clock(self.start_seconds)}-{format_clock(self.end_seconds)}"

    @property
    def duration_seconds(self) -> float:
        """Length of the span in seconds."""
        return self.end_seconds - self.start_seconds


class Spanned:
    """Mixin that exposes the ends of `span`."""

    span: Span

    @property
    def start_seconds(self) -> float:
        """Start of the span."""
        return self.span.start_seconds

    @property
    def end_seconds(self) -> float:
        """End of the span."""
        return self.span.end_seconds
