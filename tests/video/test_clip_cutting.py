"""Frames, clips and the buffer that fills them."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import SettingError, TruncatedVideoError
from keepsight.spans import Span
from keepsight.video import Clip, ClipBuffer, Frame, cut_clips
from keepsight.video.sampling import SampleGrid

IMAGE = np.zeros((2, 3, 3), np.uint8)


def frames_at(sample_fps: float, num_frames: int, first: int = 0) -> list[Frame]:
    grid = SampleGrid(sample_fps)
    return [Frame(IMAGE, float(grid.instant(first + number))) for number in range(num_frames)]


@given(
    num_frames=st.integers(0, 60), size=st.integers(1, 20), sample_fps=st.sampled_from([0.5, 1.0, 0.3, 1 / 3, 29.97])
)
def test_clips_hold_all_frames_once_in_spans_without_a_gap(num_frames: int, size: int, sample_fps: float) -> None:
    frames = frames_at(sample_fps, num_frames)
    clips = list(cut_clips(frames, sample_fps, size, first_index=3))
    assert [frame for clip in clips for frame in clip.frames] == frames
    assert [clip.index for clip in clips] == list(range(3, 3 + -(-num_frames // size)))
    assert all(len(clip.frames) == size for clip in clips[:-1])
    for early, late in itertools.pairwise(clips):
        assert early.end_seconds == late.start_seconds
    if clips:
        assert clips[-1].end_seconds == pytest.approx(num_frames / sample_fps)


def test_a_clip_comes_with_its_last_frame_and_not_later() -> None:
    taken = 0

    def endless() -> Iterator[Frame]:
        nonlocal taken
        while True:
            taken += 1
            yield Frame(IMAGE, (taken - 1) * 2.0)

    clips = cut_clips(endless(), 0.5, 16)
    assert next(clips).span == Span(0.0, 32.0)
    assert taken == 16
    assert next(clips).span == Span(32.0, 64.0)
    assert taken == 32


def test_frames_before_a_damage_are_handed_out_before_the_error() -> None:
    def broken() -> Iterator[Frame]:
        yield from frames_at(1.0, 5)
        raise TruncatedVideoError("the file ends")

    clips = cut_clips(broken(), 1.0, 4)
    assert [len(next(clips).frames), len(next(clips).frames)] == [4, 1]
    with pytest.raises(TruncatedVideoError):
        next(clips)


def test_pending_frames_are_those_of_the_unfinished_clip() -> None:
    buffer = ClipBuffer(1.0, 3, first_index=7)
    first, second, third = frames_at(1.0, 3)
    assert buffer.push(first) is None
    assert buffer.push(second) is None
    assert buffer.pending == (first, second)
    clip = buffer.push(third)
    assert clip is not None
    assert (clip.index, clip.frames, buffer.pending, buffer.next_index) == (7, (first, second, third), (), 8)
    assert buffer.flush() is None


def test_pushed_frames_off_the_grid_end_one_step_after_the_last() -> None:
    buffer = ClipBuffer(2.0, 2)
    buffer.push(Frame(IMAGE, 0.1))
    clip = buffer.push(Frame(IMAGE, 0.63))
    assert clip is not None
    assert (clip.start_seconds, clip.end_seconds) == (0.1, pytest.approx(1.13))


def test_frames_out_of_order_are_refused() -> None:
    buffer = ClipBuffer(1.0)
    buffer.push(Frame(IMAGE, 2.0))
    with pytest.raises(SettingError, match="time order"):
        buffer.push(Frame(IMAGE, 1.0))


@pytest.mark.parametrize(
    ("sample_fps", "frames_per_clip", "first_index"),
    [(0, 16, 0), (float("nan"), 16, 0), (1, 0, 0), (1, -1, 0), (1, 16, -1)],
)
def test_settings_outside_their_range_are_refused(sample_fps: float, frames_per_clip: int, first_index: int) -> None:
    with pytest.raises(SettingError):
        cut_clips([], sample_fps, frames_per_clip, first_index=first_index)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 3), np.uint8),
        np.zeros((3, 2, 2), np.uint8),
        np.zeros((2, 3, 4), np.uint8),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((2, 3, 3), np.float32),
    ],
)
def test_an_image_of_another_shape_or_type_is_refused(image: np.ndarray) -> None:
    with pytest.raises(SettingError, match="uint8"):
        Frame(image, 0.0)


@pytest.mark.parametrize("pts_seconds", [-1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(pts_seconds: float) -> None:
    with pytest.raises(SettingError, match="pts_seconds"):
        Frame(IMAGE, pts_seconds)


@pytest.mark.parametrize(
    ("index", "times", "span"),
    [(-1, [0], (0, 1)), (0, [], (0, 1)), (0, [1, 0], (0, 2)), (0, [0], (1, 2)), (0, [3], (0, 2))],
)
def test_a_clip_that_does_not_fit_its_span_is_refused(
    index: int, times: list[float], span: tuple[float, float]
) -> None:
    with pytest.raises(SettingError):
        Clip(index, tuple(Frame(IMAGE, time) for time in times), Span(*span))
