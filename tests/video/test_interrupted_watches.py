"""A watch that was interrupted anywhere leaves the journal that a whole one leaves, and is complete only if it is."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keepsight.engine.watcher import Watcher
from keepsight.errors import IncompleteVideoError
from keepsight.journal import EndReason, Journal
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import connect
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent
from tests.fake_model import FakeModel
from tests.video.media import Recipe, flat_picture, write_video

RARE = Settings(frames_per_clip=4, sample_fps=0.05, retention=0.25, memory_clips=3, max_caption_tokens=32)
CODING = Recipe(options={"preset": "ultrafast", "g": "30", "bf": "2"})
WORK_COLUMNS = {"seconds_spent", "stored_unix_seconds"}


def numbered(number: int) -> np.ndarray:
    return flat_picture((20 + 4 * (number % 50), number % 256, number // 256 * 16), 32, 32)


def pictures(path: Path, start_ms: int, num_pictures: int, step_ms: int) -> Path:
    return write_video(path, [start_ms + step_ms * n for n in range(num_pictures)], CODING, numbered)


@pytest.fixture(scope="module", params=["mp4", pytest.param("ts", marks=pytest.mark.slow), "interrupted.ts"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy minutes; one of them lacks half an hour after the first forty."""
    folder = tmp_path_factory.mktemp("long")
    if request.param != "interrupted.ts":
        return pictures(folder / f"long.{request.param}", 0, 1313, 3200)
    parts = [pictures(folder / "a.ts", 0, 750, 3200), pictures(folder / "b.ts", 4_200_000, 300, 3200)]
    path = folder / "long.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything that is stored but times of work, random ids and the stream's own times."""
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            "clips": "SELECT * FROM clips ORDER BY clip_index",
            "gaps": "SELECT start_seconds, end_seconds, reason FROM gaps ORDER BY id",
            "memory": "SELECT clip_index, tokens FROM memory ORDER BY clip_index",
            "streams": "SELECT end_reason, end_detail, end_seconds, next_clip_index, num_tokens_seen FROM streams",
        }
        return {
            table: [
                {name: value for name, value in dict(row).items() if name not in WORK_COLUMNS | {"stream_id"}}
                for row in connection.execute(query)
            ]
            for table, query in tables.items()
        }


