"""Folders of pictures named by a local time, in the hour that comes twice and in the one that is missing."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from keepsight.errors import NotAVideoError
from keepsight.sources.readers.folder import open_folder

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)  # 01:30 in summer time; from 01:00 UTC on it is 02:00 again
STEP = timedelta(minutes=10)
NUM_PICTURES = 18


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def night(folder: Path, form: str, *, keep_changes: bool = False) -> Path:
    """A picture every ten minutes for three hours, whose grey is its place; names may differ in seconds alone."""
    for place in range(NUM_PICTURES):
        moment = FIRST + place * STEP + timedelta(seconds=place)  # the second pass of the hour has names of its own
        local = moment.astimezone(BERLIN)
        path = folder / f"{local.strftime(form).format(place=place)}.png"
        Image.new("L", (8, 8), 10 * place).convert("RGB").save(path)
        if keep_changes:
            os.utime(path, (moment.timestamp() + 2, moment.timestamp() + 2))
    return folder


def greys(folder: Path) -> list[int]:
    frames = open_folder(folder).sampled_frames(1 / 601)
    return [int(frame.image[0, 0, 0]) for frame in frames]


def test_when_files_were_changed_tells_the_passes_of_the_hour_apart(tmp_path: Path) -> None:
    assert greys(night(tmp_path, "%Y%m%d_%H%M%S", keep_changes=True)) == [10 * place for place in range(NUM_PICTURES)]


def test_running_numbers_do_where_files_were_copied(tmp_path: Path) -> None:
    assert greys(night(tmp_path, "IMG_{place:04d}_%Y%m%d_%H%M%S")) == [10 * place for place in range(NUM_PICTURES)]


@pytest.mark.parametrize("form", ["%Y%m%d_%H%M%S%z", "%Y-%m-%dT%H-%M-%S%z"])
def test_offsets_do_whatever_else(tmp_path: Path, form: str) -> None:
    assert greys(night(tmp_path, form)) == [10 * place for place in range(NUM_PICTURES)]


def test_names_in_utc_do_where_the_zone_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    folder = tmp_path / "utc"
    folder.mkdir()
    for place in range(NUM_PICTURES):
        moment = FIRST + place * STEP + timedelta(seconds=place)
        Image.new("RGB", (8, 8), (10 * place,) * 3).save(folder / f"{moment:%Y%m%d_%H%M%S}.png")
    assert greys(folder) == [10 * place for place in range(NUM_PICTURES)]


def test_nothing_is_guessed_where_nothing_tells(tmp_path: Path) -> None:
    with pytest.raises(NotAVideoError, match="12 images such as '20261025_02"):
        open_folder(night(tmp_path, "%Y%m%d_%H%M%S"))


def test_numbers_in_another_order_tell_nothing(tmp_path: Path) -> None:
    night(tmp_path, "IMG_{place:04d}_%Y%m%d_%H%M%S")
    first, *_, last = sorted(tmp_path.iterdir())
    first.rename(tmp_path / f"IMG_9999_{first.stem[9:]}.png")
    assert last.exists()
    with pytest.raises(NotAVideoError, match="clock change repeats"):
        open_folder(tmp_path)


def test_the_hour_that_is_missing_is_no_time(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "20260329_023000.png")
    with pytest.raises(NotAVideoError, match=r"'20260329_023000\.png' has no time in its name"):
        open_folder(tmp_path)
    (tmp_path / "20260329_023000.png").rename(tmp_path / "20260329_013000.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "20260329_030000.png")
    assert open_folder(tmp_path).info.duration_seconds == 3600  # half an hour apart on the clock of the world
