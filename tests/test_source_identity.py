"""A source is its content: files replaced, moved, copied and touched, in the journal, the notes and the moments."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import SourceChangedError
from keepsight.journal import EndReason, Journal, StreamRecord, stream_named
from keepsight.journal.schema import migrate, shipped_migrations
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.test_growing_sources import QUICK, record, watch

Move = Callable[[Path, Path], object]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("first") / "first.ts", seconds=9.0)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another video, and a longer file."""
    return record(tmp_path_factory.mktemp("second") / "second.ts", seconds=12.0, start=40)


def streams_of(journal: Path) -> list[StreamRecord]:
    with Journal.open(journal) as opened:
        return opened.streams.all()


def captions(journal: Path, stream: StreamRecord) -> list[str]:
    with Journal.open(journal) as opened:
        return [clip.caption for clip in opened.clips.of(stream.id)]


def memory_lengths(journal: Path, stream: StreamRecord) -> list[int]:
    with Journal.open(journal) as opened:
        return [clip.num_memory_tokens for clip in opened.clips.of(stream.id)]


def by_renaming(new: Path, path: Path) -> None:
    shutil.copy(new, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def by_writing(new: Path, path: Path) -> None:
    """As `cp` does: into the same file."""
    path.write_bytes(new.read_bytes())


@pytest.mark.parametrize("put", [by_renaming, by_writing])
@pytest.mark.parametrize("stop_after", [None, 2])
def test_another_video_under_the_name_is_another_stream(
    tmp_path: Path, first: Path, second: Path, put: Move, stop_after: int | None
) -> None:
    path, journal = tmp_path / "latest.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    with Watcher(FakeModel(), journal, QUICK) as watcher, closing(watcher.watch(path)) as moments:
        for number, _ in enumerate(moments, start=1):
            if number == stop_after:
                break
    put(second, path)
    _, (note,) = watch(journal, path)
    old, new = streams_of(journal)
    assert note == f"{path} was replaced since stream {old.id} was watched: watching it as a new stream"
    watch(tmp_path / "alone.db", second)
    (alone,) = streams_of(tmp_path / "alone.db")
    assert captions(journal, new) == captions(tmp_path / "alone.db", alone)
    assert memory_lengths(journal, new) == memory_lengths(tmp_path / "alone.db", alone)
    assert memory_lengths(journal, new)[0] == 0
    assert old.end_reason == (EndReason.INTERRUPTED if stop_after else EndReason.COMPLETE)
    assert stream_named([old, new], str(path)).id == new.id
    shutil.copy(first, path)  # and back: the first one goes on
    watch(journal, path)
    assert [stream.id for stream in streams_of(journal)] == [old.id, new.id]
    assert streams_of(journal)[0].end_reason == EndReason.COMPLETE


@pytest.mark.parametrize("put", [by_renaming, by_writing])
def test_replaced_while_it_is_watched_no_stream_holds_both(
    tmp_path: Path, first: Path, second: Path, put: Move
) -> None:
    path, journal = tmp_path / "latest.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    watch(tmp_path / "first.db", first)
    whole = captions(tmp_path / "first.db", *streams_of(tmp_path / "first.db"))
    with Watcher(FakeModel(), journal, QUICK) as watcher:
        moments = watcher.watch(path)
        seen = [next(moments).caption]
        put(second, path)
        if put is by_renaming:  # who has the old one open reads it to its end
            seen += [moment.caption for moment in moments]
        else:
            with pytest.raises(SourceChangedError, match="was replaced while it was watched"):
                seen += [moment.caption for moment in moments]
    (old,) = streams_of(journal)
    assert captions(journal, old) == seen == whole[: len(seen)]
    assert (old.end_reason == EndReason.COMPLETE) == (put is by_renaming)
    assert watch(journal, path)[0][0].clip_index == 0
    assert len(streams_of(journal)) == 2


def test_moved_it_is_the_same(tmp_path: Path, first: Path) -> None:
    path, journal = tmp_path / "camera.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    with Watcher(FakeModel(), journal, QUICK) as watcher, closing(watcher.watch(path)) as moments:
        next(moments)
    moved = path.rename(tmp_path / "kitchen.ts")
    seen, (note,) = watch(journal, moved)
    (stream,) = streams_of(journal)
    assert note == f"{moved} was moved from {path}: resuming as stream {stream.id}"
    assert seen[0].clip_index == 1
    assert (stream.source, stream.other_names) == (str(moved), (str(path),))
    again = moved.rename(path)
    note = f"{path} was moved from {moved}: it was watched to its end as stream {stream.id}"
    assert watch(journal, again) == ([], [note])
    assert watch(journal, again) == ([], [])
    assert streams_of(journal)[0].source == str(path)


def test_a_copy_is_not_watched_again_and_has_both_names(tmp_path: Path, first: Path) -> None:
    path, copy, journal = tmp_path / "camera.ts", tmp_path / "backup.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    watch(journal, path)
    shutil.copy(first, copy)
    moments, (note,) = watch(journal, copy)
    (stream,) = streams_of(journal)
    assert moments == []
    assert note == f"{copy} has the same content as {path}: it was watched to its end as stream {stream.id}"
    assert (stream.source, stream.other_names) == (str(path), (str(copy),))
    for name in ("camera", "backup", "backup.ts", str(copy)):
        assert stream_named(streams_of(journal), name).id == stream.id
    assert watch(journal, copy) == ([], [])  # said once


def test_a_name_means_what_is_there_now(tmp_path: Path, first: Path, second: Path) -> None:
    path, moved, elsewhere = tmp_path / "v.ts", tmp_path / "z.ts", tmp_path / "w.ts"
    journal = tmp_path / "a.db"
    shutil.copy(first, path)
    watch(journal, path)
    path.rename(moved)
    shutil.copy(second, elsewhere)
    for each in (moved, elsewhere):
        watch(journal, each)
    shutil.copy(second, path)
    watch(journal, path)
    old, new = streams_of(journal)
    assert (old.source, new.source) == (str(moved), str(elsewhere))
    assert stream_named([old, new], str(path)).id == new.id
    assert (old.other_names, new.other_names) == ((), (str(path),))


def test_touched_it_is_the_same(tmp_path: Path, first: Path) -> None:
    path, journal = tmp_path / "camera.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    watch(journal, path)
    os.utime(path, (1, 1))
    assert watch(journal, path) == ([], [])


def test_a_shorter_file_is_another_one(tmp_path: Path, first: Path) -> None:
    path, journal = tmp_path / "camera.ts", tmp_path / "a.db"
    shutil.copy(first, path)
    watch(journal, path)
    os.truncate(path, path.stat().st_size // 2)
    seen, (note,) = watch(journal, path)
    assert "was replaced" in note
    assert seen[0].clip_index == 0
    assert len(streams_of(journal)) == 2


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_journal_that_knew_no_content_goes_on_by_name(tmp_path: Path, first: Path, is_finished: bool) -> None:
    """Written by the version before: made with its migrations, and its own columns filled."""
    path, journal, old = tmp_path / "camera.ts", tmp_path / "a.db", tmp_path / "old.db"
    shutil.copy(first, path)
    with Watcher(FakeModel(), journal, QUICK) as watcher, closing(watcher.watch(path)) as moments:
        for number, _ in enumerate(moments, start=1):
            if not is_finished and number == 2:
                break
    number = next(one.number for one in shipped_migrations() if one.name == "identity")
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        migrate(connection, shipped_migrations()[: number - 1])
        connection.execute("ATTACH ? AS new", (str(journal),))
        for table in ("streams", "clips", "memory"):
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(name for name in columns if name != "num_bytes" or table != "clips")
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}")
    before = streams_of(journal)[0]
    (migrated,) = streams_of(old)
    assert (migrated.id, migrated.identity_json, migrated.other_names) == (before.id, None, ())
    seen, notes = watch(old, path)
    assert notes == []
    assert [moment.clip_index for moment in seen[:1]] == ([] if is_finished else [2])
    (adopted,) = streams_of(old)
    assert adopted.identity_json == before.identity_json
    shutil.copy(tmp_path / "a.db", path)  # anything else
    with pytest.raises(Exception, match="as a video"):
        watch(old, path)


def test_the_video_stream_is_part_of_what_is_watched(tmp_path: Path) -> None:
    from keepsight.sources.address import SourceAddress
    from tests.video.test_stream_choice import two_with_default

    path, journal = two_with_default(tmp_path / "two.mp4", 1), tmp_path / "a.db"
    seen, (note,) = watch(journal, path)
    assert note == f"{path} has 2 video streams (0: h264 128x96, 1: h264 64x48 default); watching 1"
    with Watcher(FakeModel(), journal, QUICK) as watcher:
        chosen = SourceAddress.parse(str(path))
        assert list(watcher.events(chosen.with_video_stream(1))) == []  # that was watched
        events = list(watcher.events(chosen.with_video_stream(0)))
    assert len(events) == len(seen)
    assert not any(isinstance(event, SourceNote) for event in events)
    assert [stream.video_stream for stream in streams_of(journal)] == [1, 0]


def test_other_settings_or_another_model_make_another_stream_and_that_is_said(tmp_path: Path, first: Path) -> None:
    path, journal = tmp_path / "a.ts", tmp_path / "a.db"
    shutil.copy(first, path)

    def notes_of(settings: Settings, name: str = "fake", *, restart: bool = False) -> list[str]:
        with Watcher(FakeModel(name=name), journal, settings) as watcher:
            return [event.text for event in watcher.events(path, restart=restart) if isinstance(event, SourceNote)]

    assert notes_of(QUICK) == []
    (old,) = streams_of(journal)
    assert notes_of(replace(QUICK, memory_clips=2, retention=0.5)) == [
        f"{path} was watched with other settings (retention, memory_clips) as stream {old.id}: "
        "watching it as a new stream"
    ]
    assert notes_of(replace(QUICK, memory_clips=2, retention=0.5)) == []  # that was watched
    assert notes_of(replace(QUICK, max_answer_tokens=9)) == []  # it only affects answers
    newest = streams_of(journal)[-1]
    assert notes_of(QUICK, "other") == [
        f"{path} was watched with the model fake as stream {newest.id}: watching it as a new stream"
    ]
    assert notes_of(QUICK, restart=True) == []  # as asked for
    assert len(streams_of(journal)) == 4
    for stream in streams_of(journal):
        assert captions(journal, stream)