def watch(path: Path, video: Path, stop_after: tuple[int, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    """Watch to the end, in as many runs as there are clips to stop after and one more."""
    for stop in (*stop_after, None):
        with Watcher(FakeModel(), path, RARE) as watcher:
            for moment in watcher.watch(video):
                if moment.clip_index == stop:
                    break
    return rows(path)


@pytest.mark.parametrize("stops", [(46,), (0, 1, 29, 30, 48), (50,)])
def test_an_interrupted_watch_equals_a_whole_one(tmp_path: Path, video: Path, stops: tuple[int, ...]) -> None:
    whole = watch(tmp_path / "whole.db", video)
    stops = tuple(stop for stop in stops if stop < len(whole["clips"]) - 1) or (10,)
    assert whole["streams"][0]["end_reason"] == "complete"
    assert watch(tmp_path / "parts.db", video, stops) == whole


def test_a_gap_is_stored_once_with_its_reason(tmp_path: Path, video: Path) -> None:
    stored = watch(tmp_path / "whole.db", video)
    if "interrupted" not in str(stored["gaps"]):
        assert stored["gaps"] == []
        assert stored["clips"][-1]["end_seconds"] == pytest.approx(4200, abs=20)
        return
    (gap,) = stored["gaps"]
    assert gap["start_seconds"] == pytest.approx(2400, abs=25)
    assert gap["end_seconds"] == pytest.approx(4200, abs=25)
    inside = [clip for clip in stored["clips"] if clip["start_seconds"] < 4100 and clip["end_seconds"] > 2500]
    assert inside == []


class Shortened:
    """A source that stops early without an error, as one with a fault of its own would."""

    def __init__(self, inner: Connection, most_frames: int) -> None:
        self._inner = inner
        self._most_frames = most_frames

    @property
    def info(self) -> VideoInfo:
        return self._inner.info

    @property
    def extent(self) -> PacketExtent | None:
        return None

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        frames = self._inner.sampled_frames(sample_fps, start_seconds=start_seconds, silence_seconds=silence_seconds)
        for _, frame in zip(range(self._most_frames), frames, strict=False):
            yield frame

    def cancel(self) -> None:
        self._inner.cancel()

    def close(self) -> None:
        self._inner.close()


@pytest.fixture
def short_video(tmp_path: Path) -> Path:
    return pictures(tmp_path / "short.mp4", 0, 60, 1000)


BRISK = replace(RARE, sample_fps=1.0)


def open_shortened(address: SourceAddress, settings: SourceSettings) -> Connection:
    return Shortened(connect(address, settings), 20)


def test_less_than_the_file_lasts_is_not_complete_and_goes_on(tmp_path: Path, short_video: Path) -> None:
    path = tmp_path / "journal.db"
    with (
        Watcher(FakeModel(), path, BRISK, open_source=open_shortened) as watcher,
        pytest.raises(IncompleteVideoError, match=r"00:39 of 00:59 were not watched; run the same command to resume"),
    ):
        list(watcher.watch(short_video))
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert (stream.end_reason, stream.end_seconds) == (EndReason.INCOMPLETE, 20.0)
        assert not stream.is_finished
    with Watcher(FakeModel(), path, BRISK) as watcher:
        assert [moment.clip_index for moment in watcher.watch(short_video)] == list(range(4, 15))
    whole = tmp_path / "whole.db"
    with Watcher(FakeModel(), whole, BRISK) as watcher:
        list(watcher.watch(short_video))
    assert rows(path) == rows(whole)


def test_a_stream_that_was_called_complete_too_early_goes_on(tmp_path: Path, short_video: Path) -> None:
    """As earlier versions left it."""
    path = tmp_path / "journal.db"
    with Watcher(FakeModel(), path, BRISK, open_source=open_shortened) as watcher:
        with pytest.raises(IncompleteVideoError):
            list(watcher.watch(short_video))
        assert watcher.stream is not None
    with Journal.open(path) as journal:
        journal.streams.end(watcher.stream.id, EndReason.COMPLETE, 20.0)
    with Watcher(FakeModel(), path, BRISK) as watcher:
        assert len(list(watcher.watch(short_video))) == 11  # the clip that the early end cut is watched again
        assert watcher.stream is not None
        assert watcher.stream.end_reason is EndReason.COMPLETE


def test_sound_after_the_last_picture_is_a_gap(tmp_path: Path) -> None:
    times = [1000 * n for n in range(20)]
    video = write_video(tmp_path / "sound.mkv", times, replace(CODING, audio_seconds=60.0), numbered)
    path = tmp_path / "journal.db"
    with Watcher(FakeModel(), path, BRISK) as watcher:
        list(watcher.watch(video))
        assert watcher.stream is not None
        assert watcher.stream.end_reason is EndReason.COMPLETE
    (gap,) = rows(path)["gaps"]
    assert gap["reason"] == "there are no pictures here, only sound"
    assert gap["end_seconds"] == pytest.approx(60, abs=0.5)


def test_a_container_that_promises_more_than_it_holds_is_not_complete(tmp_path: Path) -> None:
    """An AVI file whose header counts 200 pictures and that holds 50: nothing is damaged, and nothing says so."""
    recipe = Recipe("mpeg4", options={"g": "5"}, rate=1, time_base=Fraction(1))
    video = write_video(tmp_path / "header.avi", [1000 * n for n in range(50)], recipe, numbered)
    data = video.read_bytes()
    count = (50).to_bytes(4, "little")
    assert data.count(count, 0, 400) >= 1
    head = data[:400].replace(count, (200).to_bytes(4, "little"))
    video.write_bytes(head + data[400:])
    with Watcher(FakeModel(), tmp_path / "journal.db", BRISK) as watcher:
        with pytest.raises(IncompleteVideoError, match=r"lasts 03:20 and holds nothing after 00:50"):
            list(watcher.watch(video))
        assert watcher.stream is not None
        assert watcher.stream.end_seconds == 50.0
