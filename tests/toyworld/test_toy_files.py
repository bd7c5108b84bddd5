import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keepsight.errors import SettingError
from keepsight.toyworld.files import ToyVideoSettings, make_truth, make_video
from keepsight.toyworld.render import render_frame
from keepsight.video import open_video
from tests.patience import PROCESS_SECONDS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "video.mp4"
    make_video(path, ToyVideoSettings(seed=4, minutes=1.0, fps=2))
    return path


def test_the_file_shows_the_story_at_the_right_times(made: Path) -> None:
    story = make_truth(ToyVideoSettings(seed=4, minutes=1.0)).story
    with open_video(made) as video:
        assert video.info.codec == "h264"
        assert video.info.duration_seconds == story.duration_seconds == 64.0
        frames = list(video.sampled_frames(0.5))
    assert len(frames) == 32
    for frame in frames:
        expected = render_frame(story, frame.pts_seconds, 192).astype(float)
        assert np.abs(frame.image - expected).mean() < 6.0, f"another picture at {frame.pts_seconds} s"


def test_the_truth_beside_it_is_complete_and_causal(made: Path) -> None:
    record = json.loads(made.with_suffix(".json").read_text())
    assert record["video_path"] == "video.mp4"
    assert [clip["start_time"] for clip in record["clips"]] == [0.0, 32.0]
    assert all(clip["caption"].endswith(".") for clip in record["clips"])
    assert record["questions"]
    for question in record["questions"]:
        assert question["answer"]
        assert all(end <= question["ask_time"] for _, end in question["evidence"])


def test_the_same_settings_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "video.mp4"
    make_video(again, ToyVideoSettings(seed=4, minutes=1.0, fps=2))
    assert again.read_bytes() == made.read_bytes()
    assert again.with_suffix(".json").read_bytes() == made.with_suffix(".json").read_bytes()


def test_a_full_disk_spares_the_video_that_was_there(made: Path, tmp_path: Path) -> None:
    video = tmp_path / "toy.mp4"
    video.write_bytes(made.read_bytes())
    truth = json.loads(made.with_suffix(".json").read_text()) | {"video_path": "toy.mp4"}
    video.with_suffix(".json").write_text(json.dumps(truth))
    code = "from keepsight.cli import main; main()"
    make = [sys.executable, "-c", code, "toyworld", "make", str(video), "--minutes", "2", "--seed", "5"]
    words = ["sh", "-c", 'ulimit -f 50; exec "$@"', "sh", *make]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(video) in done.stderr
    assert video.read_bytes() == made.read_bytes()
    assert json.loads(video.with_suffix(".json").read_text()) == truth
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.json", "toy.mp4"]


@pytest.mark.parametrize("name", ["holiday.mp4", "holiday.json"])
def test_no_other_file_is_replaced(tmp_path: Path, name: str) -> None:
    other, settings = tmp_path / name, ToyVideoSettings(minutes=0.1)
    for content in (b"{}", b'{"video_path": "other.mp4"}', b"\0\0\0 ftypisom"):
        other.write_bytes(content)
        with pytest.raises(SettingError, match=f"^{re.escape(str(other))} exists and is not a toy video"):
            make_video(tmp_path / "holiday.mp4", settings)
        assert other.read_bytes() == content
        assert list(tmp_path.iterdir()) == [other]
    other.unlink()
    for seed in (1, 2):  # a toy video is
        make_video(tmp_path / "holiday.mp4", ToyVideoSettings(minutes=0.1, seed=seed))
    assert json.loads((tmp_path / "holiday.json").read_text())["seed"] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minutes": 0.0}, "minutes must be above 0 and at most 1440, got 0.0"),
        ({"minutes": -1.0}, "minutes must be above 0 and at most 1440, got -1.0"),
        ({"difficulty": "absurd"}, "must be one of easy, default, hard"),
        ({"fps": 0}, "fps must be 1 to 60, got 0"),
        ({"size_pixels": 97}, "size_pixels must be an even number from 64 to 1024, got 97"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"clip_seconds": 0.0}, "clip_seconds must be above 0, got 0.0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        ToyVideoSettings(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["video.avi", "nowhere/video.mp4"])
def test_an_impossible_path_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"video"):
        make_video(tmp_path / name)
