"""Captions that a question may be answered from; texts are read only once chosen.

A stream watched for days has tens of thousands of captions, of which a question is given a few hundred; formatting all
of them would take longer than choosing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.method.prompts import caption_line
from keepsight.method.protocol import VideoModel


@dataclass(frozen=True)
class Candidates:
    """Captions to choose from, in time order.

    Attributes:
        costs: tokens of each caption line in a prompt.
        embeddings: mean input embedding of each caption, float32 `[num_captions, dim]`, not necessarily normalised.
        read_lines: returns the prompt lines of captions by index.
    """

    costs: Sequence[int] | NDArray[np.int64]
    embeddings: NDArray[np.float32]
    read_lines: Callable[[Sequence[int]], list[str]]


class JournalCaptions:
    """Captions of a stream that ended by the time of the question, as currently in the journal.

    Args:
        journal: journal to read.
        stream: stream of the captions.
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
        """End of the last caption; 0 without captions."""
        last = self.at(range(len(self))[-1:])
        return last[0].span.end_seconds if last else 0.0

    def candidates(self, model: VideoModel) -> Candidates:
        """Candidates with embeddings and token counts of the answering model."""
        rows = self._rows
        if self._stream.is_by(model.info.identity) and (not len(self) or rows.embeddings.shape[1] == model.info.dim):
            return Candidates(rows.num_line_tokens, rows.embeddings, self.lines)
        # Another model wrote the journal: embed and count again.
        captions = self.at(range(len(self)))
        costs = [model.count_tokens(f"{caption_line(record.span, record.caption)}\n") for record in captions]
        own = [model.embed(record.caption).numpy() for record in captions]
        return Candidates(costs, np.stack(own) if own else rows.embeddings, self.lines)

    def at(self, places: Sequence[int]) -> list[CaptionRecord]:
        """Captions by index; the last read is cached, so the captions counted are the captions given."""
        indices = self._rows.clip_indices[list(places)].tolist()
        if indices != self._read[0]:
            self._read = indices, self._journal.clips.captions_at(self._stream.id, indices)
        return self._read[1]

    def lines(self, places: Sequence[int]) -> list[str]:
        """Prompt lines of captions by index."""
        return [caption_line(record.span, record.caption) for record in self.at(places)]
