"""Dense labels of words: of a journal's tokens, and of questions and replies."""

from collections import Counter
from collections.abc import Iterator, Sequence

from keepsight.toyworld.captions import TrueCaption
from keepsight.toyworld.questions import COMING, Mention, Past
from keepsight.toyworld.vocabulary import NOUNS, PLACES
from training.inner_labels import DEEDS, MOST_LINES, MOST_TIMES, UNKNOWN, InnerLabel, label
from training.word_vectors import bare


def journal_labels(
    captions: Sequence[TrueCaption], lines: Sequence[Sequence[str]], first_position: int
) -> list[InnerLabel]:
    """Labels of a journal's lines from a position on; each line is given as tokens with its line break.

    A line has its place from the place's word on, a clause its thing and colour from its noun on, and a clause's end
    has all labels.
    """
    labels: list[InnerLabel] = []
    mentions: Counter[str] = Counter()
    comings: Counter[str] = Counter()
    position = first_position
    for line, (caption, tokens) in enumerate(zip(captions, lines, strict=True)):
        where = range(tokens.index(f"▁{caption.place}"), len(tokens) - 1)
        labels += [label(position + at, "place", caption.place) for at in where]
        for clause, (noun, end) in zip(caption.clauses, _clause_bounds(caption, tokens), strict=True):
            known = [("who", clause.noun)]
            if clause.thing and clause.thing.colour:
                known.append(("colour", clause.thing.colour))
            labels += [label(position + at, *one) for at in range(noun, end + 1) for one in known]
            labels.append(label(position + end, "deed", clause.verb))
            labels.append(label(position + end, "line", _line(line)))
            if clause.thing:
                labels.append(label(position + end, "mentions", _times(mentions[clause.noun])))
                mentions[clause.noun] += 1
                comings[clause.noun] += clause.verb.startswith(COMING)
                labels.append(label(position + end, "comings", _times(comings[clause.noun])))
        position += len(tokens)
    return labels


def _times(count: int) -> str:
    return str(min(count, MOST_TIMES - 1))


def _line(number: int) -> str:
    return str(min(number, MOST_LINES - 1))


def _clause_bounds(caption: TrueCaption, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Index of each clause's noun and of its final mark."""
    at = -1
    for clause in caption.clauses:
        noun = tokens.index(f"▁{clause.noun}", at + 1)
        at = next(index for index in range(noun, len(tokens)) if tokens[index] in (",", "."))
        yield noun, at


def question_labels(captions: Sequence[TrueCaption], tokens: Sequence[str]) -> list[InnerLabel]:
    """Labels of the tokens of a question or reply: for nouns the first and last caption and their number.

    A box has what last entered it, a fixture what last hid behind it.
    """
    past = Past(captions)
    labels: list[InnerLabel] = _compared(past, tokens)
    for position, token in enumerate(tokens):
        word = bare(token)
        if word in NOUNS:
            mentions = past.mentions.get(word, [])
            known = {"mentions": _times(len(mentions)), **_history(mentions)}
        elif word == "box":
            known = _latest(past.boxed)
        elif word in PLACES.values():
            known = _latest(past.hidden_behind(word))
        else:
            continue
        labels += [label(position, kind, answer) for kind, answer in known.items()]
    return labels


def _compared(past: Past, tokens: Sequence[str]) -> list[InnerLabel]:
    """Labels of the second thing of a question about two, and of the question mark."""
    if "▁or" not in tokens:
        return []
    end = tokens.index("?", tokens.index("▁or"))
    named = [word for word in map(bare, tokens[:end]) if word in NOUNS]
    firsts = [past.mentions[noun][0].clip for noun in named if noun in past.mentions]
    if len(firsts) < 2 or firsts[0] == firsts[1]:
        return []
    order = "sooner" if firsts[1] < firsts[0] else "later"
    return [label(at, "compared", order) for at in (end - 1, end)]


def _history(mentions: Sequence[Mention]) -> dict[str, str]:
    if not mentions:
        return {}
    comings = sum(mention.clause.verb.startswith(COMING) for mention in mentions)
    first = {"first deed": mentions[0].clause.verb, "first line": _line(mentions[0].clip)}
    return {**first, "comings": _times(comings), **_latest(mentions)}


def _latest(mentions: Sequence[Mention]) -> dict[str, str]:
    if not mentions:
        return {}
    clause = mentions[-1].clause
    colour = {"colour": clause.thing.colour} if clause.thing and clause.thing.colour else {}
    return {"who": clause.noun, "place": mentions[-1].place, "deed": clause.verb, **colour}


def caption_labels(caption: TrueCaption, tokens: Sequence[str], first_position: int) -> list[InnerLabel]:
    """Labels of the marks and articles of a caption being generated: they predict the next clause.

    A closed box has its content.
    """
    labels: list[InnerLabel] = []
    mark = tokens.index(":")
    for clause, (noun, end) in zip(caption.clauses, _clause_bounds(caption, tokens), strict=True):
        for at in range(mark, noun):
            labels.append(label(first_position + at, "next", clause.noun))
            labels.append(label(first_position + at, "next deed", clause.verb))
        if clause.subject.startswith("closed box"):
            labels.append(label(first_position + noun, "content", clause.content.noun if clause.content else UNKNOWN))
        mark = end
    return labels


def reply_labels(prompt: Sequence[str], reply: Sequence[str]) -> list[InnerLabel]:
    """Labels of the question mark, the prompt's last token and the reply: what the reply says next.

    Positions count from the prompt's first token. A reply names a place, a deed, or a list of nouns.
    """
    words = list(map(bare, reply))
    since = len(prompt) - 1
    opening = [*(at for at, token in enumerate(prompt) if token == "?"), since]
    text = " ".join(words[:-1])
    if text in DEEDS:
        return [label(at, "next deed", text) for at in opening]
    labels: list[InnerLabel] = []
    for at, word in enumerate(words):
        if word in NOUNS or word in PLACES:
            kind = "next" if word in NOUNS else "place"
            before = [*opening, *range(since + 1, len(prompt) + at)]
            labels += [label(one, kind, word) for one in before]
            opening, since = [], len(prompt) + at
    return labels
