"""The captions that a question may be answered from: what they are chosen by at once, their texts once chosen.

A stream that was watched for days has tens of thousands of captions, of which a question is given a few hundred: making
a line of each would take longer than choosing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.prompts import caption_line


@dataclass(frozen=True)
class Candidates:
    """Captions to choose from, in time order.

    Attributes:
        costs: tokens of each caption's line in a prompt.
        embeddings: mean input embedding of each caption, float32 `[num_captions, dim]`, of length 1 or any other.
        read_lines: lines of the captions at some places, as a prompt shows them.
    """

    costs: Sequence[int] | NDArray[np.int64]
    embeddings: NDArray[np.float32]
    read_lines: Callable[[Sequence[int]], list[str]]


class JournalCaptions:
    """All captions of a stream that had ended by the time of asking, as the journal has them now.

    Args:
        journal: is read.
        stream: whose captions.
        ask_seconds: None for all.
    """

    def __init__(self, journal: Journal, stream: StreamRecord, ask_seconds: float | None) -> None:
        self._journal = journal
        self._stream = stream
        limit = float("inf") if ask_seconds is None else ask_seconds
        self._rows = journal.clips.ranked_by(stream.id, ended_by_seconds=limit)
        self._read: tuple[list[int], list[CaptionRecord]] = ([], [])

    def __len__(self) -> int:
        return len(self._rows.clip_indices)

    @property
    def end_seconds(self) -> float:
        """Where the last of them ended, 0 without captions."""
        last = self.at(range(len(self))[-1:])
        return last[0].span.end_seconds if last else 0.0

    def candidates(self, model: VideoModel) -> Candidates:
        """The captions in the space and token counts of the model that is asked."""
        rows = self._rows
        if self._stream.model == model.info.name and (not len(self) or rows.embeddings.shape[1] == model.info.dim):
            return Candidates(rows.num_line_tokens, rows.embeddings, self.lines)
        # Another model wrote the journal: its embeddings lie in another space and its tokens are cut otherwise.
        captions = self.at(range(len(self)))
        costs = [model.count_tokens(f"{caption_line(record.span, record.caption)}\n") for record in captions]
        own = [model.embed(record.caption).numpy() for record in captions]
        return Candidates(costs, np.stack(own) if own else rows.embeddings, self.lines)

    def at(self, places: Sequence[int]) -> list[CaptionRecord]:
        """The captions at some places; asked for twice in a row they are read once, so what was counted is given."""
        indices = self._rows.clip_indices[list(places)].tolist()
        if indices != self._read[0]:
            self._read = indices, self._journal.clips.captions_at(self._stream.id, indices)
        return self._read[1]

    def lines(self, places: Sequence[int]) -> list[str]:
        """The lines of the captions at some places."""
        return [caption_line(record.span, record.caption) for record in self.at(places)]
