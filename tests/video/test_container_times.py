"""Times are the container's, wherever reading begins: against the ffmpeg program and against reading from the start."""

import random
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keepsight.video import Frame, VideoInfo, cut_clips, open_video
from keepsight.video.packet_times import PacketExtent
from tests.video.media import Recipe, flat_picture, write_video
from tests.video.test_against_ffmpeg import ffmpeg_program

HOUR, DAY = 3600, 86_400
SMALL = {"preset": "ultrafast", "g": "30", "bf": "2"}
RARE_KEYS = {"preset": "ultrafast", "g": "500", "bf": "0"}
CONTAINERS = {
    "mp4": Recipe(options=SMALL),
    "fragmented.mp4": Recipe(options=SMALL, container_options={"movflags": "frag_keyframe+empty_moov"}),
    "mkv": Recipe(options=RARE_KEYS),
    "ts": Recipe(options=SMALL),
    "rare-keys.ts": Recipe(options=RARE_KEYS),
    "mpeg2.ts": Recipe("mpeg2video", options={"g": "12"}, time_base=Fraction(1, 25)),
    "webm": Recipe("libvpx", options={"g": "30", "deadline": "realtime", "cpu-used": "8"}),
}


RARE_KEYS_RECIPE = Recipe(options=RARE_KEYS)


def numbered(number: int) -> np.ndarray:
    """A small grey picture whose level tells its number modulo 50."""
    return flat_picture((20 + 4 * (number % 50),) * 3, 32, 32)


def series(path: Path, num_pictures: int, step_seconds: float, recipe: Recipe) -> Path:
    return write_video(path, [round(1000 * step_seconds * n) for n in range(num_pictures)], recipe, numbered)


def sampled(path: Path, sample_fps: float, start_seconds: float = 0.0) -> tuple[list[Frame], VideoInfo, PacketExtent]:
    with open_video(path) as video:
        frames = list(video.sampled_frames(sample_fps, start_seconds=start_seconds))
        assert video.extent is not None
        return frames, video.info, video.extent


def told(frames: list[Frame]) -> list[tuple[float, str, int]]:
    return [(frame.pts_seconds, frame.gap_before, int(frame.image.mean())) for frame in frames]


def assert_tail(path: Path, sample_fps: float, starts: list[float]) -> list[Frame]:
    """Frames from any start are those from 0 with the earlier ones left out."""
    whole, _, _ = sampled(path, sample_fps)
    for start in starts:
        rest, _, _ = sampled(path, sample_fps, start)
        assert told(rest) == [one for one in told(whole) if one[0] >= start], f"from {start} s"
    return whole


SERIES = {"70-minutes": (1300, 3.2, 0.05), "over-a-day": (120, 900.0, 1 / 900), "a-minute": (300, 0.2, 2.0)}


@pytest.mark.parametrize(
    ("name", "length"),
    [
        pytest.param(
            name, length, marks=[pytest.mark.slow] if length != "a-minute" and name not in ("mp4", "ts") else []
        )
        for name in CONTAINERS
        for length in SERIES
    ],
)
def test_a_frames_time_does_not_depend_on_where_reading_began(tmp_path: Path, name: str, length: str) -> None:
    num_pictures, step_seconds, sample_fps = SERIES[length]
    path = series(tmp_path / f"series.{name}", num_pictures, step_seconds, CONTAINERS[name])
    seconds = num_pictures * step_seconds
    draw = random.Random(f"{name} {num_pictures}")
    starts = [seconds * 0.99, 3601.0, *(draw.uniform(0, seconds) for _ in range(2))]
    frames = assert_tail(path, sample_fps, starts)
    assert len(frames) == pytest.approx(seconds * sample_fps, abs=step_seconds * sample_fps + 2)
    for frame in frames:
        assert abs(int(frame.image.mean()) - numbered(int(frame.pts_seconds / step_seconds + 1e-6)).mean()) < 4


@pytest.mark.slow
def test_an_avi_of_over_an_hour(tmp_path: Path) -> None:
    recipe = Recipe("mpeg4", options={"g": "50"}, rate=1, time_base=Fraction(1, 1))
    path = write_video(tmp_path / "series.avi", [1000 * n for n in range(4000)], recipe, numbered)
    assert len(assert_tail(path, 0.5, [3601.0, 3776.0, 17.3])) == 2000


