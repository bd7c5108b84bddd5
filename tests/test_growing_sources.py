"""Sources that grow are gone on with: watched piece by piece, the journal is that of the whole."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import TruncatedVideoError
from keepsight.journal import EndReason, Journal
from keepsight.settings import Settings
from tests.fake_model import FakeModel

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
OF_WORK = {"id", "stream_id", "source", "started_at", "seconds_spent", "stored_unix_seconds", "end_detail"}
RECORDED = {
    "ts": [],
    "mkv": ["-cluster_time_limit", "500"],
    "mp4": ["-movflags", "frag_keyframe+empty_moov"],
}


def record(path: Path, *, seconds: float = 9.5, start: int = 0) -> Path:
    """Pictures of which each differs, a key picture each second, as a program that records writes them."""
    source = ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r=8:d={start + seconds}", "-ss", str(start)]
    coding = ["-c:v", "libx264", "-g", "8", "-bf", "0", "-threads", "1", "-fflags", "+bitexact"]
    layout = RECORDED[path.suffix[1:]]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *coding, *layout, str(path)], check=True)
    return path


def everything(path: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of a journal of one stream, without what tells when and how fast they were made."""
    tables = ("streams", "clips", "gaps", "memory", "memory_before_end", "answers", "alerts")
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [
                {name: value for name, value in dict(row).items() if name not in OF_WORK}
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")
            ]
            for table in tables
        }


def watch(journal: Path, source: Path, settings: Settings = QUICK) -> tuple[list[Moment], list[str]]:
    """Watch as a new process would; the moments, and what was said of the source."""
    moments, notes = [], []
    with Watcher(FakeModel(), journal, settings) as watcher, suppress(TruncatedVideoError):
        for event in watcher.events(source):
            if isinstance(event, Moment):
                moments.append(event)
            elif isinstance(event, SourceNote):
                notes.append(event.text)
    return moments, notes


def grown(path: Path, whole: bytes, shares: list[float]) -> Iterator[float]:
    for share in shares:
        path.write_bytes(whole[: int(len(whole) * share)])
        yield share


@pytest.mark.parametrize("policy", ["fifo", "merge"])
@pytest.mark.parametrize("ending", RECORDED)
def test_a_recording_watched_in_pieces_is_the_whole(tmp_path: Path, ending: str, policy: str) -> None:
    settings = replace(QUICK, memory_policy=policy)
    whole = record(tmp_path / f"whole.{ending}")
    watch(tmp_path / "whole.db", whole, settings)
    growing, parts = tmp_path / f"growing.{ending}", tmp_path / "parts.db"
    for share in grown(growing, whole.read_bytes(), [0.3, 0.52, 0.7713, 1.0, 1.0]):
        moments, notes = watch(parts, growing, settings)
        if share == 0.3:
            first = moments
    assert (moments, notes) == ([], [])  # the second time there was nothing new
    assert 0 < len(first) < 4
    assert everything(parts) == everything(tmp_path / "whole.db")
    (stream,) = everything(parts)["streams"]
    assert stream["end_reason"] == "complete"


def test_what_is_said_of_it(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole.ts", seconds=9.0)
    growing = tmp_path / "growing.ts"
    growing.write_bytes(whole.read_bytes()[:-40_000])
    first, notes = watch(tmp_path / "a.db", growing)
    assert notes == []
    growing.write_bytes(whole.read_bytes())
    later, (note,) = watch(tmp_path / "a.db", growing)
    assert note == f"{growing} has grown since it was watched: resuming at 00:0{later[0].span.start_seconds:.0f}"
    assert later[0].clip_index == first[-1].clip_index  # the clip that the end cut
    with Journal.open(tmp_path / "a.db") as journal:
        (stream,) = journal.streams.all()
        assert stream.end_reason == EndReason.COMPLETE
        assert len(list(journal.clips.of(stream.id))) == later[-1].clip_index + 1


def test_a_recording_that_grew_and_was_renamed_goes_on(tmp_path: Path) -> None:
    """As a recorder or a download does: `night.ts.part` becomes `night.ts`."""
    whole = record(tmp_path / "night.ts", seconds=12.0).read_bytes()
    part = tmp_path / "night.ts.part"
    part.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "night.ts").unlink()
    watch(tmp_path / "a.db", part)
    part.write_bytes(whole)
    part.rename(tmp_path / "night.ts")
    moments, (note,) = watch(tmp_path / "a.db", tmp_path / "night.ts")
    assert note.startswith(f"{tmp_path}/night.ts was moved from {part} and has grown: resuming at")
    assert moments[0].clip_index > 0
    with Journal.open(tmp_path / "a.db") as journal:
        (stream,) = journal.streams.all()
        assert (stream.source, stream.other_names) == (str(tmp_path / "night.ts"), (str(part),))


