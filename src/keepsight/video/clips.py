"""Clips, and cutting a sequence of frames into them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keepsight.errors import SettingError, TruncatedVideoError, VideoError
from keepsight.spans import Span
from keepsight.video.frames import Frame
from keepsight.video.sampling import SampleGrid

DEFAULT_FRAMES_PER_CLIP = 16
"""Frames per clip (paper, section 4)."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive sampled frames that are captioned together.

    Attributes:
        index: index in the stream, from 0.
        frames: at least one frame, in time order.
        span: from the first frame's time to the start of the next clip.
        num_frames_expected: frames of a full clip; 0 if it equals the number of frames.
        num_frames_dropped: expected frames that were dropped because the model was too slow.

    Raises:
        SettingError: there is no frame, the index is negative, or a frame is outside the span or out of order.
    """

    index: int
    frames: tuple[Frame, ...]
    span: Span
    num_frames_expected: int = 0
    num_frames_dropped: int = 0

    def __post_init__(self) -> None:
        if self.index < 0:
            raise SettingError(f"a clip's index must be at least 0, got {self.index}")
        times = [frame.pts_seconds for frame in self.frames]
        if not times or times != sorted(times):
            raise SettingError(f"a clip must have at least one frame, in time order, got {times} s")
        if times[0] < self.span.start_seconds or times[-1] > self.span.end_seconds:
            raise SettingError(f"a clip's frames must lie in its span {self.span}, got {times[0]} to {times[-1]} s")

    @property
    def gap_before(self) -> str:
        """One-line reason of a gap before this clip; empty without a gap."""
        return self.frames[0].gap_before

    @property
    def start_seconds(self) -> float:
        """Time of the first frame."""
        return self.span.start_seconds

    @property
    def end_seconds(self) -> float:
        """End of the clip, where the next one starts."""
        return self.span.end_seconds


class ClipBuffer:
    """Collects frames into clips.

    A clip's span starts at its first frame and ends one sampling step after its last, where the next clip starts. A gap
    in the stream ends a clip, so no clip covers unwatched time.

    Args:
        sample_fps: rate of pushed frames.
        frames_per_clip: frames per full clip.
        first_index: index of the first clip, for resuming a stream.

    Raises:
        SettingError: an argument is out of range.
    """

    def __init__(
        self, sample_fps: float, frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP, *, first_index: int = 0
    ) -> None:
        if frames_per_clip < 1:
            raise SettingError(f"frames_per_clip must be at least 1, got {frames_per_clip}")
        if first_index < 0:
            raise SettingError(f"first_index must be at least 0, got {first_index}")
        self._grid = SampleGrid(sample_fps)
        self._frames_per_clip = frames_per_clip
        self._next_index = first_index
        self._pending: list[Frame] = []

    @property
    def pending(self) -> tuple[Frame, ...]:
        """Frames of the incomplete clip, in time order."""
        return tuple(self._pending)

    @property
    def next_index(self) -> int:
        """Index of the incomplete clip."""
        return self._next_index

    def push(self, frame: Frame) -> Clip | None:
        """Add a frame; return the clip that it completes, or that the gap before it ends, or None.

        Raises:
            SettingError: the frame is earlier than the one before it in the clip.
        """
        self._check_order(frame)
        before_gap = self.flush() if frame.gap_before else None
        self._pending.append(frame)
        return before_gap or (self.flush() if len(self._pending) == self._frames_per_clip else None)

    def flush(self) -> Clip | None:
        """Return the pending frames as a clip, full or not; None if there are none."""
        if not self._pending:
            return None
        frames = tuple(self._pending)
        end_seconds = self._grid.next_instant_seconds(frames[-1].pts_seconds)
        clip = Clip(self._next_index, frames, Span(frames[0].pts_seconds, end_seconds))
        self._pending.clear()
        self._next_index += 1
        return clip

    def _check_order(self, frame: Frame) -> None:
        if self._pending and frame.pts_seconds < self._pending[-1].pts_seconds:
            raise SettingError(
                f"frames must come in time order, got {frame.pts_seconds} s after {self._pending[-1].pts_seconds} s"
            )


def cut_clips(
    frames: Iterable[Frame],
    sample_fps: float,
    frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP,
    *,
    first_index: int = 0,
) -> Iterator[Clip]:
    """Cut frames into clips, each as soon as its last frame has come; the last may be shorter.

    Args:
        frames: in time order. If the iterator raises, the frames so far are yielded as a last clip, then the error
            propagates.
        sample_fps: rate of the frames.
        frames_per_clip: frames per full clip.
        first_index: index of the first clip.

    Raises:
        SettingError: an argument is out of range; see `ClipBuffer`.
    """
    return _cut(frames, ClipBuffer(sample_fps, frames_per_clip, first_index=first_index))


def cut_clips_to_end(
    frames: Iterable[Frame],
    sample_fps: float,
    frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP,
    *,
    first_index: int = 0,
) -> Iterator[tuple[Clip, bool]]:
    """Like `cut_clips`, with whether the end of the frames cut the clip, so that it may change later.

    A full clip is held back until the next frame or the end.
    """
    return _cut_to_end(frames, ClipBuffer(sample_fps, frames_per_clip, first_index=first_index))


def _cut(frames: Iterable[Frame], buffer: ClipBuffer) -> Iterator[Clip]:
    incoming = iter(frames)
    failure: VideoError | None = None
    while True:
        try:
            frame = next(incoming, None)
        except VideoError as error:
            failure, frame = error, None
        clip = buffer.flush() if frame is None else buffer.push(frame)
        if clip is not None:
            yield clip
        if frame is None:
            break
    if failure is not None:
        raise failure


def _cut_to_end(frames: Iterable[Frame], buffer: ClipBuffer) -> Iterator[tuple[Clip, bool]]:
    incoming = iter(frames)
    failure: VideoError | None = None
    held: Clip | None = None
    while True:
        try:
            frame = next(incoming, None)
        except VideoError as error:
            failure, frame = error, None
        except BaseException:  # re-raised after the complete clips
            if held is not None:
                yield held, False
            raise
        if frame is None:
            break
        if held is not None:
            yield held, False
        held = buffer.push(frame)
    rest = buffer.flush()
    if held is not None:
        # Frames before a decoder crash stay valid; the last frames of a growing file may change.
        yield held, rest is None and (failure is None or isinstance(failure, TruncatedVideoError))
    if rest is not None:
        yield rest, True
    if failure is not None:
        raise failure
