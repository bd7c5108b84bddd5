"""Toy videos that the server makes."""

import json
import threading
from pathlib import Path

import pytest

from keepsight.errors import KeepsightError
from keepsight.hub.toys import toy_video
from keepsight.toyworld.files import ToyVideoSettings

SHORT = ToyVideoSettings(minutes=0.1, seed=3)


def test_the_ground_truth_names_its_video(tmp_path: Path) -> None:
    path = toy_video([tmp_path], SHORT)
    truth = json.loads(path.with_suffix(".json").read_text())
    assert truth["video_path"] == path.name
    assert truth["video_id"] == path.stem


def test_nothing_but_a_video_and_its_truth_is_left(tmp_path: Path) -> None:
    path = toy_video([tmp_path], SHORT)
    assert sorted(path.parent.iterdir()) == sorted([path, path.with_suffix(".json")])


def test_a_video_is_there_only_once_its_truth_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keepsight.toyworld.files.write_whole", fail)
    with pytest.raises(KeepsightError, match=r"^cannot make a toy video: No space left on device$"):
        toy_video([tmp_path], SHORT)
    assert not list((tmp_path / "keepsight-toys").iterdir())


def test_two_viewers_who_ask_at_once_get_one_whole_video(tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(toy_video([tmp_path], SHORT))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths[0] == paths[1]
    assert sorted(paths[0].parent.iterdir()) == sorted([paths[0], paths[0].with_suffix(".json")])
