"""Captions that a question may be answered from; texts are read only once chosen.

A stream watched for days has tens of thousands of captions, of which a question is given a few hundred; formatting all
of them would take longer than choosing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.method.prompts import STILL_CAPTION, caption_line
from keepsight.method.protocol import AnsweringModel


@dataclass(frozen=True)
class Candidates:
    """Captions to choose from, in time order.

    Attributes:
        costs: tokens of each caption line in a prompt.
        embeddings: mean input embedding of each caption, float32 `[num_captions, dim]`, not necessarily normalised.
        read_lines: returns the prompt lines of captions by index; a still time after a caption adds a line.
    """

    costs: Sequence[int] | NDArray[np.int64]
    embeddings: NDArray[np.float32]
    read_lines: Callable[[Sequence[int]], list[str]]


class JournalCaptions:
    """Captions of a stream that ended by the time of the question, as currently in the journal.

    Still clips (`skip_still`) are not captions to choose: hundreds of equal lines would fill the budget. Where a
    caption is chosen, one line after it says how long nothing changed.

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
        self._still = {run.still_since: run for run in journal.clips.still_runs(stream.id, ended_by_seconds=limit)}
        self._read: tuple[list[int], list[CaptionRecord]] = ([], [])

    def __len__(self) -> int:
        return len(self._rows.clip_indices)

    @property
    def end_seconds(self) -> float:
        """End of the last caption, or of the still time after it; 0 without captions."""
        last = self.given(range(len(self))[-1:])
        return last[-1].span.end_seconds if last else 0.0

    def candidates(self, model: AnsweringModel) -> Candidates:
        """Candidates with embeddings and token counts of the answering model."""
        rows = self._rows
        if self._stream.has_weights_of(model.info.identity) and (
            not len(self) or rows.embeddings.shape[1] == model.info.dim
        ):
            return Candidates(self._with_still_lines(rows.num_line_tokens), rows.embeddings, self.lines)
        # Another model wrote the journal: embed and count again.
        captions = self.at(range(len(self)))
        costs = [model.count_tokens("".join(f"{line}\n" for line in self._lines_of(record))) for record in captions]
        own = [model.embed(record.caption).numpy() for record in captions]
        return Candidates(costs, np.stack(own) if own else rows.embeddings, self.lines)

    def _with_still_lines(self, costs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Costs of the captions with their still lines."""
        if not self._still:
            return costs
        more = [self._still[index].num_line_tokens if index in self._still else 0 for index in self._rows.clip_indices]
        return costs + np.array(more, np.int64)

    def at(self, places: Sequence[int]) -> list[CaptionRecord]:
        """Captions by index; the last read is cached, so the captions counted are the captions given."""
        indices = self._rows.clip_indices[list(places)].tolist()
        if indices != self._read[0]:
            self._read = indices, self._journal.clips.captions_at(self._stream.id, indices)
        return self._read[1]

    def given(self, places: Sequence[int]) -> list[CaptionRecord]:
        """Captions by index, each followed by the still time after it: the record of its last clip, with its span."""
        return [record for caption in self.at(places) for record in self._with_still(caption)]

    def lines(self, places: Sequence[int]) -> list[str]:
        """Prompt lines of captions by index, with their still lines."""
        return [line for record in self.at(places) for line in self._lines_of(record)]

    def _lines_of(self, caption: CaptionRecord) -> list[str]:
        return [caption_line(record.span, record.caption) for record in self._with_still(caption)]

    def _with_still(self, caption: CaptionRecord) -> list[CaptionRecord]:
        run = self._still.get(caption.clip_index)
        if run is None:
            return [caption]
        still = replace(
            caption,
            clip_index=run.last_index,
            span=run.span,
            caption=STILL_CAPTION,
            num_line_tokens=run.num_line_tokens,
            num_frames_expected=0,
            num_frames_dropped=0,
            is_pinned=False,
            is_still=True,
        )
        return [caption, still]
