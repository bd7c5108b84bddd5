"""The recurrent loop as an observer: what Keepsight does with a stream, in host memory.

The steps are the product's (`recurrence.Recurrence`); only the journal is a list here, and selected tokens of all clips
are kept, since some methods answer from them.
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from keepsight.asking.candidates import Candidates
from keepsight.bench.methods.base import Captioned
from keepsight.method.prompts import caption_line
from keepsight.method.protocol import Description, VideoModel, VisualInput
from keepsight.method.recurrence import ClipWork, Recurrence, encode_clip
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Clip, ClipBuffer, Frame


@dataclass(frozen=True, eq=False)
class WatchedClip:
    """Data of a described clip.

    Attributes:
        span: its time span.
        line: its caption line in prompts.
        num_line_tokens: tokens of the line.
        embedding: mean input embedding of the caption, float32 `[dim]`.
        tokens: selected tokens, `[num_kept, dim]`.
        positions: int64 `[num_kept]`, index of each among all visual tokens of the stream.
        shape: grid and frame times of the clip, without tokens.
        end_position: index of the next clip's first visual token.
    """

    span: Span
    line: str
    num_line_tokens: int
    embedding: NDArray[np.float32]
    tokens: Tensor
    positions: Tensor
    shape: VisualInput
    end_position: int


@dataclass
class LoopObserver:
    """Watches with the full loop.

    Attributes:
        model: describes the clips.
        settings: how.
        clips: all clips so far, in time order.
    """

    model: VideoModel
    settings: Settings
    clips: list[WatchedClip] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recurrence = Recurrence(self.settings)
        self._buffer = ClipBuffer(self.settings.sample_fps, self.settings.frames_per_clip)
        self._captions: list[Captioned] = []

    @property
    def pending(self) -> tuple[Frame, ...]:
        """Frames without a caption yet."""
        return self._buffer.pending

    def see(self, frame: Frame) -> None:
        """Add a frame; describe the clip that it completes."""
        clip = self._buffer.push(frame)
        if clip is not None:
            self._watch(clip)

    def finish(self) -> None:
        """Describe the last frames, if the settings ask for it."""
        clip = self._buffer.flush()
        if clip is not None and self.settings.caption_partial_clip:
            self._watch(clip)

    def captions(self) -> list[Captioned]:
        """Captions so far."""
        return self._captions

    def candidates(self) -> Candidates:
        """The captions to choose from."""
        dim = self.model.info.dim
        embeddings = [clip.embedding for clip in self.clips]
        return Candidates(
            costs=[clip.num_line_tokens for clip in self.clips],
            embeddings=np.stack(embeddings) if embeddings else np.zeros((0, dim), dtype=np.float32),
            read_lines=lambda places: [self.clips[place].line for place in places],
        )

    def rated(self, work: ClipWork, description: Description) -> Description:  # noqa: ARG002 - for subclasses
        """The description with the scores that selection gets: the model's."""
        return description

    def _watch(self, clip: Clip) -> None:
        started = time.perf_counter()
        work = self._recurrence.prepare(self.model, encode_clip(self.model, clip))
        description = self.rated(work, self._recurrence.describe(self.model, work))
        first_position = self._recurrence.num_tokens_seen
        selected = self._recurrence.keep(work, description)
        line = caption_line(clip.span, description.caption)
        embedding = self.model.embed(description.caption).numpy()
        nothing = work.visual.tokens[:0]
        self.clips.append(
            WatchedClip(
                span=clip.span,
                line=line,
                num_line_tokens=self.model.count_tokens(f"{line}\n"),
                embedding=embedding,
                tokens=selected.tokens,
                positions=first_position + selected.indices.cpu(),
                shape=replace(work.visual, memory=nothing, tokens=nothing, memory_offsets=None),
                end_position=self._recurrence.num_tokens_seen,
            )
        )
        self._captions.append(
            Captioned(
                clip_index=clip.index,
                span=clip.span,
                caption=description.caption,
                num_frames=len(clip.frames),
                num_visual_tokens=len(work.visual.tokens),
                kept_indices=tuple(selected.indices.tolist()),
                seconds_spent=time.perf_counter() - started,
            )
        )
