"""Journals of streams that have been watched for a long time already, without watching them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from keepsight.engine.memory_rows import store_memory
from keepsight.journal import ClipRecord, Journal, StreamRecord, contact_sheet
from keepsight.method.prompts import caption_line
from keepsight.method.protocol import VideoModel
from keepsight.method.recurrence import Recurrence
from keepsight.settings import Settings
from keepsight.spans import Span

from .toy import toy_frames

SOURCE = "camera"


@dataclass(frozen=True)
class Past:
    """What a stream has behind it.

    Attributes:
        num_clips: clips described so far; the last ones fill the memory.
        captions: texts that take turns.
        has_thumbnails: whether each clip has its contact sheet, as it has in life.
    """

    num_clips: int
    captions: Sequence[str]
    has_thumbnails: bool = True


def write_past(path: Path, model: VideoModel, settings: Settings, past: Past) -> StreamRecord:
    """A journal with one stream that can be gone on with, its memory as full as it gets.

    Args:
        path: of the new journal.
        model: counts and embeds the captions, and encodes the pictures whose tokens are remembered.
        settings: of the stream.
        past: what it has behind it.
    """
    frames = toy_frames(settings, first_clip=0, num_clips=1)
    tokens = model.encode([frame.image for frame in frames])
    sheet = contact_sheet([frame.image for frame in frames]) if past.has_thumbnails else b""
    counted = [model.count_tokens(f"{caption_line(Span(0, 1), caption)}\n") for caption in past.captions]
    embeddings = [model.embed(caption).numpy() for caption in past.captions]
    kept = np.arange(max(1, round(len(tokens) * settings.retention)), dtype=np.int32)
    seconds = settings.frames_per_clip / settings.sample_fps
    recurrence = Recurrence(settings)
    with Journal.create(path) as journal, journal.transaction():
        stream = journal.streams.begin(SOURCE, model.info.name, settings.to_json())
        for index in range(past.num_clips):
            which = index % len(past.captions)
            start = index * seconds
            record = ClipRecord(
                stream_id=stream.id,
                clip_index=index,
                span=Span(start, start + seconds),
                caption=past.captions[which],
                num_line_tokens=counted[which],
                num_visual_tokens=len(tokens),
                num_memory_tokens=min(index, settings.memory_clips) * len(kept),
                token_grid=model.info.token_grid,
                frame_seconds=tuple(start + number / settings.sample_fps for number in range(len(frames))),
                kept_indices=kept,
                embedding=embeddings[which],
                scores=np.zeros(len(tokens), np.float32),
                thumbnail=sheet,
                seconds_spent=0.0,
            )
            journal.clips.add(record)
            if index >= past.num_clips - settings.memory_clips:
                positions = index * len(tokens) + torch.arange(len(kept))
                recurrence.memory.append(index, tokens[: len(kept)], positions, torch.zeros(len(kept)))
                store_memory(journal, stream.id, recurrence)
    return stream
