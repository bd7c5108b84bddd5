"""Accuracy of toy-video captions, clip by clip, and the gap of their memory-only parts."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, inf

from keepsight.bench.datasets.toyworld import ToySource
from keepsight.bench.records import DataSet
from keepsight.bench.results import CaptionedClip
from keepsight.bench.tabulate import Scored
from keepsight.spans import Span
from keepsight.toyworld.captions import TrueCaption, true_caption
from keepsight.toyworld.scoring import parse_caption

EVENTS = "visible in the clip"
PAST = "needs memory"
GAP_COLUMNS = (2, 4, 8, 16, 32, 64)
"""Largest gaps, in clips, of the columns of memory tables. In worlds whose captions reach back for 16 clips
(`Difficulty.memory_clips`) nothing lies beyond the fourth."""


@dataclass(frozen=True)
class PastClause:
    """A clause that requires memory.

    Attributes:
        scored: whether the caption has it.
        gap_clips: clips since its evidence; 1 for the previous clip.
    """

    scored: Scored
    gap_clips: int


def scored_captions(data_set: DataSet, clips: Sequence[CaptionedClip]) -> list[Scored]:
    """Events, clause by clause, exact match: what the clip shows and what requires memory.

    Clauses that something stays are omitted, unless they tell the content of a closed box.
    """
    scored: list[Scored] = []
    for clip, truth, _ in with_truth(data_set, clips):
        said = set(parse_caption(clip.caption)[1])
        for clause in truth.clauses:
            if clause.needs_past or not clause.verb.startswith("stays"):
                column = PAST if clause.needs_past else EVENTS
                scored.append(Scored(_case(clip, clause.text), clip.video_id, float(clause.text in said), (column,)))
    return scored


def past_scores(data_set: DataSet, clips: Sequence[CaptionedClip]) -> list[Scored]:
    """Memory-only cases of `scored_captions`, by gap in clips."""
    clauses = sorted(past_clauses(data_set, clips), key=lambda clause: clause.gap_clips)  # columns in this order
    return [replace(clause.scored, columns=(_gap_column(clause.gap_clips),)) for clause in clauses]


def _gap_column(gap_clips: int) -> str:
    ranges = zip((1, *(most + 1 for most in GAP_COLUMNS)), GAP_COLUMNS, strict=False)
    names = [f"{fewest}-{most} clips back" for fewest, most in ranges if fewest <= gap_clips <= most]
    return names[0] if names else f"more than {GAP_COLUMNS[-1]}"


def past_clauses(data_set: DataSet, clips: Sequence[CaptionedClip]) -> list[PastClause]:
    """Memory-only clauses with their gaps."""
    found = []
    lengths = _clip_seconds(clips)
    for clip, truth, source in with_truth(data_set, clips):
        said = set(parse_caption(clip.caption)[1])
        for clause in truth.clauses:
            if clause.needs_past:
                scored = Scored(_case(clip, clause.text), clip.video_id, float(clause.text in said))
                gap = _gap_clips(source, truth.span, lengths[clip.method, clip.video_id], clause.text)
                found.append(PastClause(scored, gap))
    return found


def with_truth(
    data_set: DataSet, clips: Sequence[CaptionedClip]
) -> Iterator[tuple[CaptionedClip, TrueCaption, ToySource]]:
    """Captions of clips with their truth; other data sets' videos have none."""
    sources: Mapping[str, object] = {video.video_id: video.source for video in data_set.videos}
    lengths = _clip_seconds(clips)
    for clip in clips:
        source = sources.get(clip.video_id)
        if isinstance(source, ToySource):
            reach_clips = source.story.difficulty.memory_clips
            reach = inf if reach_clips is None else reach_clips * lengths[clip.method, clip.video_id]
            yield clip, _truth(source, clip.start_seconds, clip.end_seconds, reach), source


def _case(clip: CaptionedClip, text: str) -> str:
    """Case id of a clip's clause; clips of other lengths are other cases."""
    return f"{clip.video_id}/{clip.start_seconds}-{clip.end_seconds}/{text}"


def _clip_seconds(clips: Sequence[CaptionedClip]) -> dict[tuple[str, str], float]:
    """Length of full clips by method and video, since the last clip may be shorter."""
    lengths: dict[tuple[str, str], float] = {}
    for clip in clips:
        key, length = (clip.method, clip.video_id), clip.end_seconds - clip.start_seconds
        lengths[key] = max(length, lengths.get(key, 0.0))
    return lengths


@lru_cache(maxsize=100_000)
def _truth(source: ToySource, start_seconds: float, end_seconds: float, reach_seconds: float) -> TrueCaption:
    """True caption of a clip, for a watcher whose memory reaches back so far."""
    return true_caption(source.story, Span(start_seconds, end_seconds), max(0.0, start_seconds - reach_seconds))


@lru_cache(maxsize=100_000)
def _gap_clips(source: ToySource, span: Span, clip_seconds: float, text: str) -> int:
    """Shortest memory, in clips, with which the clause is true."""

    def is_true(gap_clips: int) -> bool:
        truth = true_caption(source.story, span, max(0.0, span.start_seconds - gap_clips * clip_seconds))
        return any(clause.needs_past and clause.text == text for clause in truth.clauses)

    gaps = range(1, ceil(span.start_seconds / clip_seconds) + 1)
    return bisect_left(gaps, True, key=is_true) + 1  # what a memory can tell, a longer one can, too