def test_a_part_that_is_still_there_is_a_source_of_its_own(tmp_path: Path) -> None:
    """`cat a.ts b.ts > all.ts`: `all.ts` begins as `a.ts` does, and `a.ts` keeps its stream."""
    first = record(tmp_path / "a.ts", seconds=6.0)
    both = tmp_path / "all.ts"
    both.write_bytes(first.read_bytes() + record(tmp_path / "b.ts", seconds=3.0, start=6).read_bytes())
    watch(tmp_path / "a.db", first)
    moments, notes = watch(tmp_path / "a.db", both)
    assert (moments[0].clip_index, notes) == (0, [])
    assert watch(tmp_path / "a.db", first) == ([], [])


@pytest.mark.parametrize("stop_after", [1, 2])
def test_stopped_on_the_clip_that_is_watched_again_nothing_is_lost(tmp_path: Path, stop_after: int) -> None:
    whole = record(tmp_path / "whole.ts")
    watch(tmp_path / "whole.db", whole)
    growing, parts = tmp_path / "growing.ts", tmp_path / "parts.db"
    for _ in grown(growing, whole.read_bytes(), [0.52]):
        watch(parts, growing)
    before = everything(parts)["clips"]
    growing.write_bytes(whole.read_bytes())
    with Watcher(FakeModel(), parts, QUICK) as watcher, closing(watcher.watch(growing)):
        assert everything(parts)["clips"] == before  # opened, and nothing came yet
    with Watcher(FakeModel(), parts, QUICK) as watcher, closing(watcher.watch(growing)) as moments:
        for _ in range(stop_after):
            next(moments)
    watch(parts, growing)
    assert everything(parts) == everything(tmp_path / "whole.db")


def write_picture(folder: Path, second: int) -> None:
    picture = Image.new("RGB", (64, 48), (second * 37 % 256, second * 91 % 256, 90))
    picture.save(folder / f"2026-11-23T12-{second // 60:02}-{second % 60:02}Z.png")


def test_a_folder_with_later_pictures_goes_on(tmp_path: Path) -> None:
    growing, whole = tmp_path / "growing", tmp_path / "whole"
    growing.mkdir()
    whole.mkdir()
    for second in range(0, 44, 2):
        write_picture(whole, second)
    watch(tmp_path / "whole.db", whole)
    for start, stop in ((0, 15), (15, 16), (16, 31), (31, 44)):
        for second in range(start, stop):
            if second % 2 == 0:
                write_picture(growing, second)
        _, notes = watch(tmp_path / "parts.db", growing)
        assert len(notes) == (start in (16, 31))  # nothing came from 15 to 16
    assert everything(tmp_path / "parts.db") == everything(tmp_path / "whole.db")
    (growing / "2026-11-23T12-00-05Z.png").write_bytes((whole / "2026-11-23T12-00-04Z.png").read_bytes())
    moments, (note,) = watch(tmp_path / "parts.db", growing)
    assert "was replaced" in note  # a picture came in between
    assert moments[0].clip_index == 0


@pytest.mark.parametrize("seconds", [9.5, 10.0])
def test_a_clip_is_handed_out_once_wherever_watching_was_left(tmp_path: Path, seconds: float) -> None:
    """Left after the last clip, before the end is marked, too: nothing is watched again then."""
    source = record(tmp_path / "whole.ts", seconds=seconds)
    wanted, _ = watch(tmp_path / "whole.db", source)
    for num_clips in range(1, len(wanted) + 1):
        parts = tmp_path / f"parts{num_clips}.db"
        with Watcher(FakeModel(), parts, QUICK) as watcher, closing(watcher.watch(source)) as moments:
            first = [next(moments) for _ in range(num_clips)]
        rest, _ = watch(parts, source)
        assert [moment.clip_index for moment in (*first, *rest)] == list(range(len(wanted)))
        assert everything(parts) == everything(tmp_path / "whole.db")


@pytest.mark.parametrize("share", [0.42, 0.43])
def test_a_damaged_file_that_grew_is_damaged_still(tmp_path: Path, share: float) -> None:
    """Whether what it grew by holds a picture or not; watched once more as it is, there is nothing new."""
    whole = record(tmp_path / "whole.mp4", seconds=45).read_bytes()
    growing, parts = tmp_path / "growing.mp4", tmp_path / "parts.db"
    for now in (0.41, share):
        growing.write_bytes(whole[: int(len(whole) * now)])
        with Watcher(FakeModel(), parts, QUICK) as watcher:
            with pytest.raises(TruncatedVideoError):
                list(watcher.watch(growing))
            assert watcher.stream is not None
            assert watcher.stream.end_reason is EndReason.TRUNCATED
    with Watcher(FakeModel(), parts, QUICK) as watcher:
        assert list(watcher.watch(growing)) == []
        assert watcher.stream is not None
        assert watcher.stream.end_reason is EndReason.TRUNCATED
