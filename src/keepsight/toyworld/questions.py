"""Questions about a toy video, answerable from its true captions, with the evidence clips."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keepsight.toyworld.captions import Clause, TrueCaption
from keepsight.toyworld.story import Story
from keepsight.toyworld.vocabulary import COLOURS_OF, COUNT_WORDS, NOUNS, article, location

COMING = ("arrives", "returns")
"""First words of verbs for entering."""
NOW_QUESTIONS = ("What is there now?", "What can you see now?")


@dataclass(frozen=True)
class ToyQuestion:
    """A question with its only correct answer, time, and evidence clips.

    Attributes:
        task: the kind of question, a key of `QUESTION_KINDS`.
        ask_seconds: clips that ended by then may be used.
        evidence_clips: indices of clips that prove the answer; empty for what never happened.
    """

    task: str
    question: str
    answer: str
    ask_seconds: float
    evidence_clips: tuple[int, ...]


@dataclass(frozen=True)
class Mention:
    """A clause about a thing, with the clip's index and place."""

    clip: int
    place: str
    clause: Clause


class Past:
    """What the captions up to the question's time say about each thing."""

    def __init__(self, captions: Sequence[TrueCaption]) -> None:
        self.captions = captions
        self.mentions: dict[str, list[Mention]] = {}
        self.boxed: list[Mention] = []
        self.hidden: list[Mention] = []
        for clip, caption in enumerate(captions):
            for clause in caption.clauses:
                if clause.thing is None:
                    continue
                mention = Mention(clip, caption.place, clause)
                self.mentions.setdefault(clause.noun, []).append(mention)
                if clause.verb == "goes into the box":
                    self.boxed.append(mention)
                elif clause.verb.startswith("hides"):
                    self.hidden.append(mention)

    def nouns(self) -> list[str]:
        """All mentioned nouns, in alphabetical order."""
        return sorted(self.mentions)

    def hidden_behind(self, fixture: str) -> list[Mention]:
        """Things that hid behind a fixture, in order."""
        return [mention for mention in self.hidden if mention.clause.verb.endswith(fixture)]


Draft = tuple[str, str, tuple[int, ...]]
"""Question, answer and evidence clips."""


def _colour(past: Past, rng: random.Random) -> Draft | None:
    nouns = [noun for noun in past.nouns() if noun in COLOURS_OF]
    if not nouns:
        return None
    noun = rng.choice(nouns)
    mention = past.mentions[noun][-1]
    thing = mention.clause.thing
    wording = rng.choice(("What colour was the {}?", "What color is the {}?"))
    return wording.format(noun), thing.colour or "" if thing else "", (mention.clip,)


def _where(past: Past, rng: random.Random) -> Draft | None:
    if not past.mentions:
        return None
    noun = rng.choice(past.nouns())
    last = past.mentions[noun][-1]
    wording = rng.choice(("Where was the {} last seen?", "Where is the {}?", "Where did the {} go?"))
    return wording.format(noun), location(last.place), (last.clip,)


def _what_last(past: Past, rng: random.Random) -> Draft | None:
    if not past.mentions:
        return None
    noun = rng.choice(past.nouns())
    last = past.mentions[noun][-1]
    return f"What did the {noun} do last?", last.clause.verb, (last.clip,)


def _what_first(past: Past, rng: random.Random) -> Draft | None:
    if not past.mentions:
        return None
    noun = rng.choice(past.nouns())
    first = past.mentions[noun][0]
    return f"What did the {noun} do first?", first.clause.verb, (first.clip,)


def _what_in_box(past: Past, _: random.Random) -> Draft | None:
    if not past.boxed:
        return None
    last = past.boxed[-1]
    return "What went into the box last?", f"the {last.clause.subject}", (last.clip,)


def _what_hid(past: Past, rng: random.Random) -> Draft | None:
    if not past.hidden:
        return None
    fixture = rng.choice(sorted({mention.clause.verb.split()[-1] for mention in past.hidden}))
    last = past.hidden_behind(fixture)[-1]
    return f"What hid behind the {fixture} last?", f"the {last.clause.subject}", (last.clip,)


def _how_many(past: Past, rng: random.Random) -> Draft | None:
    coming = {
        noun: [m.clip for m in mentions if m.clause.verb.startswith(COMING)] for noun, mentions in past.mentions.items()
    }
    counts = sorted({len(clips) for clips in coming.values() if len(clips) < len(COUNT_WORDS)} - {0})
    if not counts:
        return None
    count = rng.choice(counts)  # uniform over counts, so that "one" is not always correct
    noun = rng.choice(sorted(noun for noun, clips in coming.items() if len(clips) == count))
    return f"How many times did the {noun} come?", COUNT_WORDS[count], tuple(coming[noun])


