"""A model whose context window is smaller than the memory: how many clips it sees is said once, and is true."""

from pathlib import Path

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import NoteKind, SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.engine.window import window_note
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.small_videos import MakeVideo

QUICK = Settings(frames_per_clip=4, sample_fps=4.0, memory_clips=6, retention=0.5, max_caption_tokens=16)


@pytest.mark.parametrize(("window", "memory_tokens"), [(85, None), (70, None), (57, None), (85, 24), (4096, 40)])
def test_as_many_clips_are_seen_as_it_says(
    tmp_path: Path, make_video: MakeVideo, window: int, memory_tokens: int | None
) -> None:
    settings = Settings(**{**vars(QUICK), "memory_tokens": memory_tokens})
    model = FakeModel(window=window)
    with Watcher(model, tmp_path / "a.db", settings) as watcher:
        events = list(watcher.events(str(make_video(10))))
    moments = [event for event in events if isinstance(event, Moment)]
    notes = [event for event in events if isinstance(event, SourceNote)]
    kept = moments[0].num_kept_tokens
    asked = min(6, 6 if memory_tokens is None else memory_tokens // kept)
    seen = moments[-1].num_memory_tokens // kept
    assert len(moments) > 6
    if seen == asked:
        assert notes == []
        return
    (note,) = notes
    assert note.kind is NoteKind.WINDOW
    assert note.text == (
        f"a clip sees {seen} of the {asked} clips in memory: the context window of fake has {window} tokens; "
        "fewer frames per clip or a lower retention let it see more"
    )


def test_llava_next_video_sees_eleven_of_sixteen() -> None:
    """Its window, and its 144 tokens a frame; the paper's settings."""
    note = window_note(FakeModel(window=4096, grid=(12, 12)), Settings())
    assert note is not None
    assert note.text.startswith("a clip sees 11 of the 16 clips in memory: the context window of fake has 4,096 tokens")


def test_a_stream_that_was_watched_to_its_end_says_nothing(tmp_path: Path, make_video: MakeVideo) -> None:
    for num_notes in (1, 0):
        with Watcher(FakeModel(window=70), tmp_path / "a.db", QUICK) as watcher:
            events = list(watcher.events(str(make_video(10))))
        assert sum(isinstance(event, SourceNote) for event in events) == num_notes