@pytest.mark.parametrize("name", ["mp4", "mkv"])
def test_a_picture_may_stay_for_any_time(tmp_path: Path, name: str) -> None:
    slides = write_video(tmp_path / f"slides.{name}", [0, 10_000, 5_410_000, 5_411_000], RARE_KEYS_RECIPE, numbered)
    frames = assert_tail(slides, 0.1, [3605.0, 5405.0])
    assert [frame.pts_seconds for frame in frames] == [10.0 * n for n in range(542)]
    assert [clip.span.duration_seconds for clip in cut_clips(frames, 0.1, 16)][:-1] == [160.0] * 33


@pytest.mark.parametrize("name", ["lapse.mp4", "lapse.mkv", "lapse.ts"])
def test_a_time_lapse_keeps_its_times(tmp_path: Path, name: str) -> None:
    step = 15.0 if name.endswith("ts") else 7200.0
    path = series(tmp_path / name, 12, step, Recipe(options={"g": "6", "bf": "2"}))
    frames, info, extent = sampled(path, 1 / step)
    assert [frame.pts_seconds for frame in frames] == [step * n for n in range(12)]
    assert told(frames) == [(step * n, "", int(frame.image.mean())) for n, frame in enumerate(frames)]
    assert len({int(frame.image.mean()) for frame in frames}) == 12
    assert extent.pictures_end_seconds == pytest.approx(11 * step, abs=step)
    assert info.duration_seconds == pytest.approx(11 * step, abs=step)


OFFSETS = {
    "late.mp4": ["-c:v", "libx264", "-c:a", "aac"],
    "late.mkv": ["-c:v", "libx264", "-c:a", "aac"],
    "late.ts": ["-c:v", "libx264", "-c:a", "aac"],
    "late.flv": ["-c:v", "libx264", "-c:a", "aac"],
    "late.webm": ["-c:v", "libvpx", "-c:a", "libvorbis"],
    "both-late.mp4": ["-c:v", "libx264", "-c:a", "aac", "-output_ts_offset", "7"],
    "both-late.mkv": ["-c:v", "libx264", "-c:a", "aac", "-output_ts_offset", "7"],
}


@pytest.mark.parametrize("name", OFFSETS)
def test_a_frame_is_where_ffmpeg_finds_it(tmp_path: Path, name: str) -> None:
    """Pictures begin 10 s after the sound."""
    program = ffmpeg_program()
    grey = "nullsrc=s=32x32:r=4:d=16,geq=lum='30+8*floor(T)':cb=128:cr=128"
    path = tmp_path / name
    command = [program, "-v", "error", "-f", "lavfi", "-i", "sine=d=30", "-itsoffset", "10", "-f", "lavfi", "-i", grey]
    run = [*command, "-map", "1:v", "-map", "0:a", "-fps_mode", "passthrough", "-bf", "2", *OFFSETS[name], str(path)]
    subprocess.run(run, check=True, stdin=subprocess.DEVNULL)
    frames, info, _ = sampled(path, 0.5)
    assert frames[0].pts_seconds == pytest.approx(10, abs=0.1)
    assert info.duration_seconds == pytest.approx(26, abs=4.5)  # containers without a length of their own: the sound's
    for frame in frames[::2]:
        shown = shown_in_list if name.endswith(".ts") else shown_after_seek
        assert abs(frame.image.mean() - shown(program, path, frame.pts_seconds + 0.05)) < 3, frame


