"""Frames of published data sets: parts of files, arrays of shots, folders of pictures."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keepsight.bench.datasets import load_dataset
from keepsight.bench.datasets.shot_folder import ShotFolderSource, shot_number
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.records import FrameSource
from keepsight.errors import DataError, SettingError, SourceNotFoundError
from keepsight.video import Frame, open_video

MakeVideo = Callable[..., Path]


def whole(path: Path, sample_fps: float) -> list[Frame]:
    with open_video(path) as video:
        return list(video.sampled_frames(sample_fps))


def same(one: Frame, other: Frame) -> bool:
    return np.array_equal(one.image, other.image)


# Files


def test_whole_file(make_video: MakeVideo) -> None:
    path = make_video(10)
    frames = list(FileSource(path).frames(2))
    assert [frame.pts_seconds for frame in frames] == [index / 2 for index in range(20)]
    assert all(same(one, other) for one, other in zip(frames, whole(path, 2), strict=True))


@pytest.mark.parametrize(
    ("start", "end", "fps"), [(4, 7, 2), (0, 3, 1), (2.5, None, 2), (3.3, 6.1, 1), (9.9, 11, 1), (1 / 3, 5, 3)]
)
def test_part_of_a_file(start: float, end: float | None, fps: float, make_video: MakeVideo) -> None:
    """Against the whole file: the frames of the part, each at its true time after the part's start."""
    path = make_video(10)
    last = 100.0 if end is None else end
    wanted = [frame for frame in whole(path, fps) if start - 1e-9 <= frame.pts_seconds < last]
    frames = list(FileSource(path, start, end).frames(fps))
    assert len(frames) == len(wanted)
    for frame, other in zip(frames, wanted, strict=True):
        assert same(frame, other)
        assert frame.pts_seconds == pytest.approx(other.pts_seconds - start, abs=1e-9)
        assert frame.pts_seconds >= 0


def test_part_that_starts_on_the_grid_begins_at_zero(make_video: MakeVideo) -> None:
    assert next(iter(FileSource(make_video(10), 4).frames(2))).pts_seconds == 0


def test_a_file_is_read_as_frames_are_asked_for_and_can_be_left(make_video: MakeVideo) -> None:
    source = FileSource(make_video(10))
    frames = source.frames(8)
    first = next(frames)
    del frames
    assert same(first, next(source.frames(8)))


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 5), (5, 4), (-2, -1)])
def test_no_part(start: float, end: float | None) -> None:
    with pytest.raises(SettingError, match=r"a section of a.mp4 must have 0 <= start < end"):
        FileSource(Path("a.mp4"), start, end)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        next(FileSource(tmp_path / "none.mp4").frames(1))


# Arrays


def shots(path: Path, num_shots: int) -> Path:
    rng = np.random.default_rng(num_shots)
    np.save(path, rng.integers(0, 256, (num_shots, 4, 6, 3), dtype=np.uint8))
    return path


@pytest.mark.parametrize("fps", [0.5, 1, 30])
def test_each_shot_is_one_frame_at_its_index(fps: float, tmp_path: Path) -> None:
    path = shots(tmp_path / "a.npy", 7)
    source = ArraySource(path)
    frames = list(source.frames(fps))
    assert source.num_shots == 7
    assert [frame.pts_seconds for frame in frames] == list(range(7))
    assert np.array_equal(np.stack([frame.image for frame in frames]), np.load(path))


