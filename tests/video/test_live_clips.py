"""Live streams cut by time: clips of equal length whatever is missing, and every dropped frame counted once."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import SettingError
from keepsight.video import Clip, Frame, LiveClipBuffer, cut_clips

IMAGE = np.zeros((2, 2, 3), np.uint8)
FPS, SIZE = 0.5, 4


def push_all(numbers: list[int], dropped: set[int]) -> tuple[list[Clip], int]:
    """Frames at regular times of which some were dropped; the clips, and the drops of which no clip knows."""
    buffer, clips, lost, pending = LiveClipBuffer(FPS, SIZE), [], 0, 0
    for number in numbers:
        if number in dropped:
            pending += 1
            continue
        clip = buffer.push(Frame(IMAGE, number / FPS), pending)
        pending = 0
        lost += buffer.num_lost
        clips += [clip] if clip else []
    lost += buffer.add_dropped(pending)
    last = buffer.flush()
    return clips + ([last] if last else []), lost


def test_with_nothing_missing_it_cuts_as_files_are_cut() -> None:
    frames = [Frame(IMAGE, k / FPS) for k in range(11)]
    expected = list(cut_clips(frames, FPS, SIZE))
    clips, lost = push_all(list(range(11)), set())
    assert [(clip.index, clip.span, len(clip.frames)) for clip in clips] == [
        (clip.index, clip.span, len(clip.frames)) for clip in expected
    ]
    assert lost == 0
    assert [clip.num_frames_dropped for clip in clips] == [0, 0, 0]
    assert {clip.num_frames_expected for clip in clips} == {SIZE}


def test_a_clip_tells_how_many_of_its_frames_were_dropped() -> None:
    clips, lost = push_all(list(range(12)), {2, 3, 5, 6})
    assert [(len(clip.frames), clip.num_frames_dropped) for clip in clips] == [(2, 2), (2, 2), (4, 0)]
    assert [(clip.start_seconds, clip.end_seconds) for clip in clips] == [(0, 8), (8, 16), (16, 24)]
    assert lost == 0


def test_where_all_frames_of_a_clip_were_dropped_they_are_lost() -> None:
    clips, lost = push_all(list(range(16)), set(range(3, 13)))
    found = [(clip.start_seconds, len(clip.frames), clip.num_frames_dropped) for clip in clips]
    assert found == [(0, 3, 1), (26, 3, 0)]
    assert lost == 9


@given(st.integers(1, 80), st.sets(st.integers(0, 79)))
def test_every_frame_is_seen_dropped_or_lost(num_frames: int, dropped: set[int]) -> None:
    dropped &= set(range(num_frames))
    clips, lost = push_all(list(range(num_frames)), dropped)
    seen = [frame.pts_seconds for clip in clips for frame in clip.frames]
    assert seen == [number / FPS for number in range(num_frames) if number not in dropped]
    assert sum(clip.num_frames_dropped for clip in clips) + lost == len(dropped)
    for clip in clips:
        assert len(clip.frames) + clip.num_frames_dropped <= SIZE
        assert clip.span.duration_seconds <= SIZE / FPS
    for one, after in itertools.pairwise(clips):
        assert one.end_seconds <= after.start_seconds


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40))
def test_irregular_times_lose_no_frame_and_overlap_by_less_than_a_step(waits: list[float]) -> None:
    buffer, clips, seconds = LiveClipBuffer(FPS, SIZE), [], 0.0
    for wait in waits:
        seconds += wait
        clip = buffer.push(Frame(IMAGE, seconds))
        clips += [clip] if clip else []
    last = buffer.flush()
    clips += [last] if last else []
    assert sum(len(clip.frames) for clip in clips) == len(waits)
    for one, after in itertools.pairwise(clips):
        assert one.frames[-1].pts_seconds <= after.start_seconds
        assert one.end_seconds <= after.start_seconds + 1 / FPS


def test_time_that_runs_back_is_refused() -> None:
    buffer = LiveClipBuffer(FPS, SIZE)
    buffer.push(Frame(IMAGE, 4.0))
    with pytest.raises(SettingError, match="time order"):
        buffer.push(Frame(IMAGE, 3.0))
