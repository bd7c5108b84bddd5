"""Which clips show nothing new (`skip_still`): decided from pictures alone, before a clip is encoded.

Every frame of a clip is compared with the last frame of the last captioned clip, not with the clip before: a slow
change adds up until it counts. After a gap, or a time without frames, the next clip is captioned: what happened
meanwhile was not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from keepsight.journal import Journal, StreamRecord
from keepsight.journal.compared import ComparedPicture
from keepsight.journal.last_clip import LastClip
from keepsight.settings import Settings
from keepsight.video import Clip
from keepsight.video.stillness import CELLS, largest_change, reduced


@dataclass(frozen=True, eq=False)
class Compared:
    """Result of comparing a clip.

    Attributes:
        picture: picture that the next clip is compared with: the clip's own last frame, or what it equals.
        is_still: whether nothing changed since `picture`.
    """

    picture: ComparedPicture
    is_still: bool


class Stillness:
    """Compares clips of a stream in order, ahead of their captions.

    Args:
        threshold: largest change, in levels of 255, that counts as none.
        clip_seconds: duration of a full clip; after a longer time without frames a clip is captioned.
        has_gap: whether a gap is recorded between two times of the stream.
        picture: last frame of the last captioned clip; None before the first.
        end_seconds: end of the last clip.
    """

    def __init__(
        self,
        threshold: float,
        clip_seconds: float,
        has_gap: Callable[[float, float], bool],
        picture: ComparedPicture | None = None,
        end_seconds: float = 0.0,
    ) -> None:
        self._threshold = threshold
        self._clip_seconds = clip_seconds
        self._has_gap = has_gap
        self._picture = picture
        self._end_seconds = end_seconds

    @classmethod
    def restore(
        cls, journal: Journal, stream: StreamRecord, settings: Settings, replaced: LastClip | None = None
    ) -> Self | None:
        """Restore the comparison after a stream's last clip from its journal; None unless `skip_still` is on.

        Args:
            journal: journal of the stream.
            stream: its record.
            settings: its settings.
            replaced: last clip, to restore the comparison before it.
        """
        if not settings.skip_still:
            return None
        next_index = None if replaced is None else replaced.clip_index
        last = journal.clips.last(stream.id) if next_index is None else journal.clips.get(stream.id, next_index - 1)
        return cls(
            settings.still_threshold,
            settings.frames_per_clip / settings.sample_fps,
            lambda start_seconds, end_seconds: bool(journal.gaps.overlapping(stream.id, start_seconds, end_seconds)),
            journal.compared.of(stream.id, before_index=next_index),
            0.0 if last is None else last.span.end_seconds,
        )

    def compare(self, clip: Clip) -> Compared:
        """Compare the next clip; one that is not still is what later clips are compared with."""
        before, is_still = self._picture, False
        if before is not None and self._follows(clip):
            is_still = self._equals(clip, before)
        if before is None or not is_still:
            frame = clip.frames[-1]
            before = ComparedPicture(clip.index, frame.pts_seconds, reduced(frame.image).tobytes())
        self._picture, self._end_seconds = before, clip.span.end_seconds
        return Compared(before, is_still)

    def _follows(self, clip: Clip) -> bool:
        """Whether the stream was watched without a break from the last clip to this one."""
        start_seconds, end_seconds = self._end_seconds, clip.span.start_seconds
        if clip.gap_before or end_seconds - start_seconds > self._clip_seconds:
            return False
        return end_seconds <= start_seconds or not self._has_gap(start_seconds, end_seconds)

    def _equals(self, clip: Clip, compared: ComparedPicture) -> bool:
        before = np.frombuffer(compared.picture, np.uint8).reshape(CELLS, CELLS, 3)
        images = {id(frame.image): frame.image for frame in clip.frames}  # frames that repeat a picture share it
        return all(largest_change(before, reduced(image)) <= self._threshold for image in images.values())
