"""Kinds of dense labels: what a decoder should represent at each token.

A caption describes a hundred or more visual tokens in a dozen words, so captions alone teach the meaning of tokens
slowly. Like the tower from a label per patch, the decoder learns from a label per token: what a thing has done so far
in the clip, whether memory has it, what is in the closed box (`clip_labels.py`); in a journal, which thing, place and
verb belong together, and what a question's noun should represent (`text_labels.py`). The labels are read from the
middle of the decoder (`inner_heads.py`).
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
"""Kind of label -> its possible answers.

`who` does `deed`, as far as the token shows, as the clip's `turn`-th event; a thing entering a box is the `content` of
the closed box; a visual token tells `when` it was seen, `before` if it comes from memory. A clause of a journal is in a
`line`, about a `place` and a `colour`, and its thing has been mentioned and has entered a number of times. A question's
noun represents the same for its thing's latest clause, its `first deed` and its `first line`. The second of two named
things is `compared` with the first: mentioned earlier or later? Before a reply names a thing, it represents what comes
`next`, with its `next deed` or `place`.
"""
_NUMBERS = {kind: {answer: number for number, answer in enumerate(answers)} for kind, answers in ANSWERS.items()}


class InnerLabel(NamedTuple):
    """A label at a sequence position: a kind, and the index of its answer in `ANSWERS[kind]`."""

    position: int
    kind: str
    answer: int


def label(position: int, kind: str, answer: str) -> InnerLabel:
    """A label from the answer's word."""
    return InnerLabel(position, kind, _NUMBERS[kind][answer])
