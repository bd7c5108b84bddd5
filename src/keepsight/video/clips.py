"""Cutting a stream of frames into clips."""

from collections.abc import Iterable, Iterator

from keepsight.errors import SettingError, VideoError
from keepsight.spans import Span
from keepsight.video.frames import Clip, Frame
from keepsight.video.sampling import SampleGrid

DEFAULT_FRAMES_PER_CLIP = 16
"""Frames of one clip (paper, section 4)."""


class ClipBuffer:
    """Fills one clip at a time.

    A clip's span starts at its first frame and ends one sampling step after its last, where the next clip starts.

    Args:
        sample_fps: frames a second that are pushed.
        frames_per_clip: frames that make a clip full.
        first_index: index of the first clip, for a stream that is taken up again.

    Raises:
        SettingError: one of the three is outside its range.
    """

    def __init__(
        self, sample_fps: float, frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP, *, first_index: int = 0
    ) -> None:
        if frames_per_clip < 1:
            raise SettingError(f"frames_per_clip is 1 or more, not {frames_per_clip}")
        if first_index < 0:
            raise SettingError(f"first_index is 0 or more, not {first_index}")
        self._grid = SampleGrid(sample_fps)
        self._frames_per_clip = frames_per_clip
        self._next_index = first_index
        self._pending: list[Frame] = []

    @property
    def pending(self) -> tuple[Frame, ...]:
        """Frames of the unfinished clip, in time order; empty just after a clip was handed out."""
        return tuple(self._pending)

    @property
    def next_index(self) -> int:
        """Index that the clip being filled will have."""
        return self._next_index

    def push(self, frame: Frame) -> Clip | None:
        """Take a frame; the clip that it completes, or None.

        Raises:
            SettingError: the frame is earlier than the one before it in the clip.
        """
        self._check_order(frame)
        self._pending.append(frame)
        return self.flush() if len(self._pending) == self._frames_per_clip else None

    def flush(self) -> Clip | None:
        """Hand out what is pending as a clip, full or not; None where nothing is."""
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
                f"frames come in time order, not {frame.pts_seconds} s after {self._pending[-1].pts_seconds} s"
            )


def cut_clips(
    frames: Iterable[Frame],
    sample_fps: float,
    frames_per_clip: int = DEFAULT_FRAMES_PER_CLIP,
    *,
    first_index: int = 0,
) -> Iterator[Clip]:
    """Clips of a stream of frames, each as soon as its last frame has come; the last one may hold fewer frames.

    Args:
        frames: in time order. If reading them fails, the frames that came before are handed out as a last clip and
            the error goes on to the caller.
        sample_fps: frames a second.
        frames_per_clip: frames of a full clip.
        first_index: index of the first clip.

    Raises:
        SettingError: a setting is outside its range; see `ClipBuffer`.
    """
    return _cut(frames, ClipBuffer(sample_fps, frames_per_clip, first_index=first_index))


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
