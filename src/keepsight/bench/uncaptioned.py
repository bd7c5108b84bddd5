"""Questions that a method must answer without a caption: told before a run, and in its report.

Counted from times of asking and lengths of videos, without decoding.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keepsight.bench.methods.base import Method
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.captions_and_live import CaptionsAndLive
from keepsight.bench.records import Countable, DataSet, Video
from keepsight.errors import DataError, VideoError

_MOST_NAMED = 3
"""Methods named in a line; the others are counted."""


@dataclass(frozen=True)
class Uncaptioned:
    """Questions without a caption to answer from.

    Attributes:
        num_early: asked before the first clip is full.
        num_too_short: asked after videos that end before, if such a clip gets no caption.
        num_short_videos: number of those videos.
        sees_frames: whether early questions are shown the frames so far.
    """

    num_early: int = 0
    num_too_short: int = 0
    num_short_videos: int = 0
    sees_frames: bool = True


@dataclass(frozen=True)
class _Watching:
    """What decides the counts of a method that watches with the full loop."""

    sample_fps: float
    frames_per_clip: int
    captions_partial_clip: bool
    sees_frames: bool


def count_uncaptioned(data_set: DataSet, method: Method[Any]) -> Uncaptioned:
    """Questions that a method has no caption for; none for methods that need neither captions nor kept tokens.

    A video that cannot be read, or does not say its length, counts as long enough.
    """
    watching = _watching(method)
    return Uncaptioned() if watching is None else _count(data_set, watching)


def uncaptioned_notes(data_set: DataSet, methods: Mapping[str, Method[Any]]) -> list[str]:
    """A line for each group of methods that have no caption for the same questions."""
    names: dict[_Watching, list[str]] = {}
    for name, method in methods.items():
        watching = _watching(method)
        if watching is not None:
            names.setdefault(watching, []).append(name)
    groups: dict[Uncaptioned, list[str]] = {}
    for watching, alike in names.items():
        groups.setdefault(_count(data_set, watching), []).extend(alike)
    return [line for found, alike in groups.items() for line in _lines(found, _listed(alike), data_set)]


def _watching(method: Method[Any]) -> _Watching | None:
    if not isinstance(method, Captions):
        return None
    one = method.settings
    sees_frames = one.live or one.live_at_start or isinstance(method, CaptionsAndLive)
    return _Watching(one.sample_fps, one.frames_per_clip, one.caption_partial_clip, sees_frames)


def _count(data_set: DataSet, watching: _Watching) -> Uncaptioned:
    found = [_of_video(video, watching) for video in data_set.videos]
    num_too_short = [each.count("too short") for each in found]
    return Uncaptioned(
        num_early=sum(each.count("early") for each in found),
        num_too_short=sum(num_too_short),
        num_short_videos=sum(number > 0 for number in num_too_short),
        sees_frames=watching.sees_frames,
    )


def _of_video(video: Video, watching: _Watching) -> list[str]:
    """`early` or `too short` for each of a video's questions without a caption."""
    try:
        return list(_kinds(video, watching))
    except (VideoError, DataError):  # the run will name it
        return []


def _kinds(video: Video, watching: _Watching) -> Iterator[str]:
    num_frames: float | None = None
    for question in video.questions:
        num_before = math.inf
        if math.isfinite(question.ask_seconds):
            num_before = math.ceil(question.ask_seconds * video.fps(watching.sample_fps))
        if num_before >= watching.frames_per_clip and watching.captions_partial_clip:
            continue  # captioned whatever the length, which is not looked up
        if num_frames is None:
            num_frames = _num_frames(video, watching.sample_fps)
        if min(num_before, num_frames) >= watching.frames_per_clip:
            continue
        if num_before <= num_frames:
            yield "early"
        elif not watching.captions_partial_clip:
            yield "too short"


def _num_frames(video: Video, sample_fps: float) -> float:
    """Number of frames; infinity if unknown."""
    counted = video.source.count_frames(sample_fps) if isinstance(video.source, Countable) else None
    return math.inf if counted is None else counted


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _lines(found: Uncaptioned, names: str, data_set: DataSet) -> Iterator[str]:
    of_all = f"of {data_set.num_questions:,} questions"
    if found.num_early:
        consequence = "they see the frames so far" if found.sees_frames else "they are answered without the video"
        yield f"{found.num_early:,} {of_all} come before the first caption: {consequence} ({names})"
    if found.num_too_short:
        yield (
            f"{found.num_too_short:,} {of_all} are about {found.num_short_videos:,} of {len(data_set.videos):,} videos "
            f"shorter than a clip, which get no caption: they are answered without the video ({names}); "
            "caption_partial_clip=true captions them"
        )
