"""Labels of visual tokens: the thing shown, its events in the clip so far, and what memory holds."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from keepsight.toyworld.captions import Clause, TrueCaption
from keepsight.toyworld.render import BOX_SIZE, THING_SIZE
from keepsight.toyworld.simulate import TRAVEL_SECONDS
from keepsight.toyworld.story import Appearance, Event, Kind, Story
from training.inner_labels import UNKNOWN, InnerLabel, label
from training.moments import GRID, cell_cover

AMBIGUOUS_AT_FIRST = (Kind.LEAVE, Kind.MOVE_LEFT, Kind.MOVE_RIGHT, Kind.ENTER_BOX, Kind.HIDE)
"""A thing that starts moving may still do any of these."""
GONE_SHARE = 0.1
"""Weight of absent things against present ones in the same cell."""


def clip_labels(
    story: Story, truth: TrueCaption, times: Sequence[float], first_position: int, frames_per_step: int = 1
) -> list[InnerLabel]:
    """Labels of the visual tokens of frames at `times` in seconds, from a sequence position on.

    A token's label tells what has happened by then: until it leaves, a thing stays. A token of several frames tells
    what has happened by the last, about the thing its cell showed most over all.
    """
    labels: list[InnerLabel] = []
    for number in range(-(-len(times) // frames_per_step)):
        step = times[number * frames_per_step : (number + 1) * frames_per_step]
        best = torch.zeros(GRID * GRID)
        told: list[list[tuple[str, str]]] = [[] for _ in best]
        for turn, clause in enumerate(truth.clauses):
            cover = torch.stack([_cover(story, clause, truth.place, seconds) for seconds in step]).sum(0)
            said = _said(clause, turn, step[-1])
            for cell in torch.nonzero(cover > best).flatten().tolist():
                best[cell], told[cell] = cover[cell], said
        base = first_position + number * GRID * GRID
        labels += [label(base + cell, "when", "now") for cell in range(GRID * GRID)]
        labels += [label(base + cell, *one) for cell, said in enumerate(told) for one in said]
    return labels


def entering_cells(story: Story, seconds: float) -> dict[int, str]:
    """Cells showing at a time how a thing enters a box, with its noun."""
    found: dict[int, str] = {}
    for event in story.events:
        if event.kind == Kind.ENTER_BOX and event.thing and event.middle_seconds <= seconds < event.end_seconds:
            for shown in story.visible_at(seconds):
                if shown.thing == event.thing:
                    cover = cell_cover(shown.position(seconds), THING_SIZE)
                    found |= dict.fromkeys(torch.nonzero(cover).flatten().tolist(), event.thing.noun)
    return found


def memory_labels(
    entering: Mapping[tuple[int, int], str], places: Sequence[tuple[int, int]], first_position: int
) -> list[InnerLabel]:
    """Labels of remembered tokens: `before`, and for some the thing that entered a box.

    Args:
        entering: clip and index in the clip -> noun of the thing entering a box there.
        places: clip and index in the clip of each remembered token.
        first_position: sequence position of the first token.
    """
    labels = [label(first_position + at, "when", "before") for at in range(len(places))]
    seen = [(first_position + at, entering[place]) for at, place in enumerate(places) if place in entering]
    return labels + [label(position, "content", noun) for position, noun in seen]


def _said(clause: Clause, turn: int, seconds: float) -> list[tuple[str, str]]:
    """Labels of a token of a clause's thing at a time; none while its event is still ambiguous."""
    event, verb = clause.event, clause.verb
    content = [("content", clause.content.noun)] if clause.content else []
    if clause.subject == "closed box":
        content = [("content", UNKNOWN)]
    if event is None or seconds < event.start_seconds:
        return [("who", clause.noun), ("deed", "stays"), *content]
    if event.kind in AMBIGUOUS_AT_FIRST and seconds < event.middle_seconds:
        return [("who", clause.noun)]
    if event.kind == Kind.VISIT and seconds < event.end_seconds - TRAVEL_SECONDS / 2:
        verb = verb.split()[0]
    if event.kind == Kind.ENTER_BOX:
        content = [("content", clause.noun)]
    return [("who", clause.noun), ("deed", verb), ("turn", str(min(turn, 3))), *content]


def _cover(story: Story, clause: Clause, place: str, seconds: float) -> Tensor:
    """Share of each cell covered by a clause's thing or, if it has left in this clip, covered before it left."""
    for shown in story.visible_at(seconds):
        if _is_about(clause, shown):
            cover = cell_cover(shown.position(seconds), _size(shown))
            if cover.sum() > 0:
                return cover
    if clause.event is None or seconds < clause.event.middle_seconds:
        return torch.zeros(GRID * GRID)
    return GONE_SHARE * _cover_before(story, clause, clause.event, place)


def _cover_before(story: Story, clause: Clause, event: Event, place: str) -> Tensor:
    """Cover of a thing where it was last seen: its place before it left, or its destination."""
    stays = [shown for shown in story.appearances if shown.place == place and _is_about(clause, shown)]
    if event.kind in (Kind.HIDE, Kind.ENTER_BOX):
        since = event.end_seconds
        last = [shown for shown in stays if abs(shown.end_seconds - since) < 0.01]
    else:
        since = event.end_seconds - TRAVEL_SECONDS if event.kind == Kind.VISIT else event.start_seconds
        last = [shown for shown in stays if shown.start_seconds <= since < shown.end_seconds]
    covers = [cell_cover(shown.position(since), _size(shown)) for shown in last]
    return torch.stack(covers).sum(0) if covers else torch.zeros(GRID * GRID)


def _is_about(clause: Clause, shown: Appearance) -> bool:
    return shown.thing == clause.thing if clause.thing else shown.thing is None and clause.noun == "box"


def _size(shown: Appearance) -> float:
    return THING_SIZE if shown.thing else BOX_SIZE
