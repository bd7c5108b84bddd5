"""A model whose yes and no can be foretold, and captions that go straight into a journal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from keepsight.journal import Journal
from keepsight.method.protocol import AnswerRequest
from tests.journal.clip_records import make_clip
from tests.server.served import ServedModel


@dataclass
class YesModel(ServedModel):
    """Says yes to a question that ends in a word which the one caption before it has, or in such a word that comes in.

    Attributes:
        asked: context and question of each answer.
    """

    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        context, question = request.context, request.question
        self.asked.append((context, question))
        word = question.rstrip(" ?.").removesuffix(" comes in").split()[-1]
        yield "Yes" if word in context.split("<captions>")[-1].replace(".", " ").split() else "No"
        yield "."


def says(word: str, caption: str) -> bool:
    """What `YesModel` will say."""
    return word in caption.replace(".", " ").split()


def plain_alerts(values: Sequence[tuple[float, bool]], cooldown_seconds: float) -> list[int]:
    """Places of the alerts, by the rule in so many words: start seconds and truth of each clip."""
    rises = [0] if values and values[0][1] else []
    rises += [place for place, (one, two) in enumerate(pairwise(values), start=1) if two[1] and not one[1]]
    told: list[int] = []
    for place in rises:
        if not told or values[place][0] - values[told[-1]][0] >= cooldown_seconds:
            told.append(place)
    return told


def add_clips(journal: Journal, stream_id: str, truths: Sequence[Any]) -> None:
    """Clips of 32 seconds after those that there are, with a dog in some; no two captions are alike."""
    first = journal.streams.position(stream_id).next_clip_index
    for index, is_there in enumerate(truths, start=first):
        caption = f"a dog waits {index} {stream_id}" if is_there else f"nothing happens {index} {stream_id}"
        journal.clips.add(make_clip(stream_id, index, caption=caption))


def add_still_clip(journal: Journal, stream_id: str, since: int) -> None:
    """A clip after those that there are, in which nothing changed since another."""
    clip = make_clip(
        stream_id, journal.streams.position(stream_id).next_clip_index, caption="nothing changed since 00:01"
    )
    journal.clips.add(
        replace(
            clip,
            num_visual_tokens=0,
            kept_indices=clip.kept_indices[:0],
            embedding=clip.embedding[:0],
            scores=clip.scores[:0],
            is_still=True,
            still_since=since,
        )
    )
