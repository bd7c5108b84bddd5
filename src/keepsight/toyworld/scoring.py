"""Scores of captions and answers on toy videos, against the ground truth."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from keepsight.toyworld.captions import TrueCaption
from keepsight.toyworld.questions import ToyQuestion, same_answer
from keepsight.toyworld.vocabulary import COLOURS, NOUNS, PLACES

Pair = tuple[str, str]


@dataclass
class Counts:
    """Hits, false alarms and misses of things in captions."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def add(self, said: set[Pair], true: set[Pair]) -> None:
        """Count one clip."""
        self.hits += len(said & true)
        self.false_alarms += len(said - true)
        self.misses += len(true - said)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 if nothing was to be said and nothing was."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else 1.0


@dataclass
class Share:
    """Share of correct cases."""

    right: int = 0
    cases: int = 0

    def add(self, is_right: bool) -> None:
        """Count one case."""
        self.right += is_right
        self.cases += 1

    @property
    def value(self) -> float:
        """Share of correct cases; 0 without cases."""
        return self.right / self.cases if self.cases else 0.0


@dataclass
class CaptionScores:
    """Scores over clips.

    Attributes:
        exact: exact matches.
        places: captions that name the place.
        nouns: F1 over nouns (boxes included).
        colours: F1 over noun-colour pairs.
        events: F1 over noun-verb pairs of events (staying excluded).
        past: exact matches of memory-only clauses.
    """

    exact: Share = field(default_factory=Share)
    places: Share = field(default_factory=Share)
    nouns: Counts = field(default_factory=Counts)
    colours: Counts = field(default_factory=Counts)
    events: Counts = field(default_factory=Counts)
    past: Share = field(default_factory=Share)

    def add(self, said: str, truth: TrueCaption) -> None:
        """Score one caption."""
        place, clauses = parse_caption(said)
        _, true_clauses = parse_caption(truth.text)
        self.exact.add(said.strip() == truth.text)
        self.places.add(place == truth.place)
        self.nouns.add(_nouns(clauses), _nouns(true_clauses))
        self.colours.add(_colours(clauses), _colours(true_clauses))
        self.events.add(_events(clauses), _events(true_clauses))
        for clause in truth.clauses:
            if clause.needs_past:
                self.past.add(clause.text in clauses)

    def table(self) -> dict[str, float]:
        """The scores by name."""
        return {
            "nouns F1": self.nouns.f1,
            "places": self.places.value,
            "colours F1": self.colours.f1,
            "events F1": self.events.f1,
            "past-dependent": self.past.value,
            "exact caption": self.exact.value,
        }


@dataclass
class AnswerScores:
    """Exact match over questions, overall and by kind."""

    overall: Share = field(default_factory=Share)
    by_task: dict[str, Share] = field(default_factory=dict)

    def add(self, given: str, question: ToyQuestion) -> None:
        """Score one answer."""
        is_right = same_answer(given, question.answer)
        self.overall.add(is_right)
        self.by_task.setdefault(question.task, Share()).add(is_right)

    def table(self) -> dict[str, float]:
        """The scores by name."""
        return {"questions": self.overall.value, **{task: self.by_task[task].value for task in sorted(self.by_task)}}


def parse_caption(text: str) -> tuple[str | None, list[str]]:
    """Place that a caption names (or None), and its clauses."""
    opening, _, rest = text.strip().rstrip(".").partition(": ")
    place = opening.split()[-1] if opening.split() else ""
    return (place if place in PLACES else None), [clause for clause in rest.split(", ") if clause]


def _words_of(clause: str) -> tuple[str, str | None, str]:
    """Noun, colour and verb of a clause; the noun is empty if there is none."""
    words = clause.split()
    for at, word in enumerate(words):
        if word in NOUNS or word == "box":
            colour = words[at - 1] if at and words[at - 1] in COLOURS else None
            rest = words[at + 1 :]
            if word == "box" and rest[:2] == ["with", "the"]:
                rest = rest[4:] if len(rest) > 2 and rest[2] in COLOURS else rest[3:]
            return word, colour, " ".join(rest)
    return "", None, ""


def _nouns(clauses: Iterable[str]) -> set[Pair]:
    return {(noun, "") for noun, _, _ in map(_words_of, clauses) if noun}


def _colours(clauses: Iterable[str]) -> set[Pair]:
    return {(noun, colour) for noun, colour, _ in map(_words_of, clauses) if colour}


def _events(clauses: Iterable[str]) -> set[Pair]:
    return {(noun, verb) for noun, _, verb in map(_words_of, clauses) if noun and verb != "stays"}
