"""Failure modes from the paper, counted in the toy world, where each token's content is known.

- Repetitive captions: a caption that repeats the previous one literally, although the truth differs.
- Poor captions that lead to wrong selection: whether tokens of things that the caption does not name are kept; for
  named things, nearly all should be.
- Spatial drift: kept tokens that show no thing or box, in first and in later clips of a video. If memory drew attention
  away from things, the later share would be lower.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, isqrt

from keepsight.bench.datasets.toy_frames import marks_at
from keepsight.bench.datasets.toyworld import ToySource
from keepsight.bench.records import DataSet
from keepsight.bench.results import CaptionedClip
from keepsight.bench.tabulate import Scored
from keepsight.bench.toy_captions import with_truth
from keepsight.toyworld.scoring import parse_caption

REPEATS = "repeats the caption before, wrongly"
NAMED = "named things with a token kept"
UNNAMED = "unnamed things with a token kept"
EARLY = "kept tokens on things, clips 1-4"
LATE = "kept tokens on things, from clip 12"
COLUMNS = (REPEATS, NAMED, UNNAMED, EARLY, LATE)
EARLY_CLIPS, LATE_CLIP = 4, 11


def failure_cases(data_set: DataSet, clips: Sequence[CaptionedClip], frames_per_step: int = 1) -> list[Scored]:
    """All cases of the failure modes, 1 if the column's statement holds.

    Args:
        data_set: toy videos.
        clips: captions of one method.
        frames_per_step: consecutive frames that the model merges into one step of tokens.
    """
    return [*_repeats(data_set, clips), *_kept(data_set, clips, frames_per_step)]


def _repeats(data_set: DataSet, clips: Sequence[CaptionedClip]) -> Iterator[Scored]:
    for (before, _, _), (clip, truth, _) in pairwise(with_truth(data_set, clips)):
        if before.video_id == clip.video_id:
            wrong = clip.caption == before.caption and clip.caption.strip() != truth.text
            yield Scored(_case(clip, "repeat"), clip.video_id, float(wrong), (REPEATS,))


def _kept(data_set: DataSet, clips: Sequence[CaptionedClip], frames_per_step: int) -> Iterator[Scored]:
    for clip, _, source in with_truth(data_set, clips):
        said = " ".join(parse_caption(clip.caption)[1]).split()
        shown = _things_shown(source, clip)
        kept = [_seen_at(source, clip, index, frames_per_step) for index in clip.kept_indices]
        for noun in sorted(shown):
            column = NAMED if noun in said else UNNAMED
            yield Scored(_case(clip, noun), clip.video_id, float(any(noun in seen for seen in kept)), (column,))
        if clip.clip_index < EARLY_CLIPS or clip.clip_index >= LATE_CLIP:
            column = EARLY if clip.clip_index < EARLY_CLIPS else LATE
            for index, seen in zip(clip.kept_indices, kept, strict=True):
                yield Scored(_case(clip, f"token {index}"), clip.video_id, float(bool(seen)), (column,))


def _case(clip: CaptionedClip, what: str) -> str:
    return f"{clip.video_id}/{clip.clip_index}/{what}"


def _things_shown(source: ToySource, clip: CaptionedClip) -> set[str]:
    """Nouns of the things visible in any frame of a clip."""
    return {
        shown.thing.noun
        for frame in range(clip.num_frames)
        for shown in source.story.visible_at(_frame_seconds(clip, frame))
        if shown.thing is not None
    }


def _seen_at(source: ToySource, clip: CaptionedClip, index: int, frames_per_step: int) -> set[str]:
    """Content of a visual token in any frame of its step: nouns, and `box`. Grids of square frames are square."""
    tokens_per_step = clip.num_visual_tokens // ceil(clip.num_frames / frames_per_step)
    side = isqrt(tokens_per_step)
    step, cell = divmod(index, tokens_per_step)
    frames = range(step * frames_per_step, min((step + 1) * frames_per_step, clip.num_frames))
    marks = (mark for frame in frames for mark in marks_at(source.story, _frame_seconds(clip, frame)))
    return {mark.name for mark in marks if mark.shows_in(cell, (side, side))}


def _frame_seconds(clip: CaptionedClip, frame: int) -> float:
    return clip.start_seconds + frame * (clip.end_seconds - clip.start_seconds) / clip.num_frames
