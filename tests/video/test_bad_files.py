"""Files that are no videos, or broken ones: one typed error each, and every picture before the damage."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from keepsight.errors import NotAVideoError, NoVideoStreamError, SourceNotFoundError, TruncatedVideoError, VideoError
from keepsight.video import Frame, open_video
from keepsight.video.structure import missing_bytes
from tests.video.media import Recipe, decode_all, moving_picture, silence, steady_times, write_video

FAST_START = {"movflags": "faststart"}
CLOSED = {"g": "10", "bf": "2"}


def drain(path: Path, sample_fps: float = 25.0) -> tuple[list[Frame], VideoError | None]:
    """All frames up to the end or the error, and the error."""
    frames: list[Frame] = []
    try:
        with open_video(path) as video:
            frames.extend(video.sampled_frames(sample_fps))
    except VideoError as error:
        return frames, error
    return frames, None


def collect(path: Path, sample_fps: float = 25.0) -> tuple[list[Frame], VideoError | None]:
    """Like `drain`, one frame at a time, so that those before an error are kept."""
    frames: list[Frame] = []
    with open_video(path) as video:
        iterator = video.sampled_frames(sample_fps)
        while True:
            try:
                frames.append(next(iterator))
            except StopIteration:
                return frames, None
            except VideoError as error:
                return frames, error


def write_audio(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        for packet in silence(container.add_stream("aac", rate=8000), 1.0):
            container.mux(packet)
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"none\.mp4"):
        open_video(tmp_path / "none.mp4")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotAVideoError, match="folder"):
        open_video(tmp_path)


def test_a_name_with_a_zero_byte() -> None:
    with pytest.raises(VideoError):
        open_video("a\0b.mp4")


def test_a_device() -> None:
    with pytest.raises(NotAVideoError, match="regular"):
        open_video("/dev/zero")


RANDOM = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "gif", "txt", "ts", "h264"])
@pytest.mark.parametrize("data", [b"", RANDOM, b"Dear diary,\nnothing moved.\n" * 500, bytes(5000)])
def test_bytes_that_are_no_media(tmp_path: Path, suffix: str, data: bytes) -> None:
    with pytest.raises(NotAVideoError):
        open_video(write_bytes(tmp_path / f"file.{suffix}", data))


@pytest.mark.parametrize("name", ["audio.mp4", "audio.mkv", "audio.ts"])
def test_audio_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoVideoStreamError, match=name):
        open_video(write_audio(tmp_path / name))


def test_a_codec_in_no_common_use_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "magic.avi", steady_times(5), Recipe("magicyuv", "gbrp"))
    with pytest.raises(NotAVideoError):
        open_video(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.ffconcat", "ffconcat version 1.0\nfile '{video}'\n"),
        ("list.mp4", "ffconcat version 1.0\nfile {video}\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{video}\n#EXT-X-ENDLIST\n"),
        ("session.sdp", "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    ],
)
def test_a_playlist_is_not_followed(tmp_path: Path, name: str, text: str) -> None:
    write_video(tmp_path / "video.ts", steady_times(25))
    playlist = tmp_path / name
    playlist.write_text(text.format(video="video.ts"))
    with pytest.raises(NotAVideoError):
        open_video(playlist)


def test_protocols_in_a_path_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "video.ts", steady_times(25))
    monkeypatch.chdir(tmp_path)
    for source in (
        "concat:video.ts|video.ts",
        "subfile,,start,0,end,0,,:video.ts",
        "file:video.ts",
        "http://localhost/a.ts",
    ):
        with pytest.raises(SourceNotFoundError):
            open_video(source)


@pytest.mark.parametrize("name", ["concat:a|b.ts", "a%03d.ts", "-i.ts", "kitchen café №1.ts", "a b?#.ts"])
def test_odd_file_names_are_just_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "video.ts", steady_times(25)).rename(tmp_path / name)
    with open_video(name) as video:
        assert len(list(video.sampled_frames(5.0))) == 5


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("cut.mp4", Recipe(options=CLOSED, container_options=FAST_START)),
        ("cut.mkv", Recipe(options=CLOSED)),
        ("audio.mkv", Recipe(options=CLOSED, audio_seconds=3.0)),
        ("cut.avi", Recipe("mjpeg", "yuvj420p", time_base=Fraction(1, 25))),
    ],
)
@pytest.mark.parametrize("part", [0.3, 0.55, 0.8])
def test_a_file_that_was_cut_off_gives_what_it_holds_then_the_error(
    tmp_path: Path, name: str, recipe: Recipe, part: float
) -> None:
    whole = write_video(tmp_path / name, steady_times(100), recipe)
    expected = decode_all(whole)
    cut = write_bytes(tmp_path / f"part-{name}", whole.read_bytes()[: int(whole.stat().st_size * part)])
    frames, error = collect(cut)
    assert isinstance(error, TruncatedVideoError)
    assert 5 < len(frames) < 100
    for frame, (start, _, image) in zip(frames, expected, strict=False):
        assert frame.pts_seconds == pytest.approx(float(start), abs=1e-3)
        # Up to two pictures that are shown before the last one are coded after it, and are lost with the rest.
        is_near_end = len(frames) - 3 <= frame.pts_seconds * 25 + 0.5
        assert is_near_end or np.array_equal(frame.image, image)
    reached = re.search(r"\(([0-9.]+) s\)", str(error))
    assert reached is not None
    assert float(reached[1]) == pytest.approx(frames[-1].pts_seconds + 0.04, abs=0.01)


def test_a_file_cut_off_before_its_index_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", steady_times(50), Recipe(options=CLOSED))
    cut = write_bytes(tmp_path / "cut.mp4", whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(TruncatedVideoError, match="index"):
        open_video(cut)


def test_a_file_whose_second_half_was_never_written(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", steady_times(100), Recipe(options=CLOSED, container_options=FAST_START))
    data = whole.read_bytes()
    half = len(data) // 2
    frames, error = collect(write_bytes(tmp_path / "zeros.mp4", data[:half] + bytes(len(data) - half)))
    assert isinstance(error, TruncatedVideoError)
    assert 10 < len(frames) < 100


def test_pictures_go_on_after_damage_in_the_middle(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", steady_times(100), Recipe(options=CLOSED, container_options=FAST_START))
    data = bytearray(whole.read_bytes())
    place = int(len(data) * 0.4)
    data[place : place + 600] = bytes(600)
    frames, error = collect(write_bytes(tmp_path / "hole.mp4", bytes(data)))
    assert error is None
    assert [frame.pts_seconds for frame in frames] == [frame.pts_seconds for frame in collect(whole)[0]]
    assert np.array_equal(frames[-1].image, decode_all(whole)[-1][2])


@pytest.mark.parametrize(
    ("name", "recipe", "times"),
    [
        ("audio-longer.mp4", Recipe(audio_seconds=6.0), steady_times(25)),
        ("audio-longer.mkv", Recipe(audio_seconds=6.0), steady_times(25)),
        ("audio-shorter.mp4", Recipe(audio_seconds=1.0), steady_times(75)),
        ("long-last.mkv", Recipe(), [0, 40, 80, 9000]),
        ("one-picture.mp4", Recipe(), [0]),
        ("two.gif", Recipe("gif", "rgb8"), [0, 2000]),
        ("whole.avi", Recipe("mpeg4"), steady_times(50)),
        ("whole.ts", Recipe(audio_seconds=3.0), steady_times(25)),
        ("fragments.mp4", Recipe(container_options={"movflags": "frag_keyframe+empty_moov"}), steady_times(50)),
        ("live.mkv", Recipe(container_options={"live": "1"}), steady_times(50)),
    ],
)
def test_a_whole_file_is_never_called_cut_off(tmp_path: Path, name: str, recipe: Recipe, times: list[int]) -> None:
    path = write_video(tmp_path / name, times, recipe)
    frames, error = collect(path, 10.0)
    assert error is None
    assert frames[-1].pts_seconds >= times[-1] / 1000 - 0.1
    assert missing_bytes(path) == 0
    with_tail = write_bytes(tmp_path / f"tail-{name}", path.read_bytes() + b"\0" * 33)
    assert missing_bytes(with_tail) == 0


@pytest.mark.parametrize("name", ["any.mp4", "any.mkv", "any.avi"])
def test_missing_bytes_are_counted_exactly(tmp_path: Path, name: str) -> None:
    recipe = Recipe("mpeg4", container_options=FAST_START if name.endswith("mp4") else {})
    data = write_video(tmp_path / name, steady_times(50), recipe).read_bytes()
    for num_missing in (9, 100, len(data) // 3):
        cut = write_bytes(tmp_path / f"cut-{name}", data[: len(data) - num_missing])
        assert 0 <= num_missing - missing_bytes(cut) <= 8


@pytest.mark.parametrize("name", ["flip.mp4", "flip.mkv", "flip.ts", "flip.avi", "flip.gif"])
def test_flipped_bits_end_in_frames_or_one_typed_error(tmp_path: Path, name: str) -> None:
    recipe = {"avi": Recipe("mpeg4"), "gif": Recipe("gif", "rgb8")}.get(name[-3:], Recipe(options=CLOSED))
    data = write_video(tmp_path / name, steady_times(40), recipe, lambda n: moving_picture(n, 32, 32)).read_bytes()
    rng = np.random.default_rng(7)
    outcomes = set()
    for trial in range(25):
        broken = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, len(broken), 1 + trial * 4)
        broken[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
        frames, error = drain(write_bytes(tmp_path / f"broken-{name}", broken.tobytes()), 10.0)
        times = [frame.pts_seconds for frame in frames]
        assert times == sorted(set(times))
        outcomes.add(type(error))
    assert outcomes <= {type(None), NotAVideoError, NoVideoStreamError, TruncatedVideoError}
