"""What a decoder should know inside, token by token: the kinds of dense labels.

A caption says in a dozen words what a hundred and more visual tokens show, so captions alone teach slowly which token
means what. As the tower learns from an answer for every patch, the decoder learns from an answer for every token:
what a thing has done so far in the clip, whether memory knows it, what lies in the closed box (`clip_labels.py`); in a
journal, which thing, place and verb belong together, and what a question's noun should know (`text_labels.py`). The
answers are read off in the middle of the decoder (`inner_heads.py`).
"""

from typing import NamedTuple

from keepsight.toyworld.vocabulary import COLOURS, NOUNS, PLACES

UNKNOWN = "unknown"
_WAYS = ("arrives", "returns", "leaves", "arrives and leaves", "returns and leaves", "moves left", "moves right")
_AT_BOX = ("goes into the box", "comes out of the box", "is carried away")
_AT_FIXTURE = tuple(f"{way} behind the {fixture}" for way in ("hides", "comes out from") for fixture in PLACES.values())
DEEDS = ("stays", *_WAYS, *_AT_BOX, *_AT_FIXTURE)
MOST_TIMES = 5
MOST_LINES = 20

ANSWERS: dict[str, tuple[str, ...]] = {
    "who": (*NOUNS, "box"),
    "deed": DEEDS,
    "first deed": DEEDS,
    "turn": ("0", "1", "2", "3"),
    "content": (*NOUNS, UNKNOWN),
    "when": ("before", "now"),
    "place": tuple(PLACES),
    "colour": tuple(COLOURS),
    "mentions": tuple(str(count) for count in range(MOST_TIMES)),
    "comings": tuple(str(count) for count in range(MOST_TIMES)),
    "line": tuple(str(line) for line in range(MOST_LINES)),
    "first line": tuple(str(line) for line in range(MOST_LINES)),
    "compared": ("sooner", "later"),
    "next": (*NOUNS, "box"),
    "next deed": DEEDS,
}
"""Kind of label -> what it can say.

`who` does `deed`, as far as the token can tell, and does it as the clip's `turn`-th event; what goes into a box has the
`content` of the closed box; a visual token says `when` it was seen, `before` if it has come back from memory. A clause
of a journal stands in a `line`, is about a `place` and a `colour`, and its thing was mentioned and has come so often
before. A question's noun knows the same of its thing's latest clause, its `first deed` and its `first line`. Of two
things that are named the second is `compared` with the first: was it told of sooner or later? Where a reply is about to
name something, it knows what comes `next`, with which `next deed` or `place`.
"""
_NUMBERS = {kind: {answer: number for number, answer in enumerate(answers)} for kind, answers in ANSWERS.items()}


class InnerLabel(NamedTuple):
    """At a position of a sequence, a kind of label says one of `ANSWERS[kind]`, by number."""

    position: int
    kind: str
    answer: int


def label(position: int, kind: str, answer: str) -> InnerLabel:
    """A label by the answer's word."""
    return InnerLabel(position, kind, _NUMBERS[kind][answer])
