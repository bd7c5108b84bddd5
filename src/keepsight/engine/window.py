"""Whether a model's context window holds the visual memory that is asked for."""

from keepsight.engine.watched_source import NoteKind, SourceNote
from keepsight.method.protocol import VideoModel
from keepsight.method.recurrence import Recurrence
from keepsight.method.selection.base import count_kept
from keepsight.settings import Settings


def window_note(model: VideoModel, settings: Settings) -> SourceNote | None:
    """Notice that a clip sees fewer earlier clips than the memory keeps; None if it sees all.

    LLaVA-NeXT-Video has a window of 4,096 tokens, which holds a clip of 16 frames and 11 of the 16 clips before it.

    Args:
        model: model to watch with.
        settings: settings to watch with; frames of the model's default size.
    """
    info = model.info
    num_tokens = info.num_visual_tokens(settings.frames_per_clip)
    kept = count_kept(num_tokens, settings.retention)
    kept_clips = settings.memory_clips
    if settings.memory_tokens is not None:
        kept_clips = min(kept_clips, settings.memory_tokens // kept)
    seen_clips = model.max_memory_tokens(num_tokens, Recurrence(settings).request) // kept
    if seen_clips >= kept_clips:
        return None
    text = (
        f"a clip sees {seen_clips} of the {kept_clips} clips in memory: the context window of {info.name} has "
        f"{info.context_window_tokens:,} tokens; fewer frames per clip or a lower retention let it see more"
    )
    return SourceNote(NoteKind.WINDOW, text)
