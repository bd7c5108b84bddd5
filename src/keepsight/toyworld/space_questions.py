"""Questions about places in the picture: where something was, what was beside it, and which way it went.

Each has two possible answers, in wordings whose words the bundled models know; they are not trained on these questions.

- `where in the picture`: `Was the dog on the left or on the right?` - `left`
- `left of`: two things that were on screen together. `Which was on the left, the dog or the cat?` - `the dog`
- `which way`: `Did the dog go left or right?` - `right`

Only what is unambiguous is asked: about a thing that was never near the middle, two things of which one was always left
of the other, a thing that travelled in one direction only. All of it holds from the first clip to the time of asking,
so the answer does not depend on which clips are remembered.
"""

import random
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from keepsight.spans import Span
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.story import Story

WHERE, BESIDE, WAY = SPACE_KINDS = ("where in the picture", "left of", "which way")
SIDES = ("left", "right")
GRAIN_SECONDS = 1.0
"""Time between the instants at which positions are looked up."""
FEWEST_SECONDS = 4.0
"""Least time on screen of a thing, and of two things together: two frames at 0.5 fps."""
MIDDLE = (0.4, 0.6)
"""A thing whose centre is in between is neither on the left nor on the right; the picture is 1 wide, a thing 0.31."""
LEAST_DISTANCE = 0.2
"""Least distance in width between two things of which one is left of the other."""
LEAST_TRAVEL, MOST_BACK = 0.25, 0.02
"""Least travel in one direction, and most in the other, of a thing that went one way. From the picture's edge to the
nearest of the three columns of places it is less, so coming there is no travel."""

Track = dict[float, float]
"""Position in width at each instant, in seconds, when at least half of a thing was in the picture, in time order."""


@dataclass(frozen=True)
class SpaceFact:
    """Something to ask about.

    Attributes:
        task: one of `SPACE_KINDS`.
        side: `left` or `right`: where the first of the nouns was, or went.
        nouns: the thing, or two.
        seconds: instants that show it.
    """

    task: str
    side: str
    nouns: tuple[str, ...]
    seconds: tuple[float, ...]

    def allows(self, wanted: int) -> bool:
        """Whether the answer can be the wanted one: 0 for `left` or the noun named first, 1 for the other."""
        return self.task == BESIDE or self.side == SIDES[wanted]

    def worded(self, wanted: int, rng: random.Random) -> tuple[str, str]:
        """Question and answer.

        Args:
            wanted: which of the nouns is named first in `left of`: see `allows`.
            rng: chooses the side that `left of` asks for.
        """
        if self.task == BESIDE:
            side = rng.choice(SIDES)
            right, wrong = self.nouns if side == self.side else self.nouns[::-1]
            named = (wrong, right) if wanted else (right, wrong)
            return "Which was on the {}, the {} or the {}?".format(side, *named), f"the {right}"
        (noun,) = self.nouns
        asked = f"Was the {noun} on the left or on the right?"
        return (asked if self.task == WHERE else f"Did the {noun} go left or right?"), self.side


def space_questions(story: Story, spans: Sequence[Span], seed: int, per_kind: int) -> list[ToyQuestion]:
    """Questions at ends of clips, in order of time. Their evidence are the clips that show what is asked about.

    The seed decides which of the two answers is wanted, before looking at the story: over many videos each is right as
    often, whatever happens in them.

    Args:
        story: what happens.
        spans: the video's clips.
        seed: of the wanted answers, and of the choice among candidates.
        per_kind: largest number of questions per kind; of two, one has each answer.
    """
    rng = random.Random(f"space/{seed}")
    start = spans[0].start_seconds
    candidates = [(span, fact) for span in spans for fact in space_facts(story, Span(start, span.end_seconds))]
    rng.shuffle(candidates)
    found: dict[str, ToyQuestion] = {}
    for task in SPACE_KINDS:
        for number in range(per_kind):
            question = next(_unasked(candidates, task, (seed + number) % 2, spans, found, rng), None)
            if question is not None:
                found[question.question] = question
    return sorted(found.values(), key=lambda question: (question.ask_seconds, question.question))


def _unasked(
    candidates: Sequence[tuple[Span, SpaceFact]],
    task: str,
    wanted: int,
    spans: Sequence[Span],
    found: Container[str],
    rng: random.Random,
) -> Iterator[ToyQuestion]:
    """Questions of a kind with the wanted answer that have not been asked yet."""
    for asked, fact in candidates:
        if fact.task != task or not fact.allows(wanted):
            continue
        question, answer = fact.worded(wanted, rng)
        if question not in found:
            evidence = (clip for clip, span in enumerate(spans) if _shows(span, fact))
            yield ToyQuestion(task, question, answer, asked.end_seconds, tuple(evidence))


def _shows(span: Span, fact: SpaceFact) -> bool:
    return any(span.start_seconds <= seconds < span.end_seconds for seconds in fact.seconds)


def space_facts(story: Story, span: Span) -> list[SpaceFact]:
    """All that can be asked about a span, by kind, then noun."""
    seen = {noun: track for noun, track in sorted(tracks(story, span).items()) if _is_long(track)}
    sides = [SpaceFact(WHERE, side, (noun,), tuple(track)) for noun, track in seen.items() if (side := _side(track))]
    beside = []
    for one, other in combinations(seen, 2):
        together = tuple(seconds for seconds in seen[one] if seconds in seen[other])
        side = _beside(seen[one], seen[other])
        if side and _is_long(together):
            beside.append(SpaceFact(BESIDE, side, (one, other), together))
    ways = [SpaceFact(WAY, way[0], (noun,), way[1]) for noun, track in seen.items() if (way := _way(track))]
    return [*sides, *beside, *ways]


def tracks(story: Story, span: Span) -> dict[str, Track]:
    """Track of each thing by noun."""
    found: dict[str, Track] = {}
    for number in range(int(span.duration_seconds / GRAIN_SECONDS)):
        seconds = span.start_seconds + number * GRAIN_SECONDS
        for shown in story.visible_at(seconds):
            x = shown.position(seconds)[0]
            if shown.thing is not None and 0.0 <= x <= 1.0:
                found.setdefault(shown.thing.noun, {})[seconds] = x
    return found


def _is_long(instants: Collection[float]) -> bool:
    return len(instants) * GRAIN_SECONDS >= FEWEST_SECONDS


def _side(track: Track) -> str | None:
    """Half of the picture that a thing never left."""
    if max(track.values()) <= MIDDLE[0]:
        return "left"
    return "right" if min(track.values()) >= MIDDLE[1] else None


def _beside(one: Track, other: Track) -> str | None:
    """Side of the other thing on which a thing always was."""
    if max(one.values()) + LEAST_DISTANCE <= min(other.values()):
        return "left"
    return "right" if min(one.values()) - LEAST_DISTANCE >= max(other.values()) else None


def _way(track: Track) -> tuple[str, tuple[float, ...]] | None:
    """The one direction in which a thing travelled, and the instants when it did."""
    steps = {now: track[now] - track[before] for before, now in pairwise(track) if now - before <= GRAIN_SECONDS}
    right, left = (sum(max(sign * step, 0.0) for step in steps.values()) for sign in (1, -1))
    if max(right, left) < LEAST_TRAVEL or min(right, left) > MOST_BACK:
        return None
    return ("right" if right > left else "left"), tuple(seconds for seconds, step in steps.items() if step)