def test_a_frame_outlives_its_file(tmp_path: Path) -> None:
    path = shots(tmp_path / "a.npy", 2)
    before = np.load(path)[0]
    frame = next(ArraySource(path).frames(1))
    path.write_bytes(b"")
    assert type(frame.image) is np.ndarray
    assert np.array_equal(frame.image, before)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4, 6, 3), np.float32),
        np.zeros((3, 4, 6), np.uint8),
        np.zeros((3, 4, 6, 4), np.uint8),
        np.zeros((3, 3, 4, 6), np.uint8),
        np.zeros((2, 4, 6, 3), np.int8),
        np.zeros((), np.uint8),
        np.zeros((3, 0, 6, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_wrong_array(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    for use in (lambda source: source.num_shots, lambda source: next(source.frames(1))):
        with pytest.raises(DataError, match=r"a\.npy"):
            use(ArraySource(tmp_path / "a.npy"))


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object]]:
            return (Path.touch, (tmp_path / "sprung",))

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(DataError, match=name):
            next(ArraySource(tmp_path / name).frames(1))
    assert not (tmp_path / "sprung").exists()


@given(st.integers(0, 500))
def test_a_cut_file_is_an_error(tmp_path_factory: pytest.TempPathFactory, num_bytes: int) -> None:
    path = shots(tmp_path_factory.mktemp("cut") / "a.npy", 6)
    content = path.read_bytes()
    assert len(content) > 500
    path.write_bytes(content[:num_bytes])
    with pytest.raises(DataError, match=r"a\.npy"):
        next(ArraySource(path).frames(1))


def test_missing_array_and_zip_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.npy"):
        next(ArraySource(tmp_path / "none.npy").frames(1))
    np.savez(tmp_path / "a.npz", np.zeros((3, 4, 6, 3), np.uint8))
    with pytest.raises(DataError, match=r"as a \.npy array"):
        next(ArraySource(tmp_path / "a.npz").frames(1))


# Folders of pictures


@pytest.mark.parametrize(
    ("name", "number"),
    [("shot_0387_img_0.jpg", 387), ("shot_0387", 387), ("shot_12000_img_2.png", 12000), ("387.jpg", None), ("", None)],
)
def test_shot_numbers(name: str, number: int | None) -> None:
    assert shot_number(name) == number


def paint(folder: Path, name: str, grey: int, mode: str = "RGB") -> None:
    Image.new("L", (6, 4), grey).convert(mode).save(folder / name)


def test_pictures_in_order_of_shots_and_not_of_names(tmp_path: Path) -> None:
    paint(tmp_path, "shot_10000_img_0.png", 40)
    paint(tmp_path, "shot_9998_img_1.png", 99)
    paint(tmp_path, "shot_9998_img_0.png", 10)
    paint(tmp_path, "shot_9997_img_2.png", 5, mode="L")
    (tmp_path / "notes.txt").touch()
    frames = list(ShotFolderSource(tmp_path).frames(0.5))
    assert [(frame.pts_seconds, frame.image[0, 0].tolist()) for frame in frames] == [
        (0, [5, 5, 5]),
        (1, [10, 10, 10]),
        (3, [40, 40, 40]),
    ]


def test_folder_without_pictures_or_with_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none"):
        next(ShotFolderSource(tmp_path / "none").frames(1))
    with pytest.raises(DataError, match=r"has no image named like shot_0387_img_0\.jpg"):
        next(ShotFolderSource(tmp_path).frames(1))
    (tmp_path / "shot_0001_img_0.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"cannot read the image .*shot_0001_img_0\.jpg"):
        next(ShotFolderSource(tmp_path).frames(1))


# All together


def test_sources_travel_to_other_processes(make_video: MakeVideo, tmp_path: Path) -> None:
    paint(tmp_path, "shot_0001_img_0.png", 7)
    sources: list[FrameSource] = [
        FileSource(make_video(10), 1, 2),
        ArraySource(shots(tmp_path / "a.npy", 2)),
        ShotFolderSource(tmp_path),
    ]
    for source in sources:
        copy = pickle.loads(pickle.dumps(source))
        assert copy == source
        assert same(next(copy.frames(1)), next(source.frames(1)))


def test_a_loaded_data_set_hands_out_the_videos_frames(make_video: MakeVideo, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/v.mp4").symlink_to(make_video(10))
    turn = '{"question": "What?", "answer": "that", "start_time": 1, "end_time": 4}'
    entry = f'{{"video_id": "v", "video_path": "v.mp4", "duration": 10, "conversations": [{turn}]}}'
    (tmp_path / "ego4d_oe.json").write_text(f"[{entry}]")
    (video,) = load_dataset("rvs-ego", tmp_path).videos
    seen = [f.pts_seconds for f in video.source.frames(1) if f.pts_seconds < video.questions[0].ask_seconds]
    assert seen == [0, 1, 2, 3]
