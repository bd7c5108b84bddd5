"""What a decoder should know inside, token by token: dense labels of clips and of journals.

A caption says in a dozen words what a hundred and more visual tokens show, so captions alone teach slowly which token
means what. As the tower learns from an answer for every patch, the decoder learns from an answer for every token:
what a thing has done so far in the clip, whether memory knows it, what lies in the closed box; in a journal, which
thing, place and verb belong together. The answers are read off in the middle of the decoder (`inner_heads.py`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from keepsight.toyworld.captions import Clause, TrueCaption
from keepsight.toyworld.render import BOX_SIZE, THING_SIZE
from keepsight.toyworld.simulate import TRAVEL_SECONDS
from keepsight.toyworld.story import Appearance, Kind, Story
from keepsight.toyworld.training.moments import GRID, cell_cover
from keepsight.toyworld.vocabulary import COLOURS, NOUNS, PLACES

UNKNOWN = "unknown"
_WAYS = ("arrives", "returns", "leaves", "arrives and leaves", "returns and leaves", "moves left", "moves right")
_AT_BOX = ("goes into the box", "comes out of the box", "is carried away")
_AT_FIXTURE = tuple(f"{way} behind the {fixture}" for way in ("hides", "comes out from") for fixture in PLACES.values())
COMING = ("arrives", "returns")
DEEDS = ("stays", *_WAYS, *_AT_BOX, *_AT_FIXTURE)
MOST_TIMES = 5

ANSWERS: dict[str, tuple[str, ...]] = {
    "who": (*NOUNS, "box"),
    "deed": DEEDS,
    "first deed": DEEDS,
    "turn": ("0", "1", "2", "3"),
    "content": (*NOUNS, UNKNOWN),
    "place": tuple(PLACES),
    "colour": tuple(COLOURS),
    "mentions": tuple(str(count) for count in range(MOST_TIMES)),
    "comings": tuple(str(count) for count in range(MOST_TIMES)),
}
"""Kind of label -> what it can say.

`who` does `deed`, as far as the token can tell, and does it as the clip's `turn`-th event; a closed box has `content`;
a clause of a journal is about a `place` and a `colour`, and its thing was mentioned and has come so often before. A
question's noun knows the same of its thing's latest clause, and its `first deed`.
"""
_NUMBERS = {kind: {answer: number for number, answer in enumerate(answers)} for kind, answers in ANSWERS.items()}
_AMBIGUOUS_AT_FIRST = (Kind.LEAVE, Kind.MOVE_LEFT, Kind.MOVE_RIGHT, Kind.ENTER_BOX, Kind.HIDE)


class InnerLabel(NamedTuple):
    """At a position of a sequence, a kind of label says one of `ANSWERS[kind]`, by number."""

    position: int
    kind: str
    answer: int


def _label(position: int, kind: str, answer: str) -> InnerLabel:
    return InnerLabel(position, kind, _NUMBERS[kind][answer])


def clip_labels(story: Story, truth: TrueCaption, times: Sequence[float], first_position: int) -> list[InnerLabel]:
    """Labels of the visual tokens of the frames at `times` in seconds, which begin at a position of the sequence.

    What a token says is what has happened by then: until it leaves, a thing stays.
    """
    labels: list[InnerLabel] = []
    for number, seconds in enumerate(times):
        best = torch.zeros(GRID * GRID)
        told: list[list[tuple[str, str]]] = [[] for _ in best]
        for turn, clause in enumerate(truth.clauses):
            cover = _cover(story, clause, truth.place, seconds)
            said = _said(clause, turn, seconds)
            for cell in torch.nonzero(cover > best).flatten().tolist():
                best[cell], told[cell] = cover[cell], said
        base = first_position + number * GRID * GRID
        labels += [_label(base + cell, *one) for cell, said in enumerate(told) for one in said]
    return labels


def _said(clause: Clause, turn: int, seconds: float) -> list[tuple[str, str]]:
    """What a token of a clause's thing says at a time; nothing while it can't be told what is about to happen."""
    event, verb = clause.event, clause.verb
    content = [("content", clause.content.noun)] if clause.content else []
    if clause.subject == "closed box":
        content = [("content", UNKNOWN)]
    if event is None or seconds < event.start_seconds:
        return [("who", clause.noun), ("deed", "stays"), *content]
    if event.kind in _AMBIGUOUS_AT_FIRST and seconds < event.middle_seconds:
        return [("who", clause.noun)]
    if event.kind == Kind.VISIT and seconds < event.end_seconds - TRAVEL_SECONDS / 2:
        verb = verb.split()[0]
    if event.kind == Kind.ENTER_BOX and seconds >= event.end_seconds:
        content = [("content", clause.noun)]
    return [("who", clause.noun), ("deed", verb), ("turn", str(min(turn, 3))), *content]


def _cover(story: Story, clause: Clause, place: str, seconds: float) -> torch.Tensor:
    """How much of each cell a clause's thing covers, or, when it is gone in this clip, did before it went."""
    for shown in story.visible_at(seconds):
        if _is_about(clause, shown):
            cover = cell_cover(shown.position(seconds), _size(shown))
            if cover.sum() > 0:
                return cover
    event = clause.event
    if event is None or seconds < event.middle_seconds:
        return torch.zeros(GRID * GRID)
    since = event.end_seconds - TRAVEL_SECONDS if event.kind == Kind.VISIT else event.start_seconds
    before = [
        shown
        for shown in story.appearances
        if shown.place == place and _is_about(clause, shown) and shown.start_seconds <= since < shown.end_seconds
    ]
    if event.kind in (Kind.HIDE, Kind.ENTER_BOX):  # it was seen last where it went to
        before, since = [s for s in story.appearances if s.thing == event.thing and s.place == place], event.end_seconds
        before = [shown for shown in before if abs(shown.end_seconds - since) < 0.01]
    # Fainter than anything that is really there.
    return sum((0.1 * cell_cover(one.position(since), _size(one)) for one in before), torch.zeros(GRID * GRID))


