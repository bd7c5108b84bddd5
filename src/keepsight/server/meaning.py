"""Search by meaning: which captions are most like a text, in the model's own embeddings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from keepsight.asking.candidates import JournalCaptions
from keepsight.asking.retrieval import cosine_similarities
from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.models.protocol import VideoModel

_DIGITS = 5


@dataclass(frozen=True)
class Likeness:
    """A caption and how like the text it is.

    Attributes:
        caption: its record.
        score: cosine similarity of the mean embeddings, -1 to 1.
    """

    caption: CaptionRecord
    score: float


def most_alike(
    model: VideoModel, journal: Journal, streams: Iterable[StreamRecord], text: str, limit: int
) -> list[Likeness]:
    """The captions most like a text, best first; of equals the earlier stream's, and the earlier clip.

    All stored captions are compared, as `asking` compares them with a question: those of another model are embedded
    anew. Scores are for comparing: with some models even captions that have a word of the text are below 0. To a text
    without any meaning to the model, whose embedding is 0, nothing is alike.

    Args:
        model: embeds the text.
        journal: has the captions.
        streams: whose captions are looked through.
        text: any words.
        limit: most captions.
    """
    wanted = model.embed(text)
    if not wanted.any():
        return []
    found: list[tuple[float, JournalCaptions, int]] = []
    for stream in streams:
        captions = JournalCaptions(journal, stream, None)
        if len(captions):
            scores = cosine_similarities(captions.candidates(model).embeddings, wanted)
            # Equal captions have equal scores but for rounding.
            best = np.argsort(-scores.round(_DIGITS), kind="stable")[:limit]
            found += [(float(scores[place]), captions, int(place)) for place in best]
    found.sort(key=lambda one: -round(one[0], _DIGITS))
    # A quota may remove a clip while it is looked for.
    return [Likeness(record, score) for score, captions, place in found[:limit] for record in captions.at([place])]