def decoded(program: str, path: Path, *options: str) -> np.ndarray:
    """Pictures `[num_pictures, 32, 32, 3]` as the ffmpeg program decodes them."""
    command = [program, "-v", "error", "-analyzeduration", "60M", "-probesize", "100M", "-i", str(path), *options]
    run = [*command, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    output = subprocess.run(run, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    return np.frombuffer(output, np.uint8).reshape(-1, 32, 32, 3)


def shown_after_seek(program: str, path: Path, seconds: float) -> float:
    """Grey level of the picture that `ffmpeg -ss` finds."""
    return float(decoded(program, path, "-ss", f"{seconds:.3f}", "-frames:v", "1").mean())


def shown_in_list(program: str, path: Path, seconds: float) -> float:
    """Grey level of the last picture up to a time; the ffmpeg program does not seek exactly in transport streams."""
    probe = [program.replace("ffmpeg", "ffprobe"), "-v", "error", "-of", "csv=p=0", "-show_entries"]
    start = subprocess.run([*probe, "format=start_time", str(path)], check=True, capture_output=True, text=True).stdout
    listed = [*probe, "frame=pts_time", "-select_streams", "v", "-analyzeduration", "60M", "-probesize", "100M"]
    times = subprocess.run([*listed, str(path)], check=True, capture_output=True, text=True).stdout.split()
    since_start = [float(time.strip(",")) - float(start) for time in times]
    place = max(place for place, time in enumerate(since_start) if time <= seconds)
    return float(decoded(program, path)[place].mean())


def joined(tmp_path: Path, *parts: Path) -> Path:
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("seconds", [(60, 30), (30, 60), (50, 50)])
def test_two_recordings_in_one_file_are_one_stream_with_a_gap(tmp_path: Path, seconds: tuple[int, int]) -> None:
    first, second = (
        series(tmp_path / f"{place}.ts", 4 * length, 0.25, CONTAINERS["ts"]) for place, length in enumerate(seconds)
    )
    frames = assert_tail(joined(tmp_path, first, second), 1.0, [10.0, seconds[0] - 2.0, seconds[0] + 5.0])
    assert [frame.pts_seconds for frame in frames] == [float(n) for n in range(90 if sum(seconds) == 90 else 100)]
    (gap,) = [frame for frame in frames if frame.gap_before]
    assert gap.pts_seconds == pytest.approx(seconds[0], abs=1)
    assert "jumps back" in gap.gap_before


@pytest.mark.parametrize("hole_seconds", [30, 7200])
def test_an_interrupted_recording_has_a_gap_where_it_was_interrupted(tmp_path: Path, hole_seconds: int) -> None:
    first = series(tmp_path / "first.ts", 100, 0.25, CONTAINERS["ts"])
    late = [round(1000 * (25 + hole_seconds + n / 4)) for n in range(100)]
    second = write_video(tmp_path / "second.ts", late, CONTAINERS["ts"], numbered)
    frames = assert_tail(joined(tmp_path, first, second), 0.5, [3.0, 26.0, 25.0 + hole_seconds, 40.0 + hole_seconds])
    (place,) = [place for place, frame in enumerate(frames) if frame.gap_before]
    assert frames[place - 1].pts_seconds == pytest.approx(24, abs=1)
    assert frames[place].pts_seconds == pytest.approx(25 + hole_seconds, abs=2)
    assert frames[-1].pts_seconds == pytest.approx(49 + hole_seconds, abs=2)


def test_a_slide_in_a_transport_stream_stays_while_its_sound_goes_on(tmp_path: Path) -> None:
    program = ffmpeg_program()
    slides = series(tmp_path / "slides.mkv", 40, 0.25, CONTAINERS["ts"])
    path = tmp_path / "slides.ts"
    command = [
        program,
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=d=70",
        "-i",
        str(slides),
        "-map",
        "1:v",
        "-map",
        "0:a",
    ]
    late = ["-vf", "setpts='if(lt(N,20),N*0.25,60+N*0.25)/TB'", "-fps_mode", "passthrough"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path)]
    subprocess.run([*command, *late, *coding], check=True, stdin=subprocess.DEVNULL)
    frames, _, _ = sampled(path, 0.5)
    assert not any(frame.gap_before for frame in frames)
    assert len(frames) == 35


def test_clocks_that_wrap_run_on(tmp_path: Path) -> None:
    """33 bits at 90 kHz end after 26 hours and a half."""
    path = series(tmp_path / "days.ts", 700, 300.0, Recipe(options={"preset": "ultrafast", "g": "10", "bf": "0"}))
    frames = assert_tail(path, 1 / 300, [100_000.0, 200_000.0])
    assert [frame.pts_seconds for frame in frames] == pytest.approx([300.0 * n for n in range(700)], abs=0.01)
    assert not any(frame.gap_before for frame in frames)


def test_damage_of_minutes_is_a_gap(tmp_path: Path) -> None:
    path = series(tmp_path / "damaged.mp4", 600, 0.25, Recipe(options={"g": "8", "bf": "0", "preset": "ultrafast"}))
    data = bytearray(path.read_bytes())
    begin, end = data.find(b"mdat"), data.find(b"moov")
    stretch = range(begin + (end - begin) // 3, begin + 2 * (end - begin) // 3)
    data[stretch.start : stretch.stop] = b"\xff" * len(stretch)
    path.write_bytes(data)
    frames, _, _ = sampled(path, 0.5)
    (gap,) = [place for place, frame in enumerate(frames) if frame.gap_before]
    assert "damaged" in frames[gap].gap_before
    assert frames[gap].pts_seconds - frames[gap - 1].pts_seconds > 30