def _order(past: Past, rng: random.Random) -> Draft | None:
    if len(past.mentions) < 2:
        return None
    one, other = rng.sample(past.nouns(), 2)
    first = {noun: past.mentions[noun][0].clip for noun in (one, other)}
    if first[one] == first[other]:
        return None
    earlier = rng.random() < 0.5
    wanted = min(first, key=lambda noun: first[noun]) if earlier else max(first, key=lambda noun: first[noun])
    word = "first" if earlier else "later"
    return f"Which came {word}, the {one} or the {other}?", f"the {wanted}", (first[one], first[other])


def _seen(past: Past, rng: random.Random) -> Draft | None:
    present = past.nouns()
    absent = sorted(set(NOUNS) - set(present))
    wording = rng.choice(("Was there {}?", "Did you see {}?"))
    if present and rng.random() < 0.5:
        noun = rng.choice(present)
        return wording.format(article(noun)), "yes", (past.mentions[noun][0].clip,)
    return wording.format(article(rng.choice(absent))), "no", ()


def _did(past: Past, rng: random.Random) -> Draft | None:
    asked = {"leave": ("leaves", "arrives and leaves", "returns and leaves"), "go into the box": ("goes into the box",)}
    if not past.mentions:
        return None
    action = rng.choice(sorted(asked))
    doing = {noun: [m.clip for m in past.mentions[noun] if m.clause.verb in asked[action]] for noun in past.nouns()}
    wanted = rng.random() < 0.5
    nouns = [noun for noun in past.nouns() if bool(doing[noun]) == wanted]
    if not nouns:
        return None
    noun = rng.choice(nouns)
    return f"Did the {noun} {action}?", "yes" if wanted else "no", tuple(doing[noun])


def _now(past: Past, rng: random.Random) -> Draft | None:
    present = things_at_end(past.captions[-1])
    return rng.choice(NOW_QUESTIONS), present, (len(past.captions) - 1,)


QUESTION_KINDS: dict[str, Callable[[Past, random.Random], Draft | None]] = {
    "what last": _what_last,
    "what first": _what_first,
    "what in the box": _what_in_box,
    "what hid": _what_hid,
    "where": _where,
    "colour": _colour,
    "how many": _how_many,
    "order": _order,
    "seen": _seen,
    "did": _did,
    "now": _now,
}
"""Kind of question -> function that makes one from the past, or returns None if not applicable."""

_GONE = ("leaves", "goes into the box", "hides", "arrives and leaves", "returns and leaves")


def things_at_end(caption: TrueCaption) -> str:
    """Things on screen at a clip's end, in the caption's order: `a dog and a red car`; boxes are excluded."""
    left = [c.subject for c in caption.clauses if c.thing is not None and not c.verb.startswith(_GONE)]
    return " and ".join(article(subject) for subject in left) or "nothing"


def things_in_picture(story: Story, seconds: float) -> str:
    """Things on screen at a time, row by row, worded like `things_at_end`."""
    shown = [appearance for appearance in story.visible_at(seconds) if appearance.thing is not None]
    shown = [appearance for appearance in shown if -0.05 < appearance.position(seconds)[0] < 1.05]
    shown.sort(key=lambda appearance: appearance.reading_order(seconds))
    return " and ".join(article(appearance.thing.phrase) for appearance in shown if appearance.thing) or "nothing"


def ask(captions: Sequence[TrueCaption], task: str, rng: random.Random) -> ToyQuestion | None:
    """Make a question of a kind at the end of the last clip; None if not applicable."""
    draft = QUESTION_KINDS[task](Past(captions), rng)
    if draft is None:
        return None
    question, answer, evidence = draft
    return ToyQuestion(task, question, answer, captions[-1].span.end_seconds, evidence)


def ask_all(captions: Sequence[TrueCaption], seed: int, per_kind: int = 1) -> list[ToyQuestion]:
    """Distinct questions of every kind, at random clip ends from the third on, in order of time."""
    rng = random.Random(seed)
    found: dict[tuple[str, float], ToyQuestion] = {}
    for task in QUESTION_KINDS:
        for _ in range(per_kind):
            until = rng.randint(min(3, len(captions)), len(captions))
            question = ask(captions[:until], task, rng)
            if question is not None:
                found[question.question, question.ask_seconds] = question
    return sorted(found.values(), key=lambda question: (question.ask_seconds, question.question))


def same_answer(given: str, right: str) -> bool:
    """Exact match of answers, ignoring case, final stop and the order of listed things."""
    return _parts(given) == _parts(right)


def _parts(answer: str) -> list[str]:
    return sorted(" ".join(answer.lower().strip().rstrip(".").split()).split(" and "))
