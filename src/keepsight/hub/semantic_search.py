"""Search captions by meaning: cosine similarity of the model's own embeddings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from keepsight.asking.candidates import JournalCaptions
from keepsight.asking.retrieval import cosine_similarities
from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.method.protocol import VideoModel

_DIGITS = 5


@dataclass(frozen=True)
class Likeness:
    """A caption and its similarity to the query.

    Attributes:
        caption: its record.
        score: cosine similarity of the mean embeddings, -1 to 1.
    """

    caption: CaptionRecord
    score: float


def most_alike(
    model: VideoModel, journal: Journal, streams: Iterable[StreamRecord], text: str, limit: int
) -> list[Likeness]:
    """Captions most similar to a text, best first; ties by stream, then clip.

    All stored captions are compared, as `asking` compares them with a question; captions embedded by another model are
    embedded again. Scores only rank: with some models even captions that contain a query word score below 0. A text
    whose embedding is 0 matches nothing.

    Args:
        model: embeds the text.
        journal: provides the captions.
        streams: streams to search.
        text: the query.
        limit: maximum number of captions.
    """
    wanted = model.embed(text)
    if not wanted.any():
        return []
    found: list[tuple[float, JournalCaptions, int]] = []
    for stream in streams:
        captions = JournalCaptions(journal, stream, None)
        if len(captions):
            scores = cosine_similarities(captions.candidates(model).embeddings, wanted)
            # Equal captions have equal scores up to rounding.
            best = np.argsort(-scores.round(_DIGITS), kind="stable")[:limit]
            found += [(float(scores[place]), captions, int(place)) for place in best]
    found.sort(key=lambda one: -round(one[0], _DIGITS))
    # A quota may remove a clip during the search.
    return [Likeness(record, score) for score, captions, place in found[:limit] for record in captions.at([place])]