def _is_about(clause: Clause, shown: Appearance) -> bool:
    return shown.thing == clause.thing if clause.thing else shown.thing is None and clause.noun == "box"


def _size(shown: Appearance) -> float:
    return THING_SIZE if shown.thing else BOX_SIZE


def journal_labels(
    captions: Sequence[TrueCaption], lines: Sequence[Sequence[str]], first_position: int
) -> list[InnerLabel]:
    """Labels of the tokens of a journal's lines, each given as tokens with its line's end, from a position on.

    A line knows its place from the place's word on, a clause from its noun on of whom and of which colour it is, and
    the end of a clause knows everything.
    """
    labels: list[InnerLabel] = []
    mentions: Counter[str] = Counter()
    comings: Counter[str] = Counter()
    position = first_position
    for caption, tokens in zip(captions, lines, strict=True):
        where = range(tokens.index(f"▁{caption.place}"), len(tokens) - 1)
        labels += [_label(position + at, "place", caption.place) for at in where]
        for clause, (noun, end) in zip(caption.clauses, _clause_bounds(caption, tokens), strict=True):
            known = [("who", clause.noun)]
            if clause.thing and clause.thing.colour:
                known.append(("colour", clause.thing.colour))
            labels += [_label(position + at, *one) for at in range(noun, end + 1) for one in known]
            labels.append(_label(position + end, "deed", clause.verb))
            if clause.thing:
                labels.append(_label(position + end, "mentions", _times(mentions[clause.noun])))
                mentions[clause.noun] += 1
                comings[clause.noun] += clause.verb.startswith(COMING)
                labels.append(_label(position + end, "comings", _times(comings[clause.noun])))
        position += len(tokens)
    return labels


def _times(count: int) -> str:
    return str(min(count, MOST_TIMES - 1))


def _clause_bounds(caption: TrueCaption, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each clause's noun and of the mark that ends it."""
    at = -1
    for clause in caption.clauses:
        noun = tokens.index(f"▁{clause.noun}", at + 1)
        at = next(index for index in range(noun, len(tokens)) if tokens[index] in (",", "."))
        yield noun, at


def question_labels(captions: Sequence[TrueCaption], tokens: Sequence[str]) -> list[InnerLabel]:
    """Labels of the tokens of a question or a reply: nouns know what captions say of them, first, last and how often.

    A box knows what went into it last, and a fixture what hid behind it last.
    """
    told = [(caption.place, clause) for caption in captions for clause in caption.clauses if clause.thing]
    labels: list[InnerLabel] = []
    for position, token in enumerate(tokens):
        word = token.removeprefix("▁")
        if word in NOUNS:
            mentions = [(place, clause) for place, clause in told if clause.noun == word]
            known = {"mentions": _times(len(mentions)), **_history(mentions)}
        elif word == "box" or word in PLACES.values():
            verb = "goes into the box" if word == "box" else f"hides behind the {word}"
            known = _latest([(place, clause) for place, clause in told if clause.verb == verb])
        else:
            continue
        labels += [_label(position, kind, answer) for kind, answer in known.items()]
    return labels


_Mentions = Sequence[tuple[str, Clause]]


def _history(mentions: _Mentions) -> dict[str, str]:
    if not mentions:
        return {}
    comings = sum(clause.verb.startswith(COMING) for _, clause in mentions)
    return {"first deed": mentions[0][1].verb, "comings": _times(comings), **_latest(mentions)}


def _latest(mentions: _Mentions) -> dict[str, str]:
    if not mentions:
        return {}
    place, clause = mentions[-1]
    colour = {"colour": clause.thing.colour} if clause.thing and clause.thing.colour else {}
    return {"who": clause.noun, "place": place, "deed": clause.verb, **colour}
