"""True captions of clips, given how far back a watcher remembers.

A caption names the place and then, in order, what happens and what stays: `in the kitchen: the red car arrives, the cat
goes into the box, the clock stays.`

Some clauses depend on the past: `returns` instead of `arrives`, and `the closed box with the cat` instead of `the
closed box`. They are true only if memory reaches back to the evidence.

Everything about a thing follows its noun, and every article is `the`: a small decoder looks things up by their noun, so
nothing to look up may precede it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keepsight.spans import Span
from keepsight.toyworld.story import Event, Kind, Story, Thing
from keepsight.toyworld.vocabulary import PLACES, location

SEEN_SECONDS = 4.0
"""Time on screen after which a thing counts as seen (two frames at 0.5 fps)."""


@dataclass(frozen=True)
class Clause:
    """One statement of a caption.

    Attributes:
        subject: a thing's phrase, `empty box`, `closed box` or `closed box with the cat`.
        noun: the subject's noun (`box` for boxes).
        verb: its action, such as `goes into the box`.
        needs_past: whether it requires memory of earlier clips.
        content: known content of a closed box.
        thing: the subject, unless it is a box.
        event: the event; None if something stays.
    """

    subject: str
    noun: str
    verb: str
    needs_past: bool = False
    content: Thing | None = None
    thing: Thing | None = None
    event: Event | None = None

    @property
    def text(self) -> str:
        """Text of the clause in a caption."""
        return f"the {self.subject} {self.verb}"


@dataclass(frozen=True)
class TrueCaption:
    """Ground truth of a clip."""

    span: Span
    place: str
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """Caption in the bundled model's training form."""
        said = ", ".join(clause.text for clause in self.clauses) or "nothing happens"
        return f"{location(self.place)}: {said}."


def clip_spans(duration_seconds: float, clip_seconds: float) -> list[Span]:
    """Spans of the clips of a video; the last may be shorter."""
    starts = [number * clip_seconds for number in range(int(-(-duration_seconds // clip_seconds)))]
    return [Span(start, min(start + clip_seconds, duration_seconds)) for start in starts]


def true_captions(story: Story, spans: Sequence[Span], memory_clips: int | None = 16) -> list[TrueCaption]:
    """True caption of each clip for a watcher that remembers the previous `memory_clips` clips, or all with None."""
    reach = len(spans) if memory_clips is None else memory_clips
    return [true_caption(story, span, spans[max(index - reach, 0)].start_seconds) for index, span in enumerate(spans)]


def true_caption(story: Story, span: Span, remembers_from_seconds: float) -> TrueCaption:
    """True caption of a clip for a watcher whose memory starts at a given time."""
    inside = [e for e in story.events if span.start_seconds <= e.middle_seconds < span.end_seconds]
    middle = (span.start_seconds + span.end_seconds) / 2
    place = story.place_at(middle)
    shown = [event for event in inside if story.place_at(event.middle_seconds) == event.place]
    clauses = [replace(_event_clause(story, event, span, remembers_from_seconds), event=event) for event in shown]
    clauses += _staying(story, span, shown, remembers_from_seconds)
    return TrueCaption(span, place, tuple(clauses))


_PLAIN_VERBS = {
    Kind.LEAVE: "leaves",
    Kind.MOVE_LEFT: "moves left",
    Kind.MOVE_RIGHT: "moves right",
    Kind.ENTER_BOX: "goes into the box",
    Kind.EXIT_BOX: "comes out of the box",
}


def _event_clause(story: Story, event: Event, span: Span, since: float) -> Clause:
    if event.kind == Kind.BOX_ARRIVES:
        return Clause("empty box", "box", "arrives")
    if event.kind == Kind.BOX_LEAVES:
        return _box_clause(story, event.thing, span, since, "is carried away")
    thing = event.thing
    if thing is None:
        raise ValueError(f"a {event.kind} event has no thing")
    if event.kind in (Kind.ARRIVE, Kind.VISIT):
        known = story.seen_seconds(thing, since, span.start_seconds) >= SEEN_SECONDS
        verb = "returns" if known else "arrives"
        verb += " and leaves" if event.kind == Kind.VISIT else ""
        return Clause(thing.phrase, thing.noun, verb, needs_past=known, thing=thing)
    fixture = PLACES[event.place]
    verb = {
        Kind.HIDE: f"hides behind the {fixture}",
        Kind.EMERGE: f"comes out from behind the {fixture}",
        **_PLAIN_VERBS,
    }[event.kind]
    return Clause(thing.phrase, thing.noun, verb, thing=thing)


def _box_clause(story: Story, content: Thing | None, span: Span, since: float, verb: str) -> Clause:
    """Clause about a box that is open, or closed with content that memory may or may not reach."""
    if content is None:
        return Clause("empty box", "box", verb)
    entered = [
        event.middle_seconds
        for event in story.events
        if event.kind == Kind.ENTER_BOX and event.thing == content and event.middle_seconds < span.start_seconds
    ]
    if entered and entered[-1] >= since:
        return Clause(f"closed box with the {content.phrase}", "box", verb, needs_past=True, content=content)
    return Clause("closed box", "box", verb)


def _staying(story: Story, span: Span, events: Sequence[Event], since: float) -> list[Clause]:
    """Clauses for things that stay through the whole clip, row by row from the top."""
    boxed = (Kind.ENTER_BOX, Kind.EXIT_BOX, Kind.BOX_ARRIVES, Kind.BOX_LEAVES)
    box_busy = any(event.kind in boxed for event in events)
    acting = {event.thing for event in events}
    last = max(span.end_seconds - 0.1, span.start_seconds)
    still = {id(shown) for shown in story.visible_at(span.start_seconds + 0.1)}
    staying = [shown for shown in story.visible_at(last) if id(shown) in still]
    clauses = []
    for shown in sorted(staying, key=lambda shown: shown.reading_order(last)):
        if shown.thing is None and not box_busy:
            content = _content_at(story, shown.place, span.start_seconds) if shown.picture == "closed box" else None
            clauses.append(_box_clause(story, content, span, since, "stays"))
        elif shown.thing is not None and shown.thing not in acting:
            thing = shown.thing
            clauses.append(Clause(thing.phrase, thing.noun, "stays", thing=thing))
    return clauses


def _content_at(story: Story, place: str, seconds: float) -> Thing | None:
    entered = [
        event.thing
        for event in story.events
        if event.kind == Kind.ENTER_BOX and event.place == place and event.end_seconds <= seconds
    ]
    return entered[-1] if entered else None
