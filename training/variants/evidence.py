"""Whether a remembered token lies on what a caption says of the past.

It tells what a selection keeps, whatever the model makes of it. It is no strict ceiling: the tower's attention covers
whole frames, so a token beside a thing may tell of it, too; and a clause can be guessed.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from keepsight.bench.records import DataSet
from keepsight.bench.results import CaptionedClip
from keepsight.bench.toy_captions import with_truth
from keepsight.spans import Span
from keepsight.toyworld.captions import Clause
from keepsight.toyworld.render import THING_SIZE
from keepsight.toyworld.story import Story
from training.clip_labels import entering_cells
from training.encoded_stories import frame_times
from training.moments import GRID, cell_cover
from training.variants.attention import MEMORY_CLIPS

Places = Iterable[tuple[Span, int]]
"""Remembered tokens: span of the clip, and index in the clip."""


def has_evidence(story: Story, places: Places, clause: Clause) -> bool:
    """Whether a remembered token shows the clause's thing or, for the content of a box, that thing entering a box."""
    return any(_shows(story, *_moment(span, index), clause) for span, index in places)


def _moment(span: Span, index: int) -> tuple[float, int]:
    """Time and cell of a token of a clip of whole frames."""
    step, cell = divmod(index, GRID * GRID)
    return frame_times(span)[step], cell


def _shows(story: Story, seconds: float, cell: int, clause: Clause) -> bool:
    if clause.content is not None:
        return entering_cells(story, seconds).get(cell) == clause.content.noun
    return any(
        shown.thing == clause.thing and bool(cell_cover(shown.position(seconds), THING_SIZE)[cell])
        for shown in story.visible_at(seconds)
    )


def kept_evidence(data_set: DataSet, clips: Sequence[CaptionedClip], memory_clips: int) -> list[bool]:
    """Whether the tokens kept of earlier clips show it, for each clause that needs memory, as in `scored_captions`.

    Args:
        data_set: the toy world.
        clips: captions of one method, the clips of a video in order.
        memory_clips: clips that the method remembers; no more than 16 count.
    """
    kept: dict[str, deque[list[tuple[Span, int]]]] = defaultdict(lambda: deque(maxlen=min(memory_clips, MEMORY_CLIPS)))
    found = []
    for clip, truth, source in with_truth(data_set, clips):
        memory = kept[clip.video_id]
        places = [place for own in memory for place in own]
        found += [has_evidence(source.story, places, clause) for clause in truth.clauses if clause.needs_past]
        memory.append([(truth.span, index) for index in clip.kept_indices])
    return found
