"""Questions whose answer no single clip shows: memory decides them, in wordings that the bundled models know.

Each is asked at the end of a clip that shows what it is about and not the answer:

- `here before`: something has just come, for the first time or again. `What did the dog do last?` - `arrives` or
  `returns`. As many have come for the first time as again, paired at like times.
- `in the box`: a closed box is on screen, its content is not. `What went into the box last?` - `the cat`.
- `how often`: something has just come. `How many times did the dog come?` - `one`, `two` or `three`, each as often.

`here before` depends on the visual memory alone: the answer is the verb of the newest caption, which is written from
the clip and the memory. The other two can also be read off older captions, and measure the journal where it is given.
"""

import random
from collections.abc import Iterator, Sequence

from keepsight.toyworld.captions import Clause, TrueCaption
from keepsight.toyworld.questions import COMING, Mention, Past, ToyQuestion
from keepsight.toyworld.vocabulary import COUNT_WORDS

MEMORY_KINDS = ("here before", "in the box", "how often")
MOST_COUNTED = 3


def memory_questions(captions: Sequence[TrueCaption], seed: int, per_kind: int) -> list[ToyQuestion]:
    """Questions about a video that only memory can answer, in order of time.

    The evidence of a question are earlier clips: those that show the thing before, or it entering the box. What came
    for the first time has none.

    Args:
        captions: true captions for a watcher that remembers everything.
        seed: of the choice among candidates.
        per_kind: largest number of questions with each answer of `here before` and `how often`, and of `in the box`.
    """
    rng = random.Random(f"memory/{seed}")
    found = [*_here_before(captions, per_kind), *_in_the_box(captions, rng, per_kind)]
    found += _how_often(captions, rng, per_kind)
    return sorted(found, key=lambda question: (question.ask_seconds, question.question))


Coming = tuple[int, Clause]
"""Clip in which a thing comes, and the clause that says so."""


def _comings(captions: Sequence[TrueCaption]) -> Iterator[Coming]:
    """Things that come, where no other clause of the clip is about them."""
    for clip, caption in enumerate(captions):
        for clause in caption.clauses:
            alone = sum(other.noun == clause.noun for other in caption.clauses) == 1
            if clause.thing is not None and clause.verb.startswith(COMING) and alone:
                yield clip, clause


def _here_before(captions: Sequence[TrueCaption], per_kind: int) -> Iterator[ToyQuestion]:
    """Pairs of a first and a later coming, of which both stay or both leave again, nearest in time first."""
    for clip, clause in (coming for pair in _like_pairs(list(_comings(captions)))[:per_kind] for coming in pair):
        seen = Past(captions[:clip]).mentions.get(clause.noun, [])
        evidence = tuple(mention.clip for mention in seen[-1:])
        asked = f"What did the {clause.noun} do last?"
        yield _at(captions, clip, "here before", asked, clause.verb, evidence)


def _like_pairs(comings: Sequence[Coming]) -> list[tuple[Coming, Coming]]:
    """Pairs without repetition: the time must not tell which of the two comes for the first time."""
    first = [coming for coming in comings if coming[1].verb.startswith("arrives")]
    again = [coming for coming in comings if coming[1].verb.startswith("returns")]
    alike = [(one, other) for one in first for other in again if one[1].verb[7:] == other[1].verb[7:]]
    pairs: list[tuple[Coming, Coming]] = []
    for one, other in sorted(alike, key=lambda pair: abs(pair[0][0] - pair[1][0])):
        if not any(one is taken or other is also for taken, also in pairs):
            pairs.append((one, other))
    return pairs


def _in_the_box(captions: Sequence[TrueCaption], rng: random.Random, per_kind: int) -> list[ToyQuestion]:
    """One question for each filling of a box, at a random clip that shows this box closed."""
    by_filling: dict[Mention, list[int]] = {}
    for clip, caption in enumerate(captions):
        contents = [clause.content for clause in caption.clauses if clause.content]
        boxed = Past(captions[: clip + 1]).boxed
        if contents and boxed and boxed[-1].clause.thing == contents[0]:  # else another box was filled since
            by_filling.setdefault(boxed[-1], []).append(clip)
    fillings = rng.sample(list(by_filling), min(per_kind, len(by_filling)))
    asked = "What went into the box last?"
    return [
        _at(
            captions,
            rng.choice(by_filling[filling]),
            "in the box",
            asked,
            f"the {filling.clause.subject}",
            (filling.clip,),
        )
        for filling in fillings
    ]


def _how_often(captions: Sequence[TrueCaption], rng: random.Random, per_kind: int) -> list[ToyQuestion]:
    """As many questions for each number of comings, of as many numbers as there are from one on."""
    by_count: dict[int, list[tuple[Coming, tuple[int, ...]]]] = {}
    for clip, clause in _comings(captions):
        mentions = Past(captions[:clip]).mentions.get(clause.noun, [])
        earlier = tuple(mention.clip for mention in mentions if mention.clause.verb.startswith(COMING))
        by_count.setdefault(len(earlier) + 1, []).append(((clip, clause), earlier))
    counts = [count for count in range(1, MOST_COUNTED + 1) if all(n in by_count for n in range(1, count + 1))]
    if len(counts) < 2:
        return []
    each = min(per_kind, *(len(by_count[count]) for count in counts))
    return [
        _at(captions, clip, "how often", f"How many times did the {clause.noun} come?", COUNT_WORDS[count], earlier)
        for count in counts
        for (clip, clause), earlier in rng.sample(by_count[count], each)
    ]


def _at(
    captions: Sequence[TrueCaption], clip: int, task: str, question: str, answer: str, evidence: tuple[int, ...]
) -> ToyQuestion:
    return ToyQuestion(task, question, answer, captions[clip].span.end_seconds, evidence)
