"""Sampling real files: the frames are exactly those that decoding everything and applying the rule gives."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepsight.errors import SettingError, VideoError
from keepsight.video import Frame, cut_clips, open_video
from tests.video.media import Recipe, decode_all, moving_picture, on_screen_brute_force, steady_times, write_video


def assert_exact(path: Path, sample_fps: float) -> list[Frame]:
    """Compare times and every pixel with the reference decoder."""
    rate = Fraction(sample_fps).limit_denominator(1_000_000)
    expected = on_screen_brute_force(decode_all(path), rate)
    with open_video(path) as video:
        frames = list(video.sampled_frames(sample_fps))
    assert [frame.pts_seconds for frame in frames] == [float(instant) for instant, _ in expected]
    differing = [
        float(instant)
        for frame, (instant, image) in zip(frames, expected, strict=True)
        if not np.array_equal(frame.image, image)
    ]
    assert differing == []
    return frames


X264_CLOSED = Recipe(options={"g": "12", "bf": "3", "b-pyramid": "normal"})
X264_OPEN = Recipe(options={"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"})
X264_REFRESH = Recipe(options={"g": "12", "bf": "0", "x264-params": "intra-refresh=1"})
X265_OPEN = Recipe("libx265", options={"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"})
X265_CLOSED = Recipe("libx265", options={"x265-params": "keyint=12:bframes=3:open-gop=0:log-level=none"})
FILES = {
    "h264.mp4": X264_CLOSED,
    "h264-open.mp4": X264_OPEN,
    "h264-open.ts": X264_OPEN,
    "h264-refresh.mkv": X264_REFRESH,
    "h264-no-b.mp4": Recipe(options={"g": "10", "bf": "0"}),
    "h264-one-group.mkv": Recipe(options={"g": "1000", "bf": "2"}),
    "h264.ts": X264_CLOSED,
    "h264.flv": X264_CLOSED,
    "h264-interlaced.mp4": Recipe(options={"g": "12", "bf": "2", "x264-params": "interlaced=1"}),
    "h264-fragments.mp4": Recipe(options={"g": "12"}, container_options={"movflags": "frag_keyframe+empty_moov"}),
    "hevc-closed.mp4": X265_CLOSED,
    "hevc-open.mkv": X265_OPEN,
    "mpeg4.mp4": Recipe("mpeg4", options={"g": "12", "bf": "2"}),
    "mpeg2.ts": Recipe("mpeg2video", options={"g": "12", "bf": "2"}, time_base=Fraction(1, 25)),
    "vp8.webm": Recipe(
        "libvpx", options={"g": "12", "auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "realtime"}
    ),
    "vp9.webm": Recipe("libvpx-vp9", options={"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    "mjpeg.mov": Recipe("mjpeg", "yuvj420p"),
    "ffv1.mkv": Recipe("ffv1", options={"g": "5"}),
    "animation.gif": Recipe("gif", "rgb8"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_coding_gives_the_frames_of_a_full_decode(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, steady_times(75), FILES[name])
    for sample_fps in (0.5, 2.0, 7.0, 40.0):
        assert len(assert_exact(path, sample_fps)) == pytest.approx(3 * sample_fps, abs=1.5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps_ms=st.lists(st.one_of(st.integers(1, 80), st.integers(1, 4000)), min_size=1, max_size=50),
    sample_fps=st.sampled_from([0.4, 1.0, 1 / 3, 6.0, 12.5]),
    recipe=st.sampled_from([X264_CLOSED, X264_OPEN, X264_REFRESH]),
)
def test_any_spacing_of_pictures_is_sampled_exactly(
    tmp_path: Path, gaps_ms: list[int], sample_fps: float, recipe: Recipe
) -> None:
    times = [sum(gaps_ms[:n]) for n in range(len(gaps_ms) + 1)]
    assert_exact(write_video(tmp_path / "variable.mkv", times, recipe), sample_fps)


def test_a_long_hold_is_repeated_and_clips_keep_their_length(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slides.mkv", [0, 500, 10_500, 11_000, 31_000, 31_040])
    frames = assert_exact(path, 1.0)
    assert all(frame.image is frames[1].image for frame in frames[1:11])
    spans = [str(clip.span) for clip in cut_clips(frames, 1.0, 16)]
    assert spans == ["00:00-00:16", "00:16-00:32"]


def test_times_count_from_the_first_picture(tmp_path: Path) -> None:
    late = write_video(tmp_path / "late.mkv", [90_000 + time for time in steady_times(50)])
    with open_video(late) as video:
        assert [frame.pts_seconds for frame in video.sampled_frames(1.0)] == [0.0, 1.0]


@pytest.mark.parametrize("name", ["h264.mp4", "h264-open.ts", "mpeg2.ts", "vp9.webm"])
@pytest.mark.parametrize("start_seconds", [0.5, 1.0, 2.4, 100.0])
def test_a_file_taken_up_later_gives_the_rest_of_the_same_frames(
    tmp_path: Path, name: str, start_seconds: float
) -> None:
    path = write_video(tmp_path / name, steady_times(75), FILES[name])
    with open_video(path) as video:
        whole = list(video.sampled_frames(5.0))
        rest = list(video.sampled_frames(5.0, start_seconds=start_seconds))
    expected = [frame for frame in whole if frame.pts_seconds >= start_seconds]
    assert [frame.pts_seconds for frame in rest] == [frame.pts_seconds for frame in expected]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, expected, strict=True))


def test_the_first_clip_comes_before_the_rest_of_the_file_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (96, 128, 3), np.uint8)
    path = write_video(
        tmp_path / "long.mkv",
        steady_times(600),
        Recipe(options={"g": "25", "crf": "20", "preset": "ultrafast"}),
        picture=lambda number: np.roll(noise, number * 5, axis=1),
    )
    whole_bytes = path.stat().st_size
    with open_video(path) as video:
        clips = cut_clips(video.sampled_frames(5.0), 5.0, 4)
        first = next(clips)
        # What has not been read by now is taken away; a reader that had decoded ahead would not notice.
        with path.open("r+b") as file:
            file.truncate(whole_bytes // 3)
        rest_seconds: list[float] = []
        with pytest.raises(VideoError):
            rest_seconds.extend(clip.end_seconds for clip in clips)
    assert first.end_seconds == pytest.approx(0.8)
    assert max(rest_seconds, default=0) < 12


def test_a_file_can_be_sampled_twice_at_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "twice.mp4", steady_times(50))
    with open_video(path) as video:
        pairs = list(zip(video.sampled_frames(10.0), video.sampled_frames(10.0), strict=True))
    assert all(a.pts_seconds == b.pts_seconds and np.array_equal(a.image, b.image) for a, b in pairs)


def test_leaving_the_context_ends_iterations_and_refuses_new_ones(tmp_path: Path) -> None:
    path = write_video(tmp_path / "closed.mp4", steady_times(50))
    with open_video(path) as video:
        frames = video.sampled_frames(10.0)
        next(frames)
    assert list(frames) == []
    with pytest.raises(VideoError, match="closed"):
        video.sampled_frames(1.0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"sample_fps": 0},
        {"sample_fps": -1.0},
        {"sample_fps": float("nan")},
        {"sample_fps": 1.0, "start_seconds": -1.0},
    ],
)
def test_settings_outside_their_range_are_refused_at_once(tmp_path: Path, arguments: dict[str, float]) -> None:
    path = write_video(tmp_path / "any.mp4", steady_times(3))
    with open_video(path) as video, pytest.raises(SettingError):
        video.sampled_frames(**arguments)


def test_info_says_what_the_file_is(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "info.mp4", steady_times(50), picture=lambda number: moving_picture(number, width=80, height=48)
    )
    with open_video(path) as video:
        info = video.info
    assert (info.width, info.height, info.codec, info.num_frames) == (80, 48, "h264", 50)
    assert (info.duration_seconds, info.average_fps) == (pytest.approx(2.0, abs=0.05), pytest.approx(25, rel=0.03))
