"""A journal that goes away, or is locked, while a file is watched into it."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.engine.watcher import Watcher
from keepsight.errors import JournalBusyError, JournalMovedError
from keepsight.journal import Journal
from keepsight.settings import Settings
from tests.fake_model import FakeModel
from tests.journal.lock_holder import release, write_lock_held
from tests.small_videos import MakeVideo

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    with Watcher(FakeModel(), tmp_path / "journal.db", QUICK) as watching:
        yield watching


def test_no_moment_comes_of_a_journal_that_is_gone(watcher: Watcher, tmp_path: Path, make_video: MakeVideo) -> None:
    with closing(watcher.watch(make_video(12))) as moments:
        next(moments)
        (tmp_path / "journal.db").rename(tmp_path / "kept.db")
        (tmp_path / "journal.db-wal").rename(tmp_path / "kept.db-wal")
        with pytest.raises(
            JournalMovedError, match=r"renamed to .*kept\.db while .*; the caption of 00:02-00:04 is not stored"
        ):
            next(moments)
    watcher.close()
    with Journal.open(tmp_path / "kept.db") as journal:
        (stream,) = journal.streams.all()
        assert journal.clips.count(stream.id) == 1
    assert not (tmp_path / "journal.db").exists()


def test_a_file_waits_for_the_lock_and_loses_nothing(watcher: Watcher, tmp_path: Path, make_video: MakeVideo) -> None:
    moments = watcher.watch(make_video(12))
    first = next(moments)
    watched: list[int] = []
    with write_lock_held(tmp_path / "journal.db") as holder:
        watching = threading.Thread(target=lambda: watched.extend(moment.clip_index for moment in moments))
        watching.start()
        with Journal.open(tmp_path / "journal.db", read_only=True) as reader:
            stream = reader.streams.latest()
            assert stream is not None
            watching.join(1.5)
            assert watching.is_alive()
            assert reader.clips.count(stream.id) == 1
        release(holder)
        watching.join(60)
    assert [first.clip_index, *watched] == list(range(6))


@pytest.mark.slow  # the mark of its end waits for half a minute
def test_whoever_stops_a_watcher_does_not_wait_for_the_lock(
    watcher: Watcher, tmp_path: Path, make_video: MakeVideo
) -> None:
    moments = watcher.watch(make_video(12))
    next(moments)
    failures: list[Exception] = []

    def watch() -> None:
        try:
            list(moments)
        except JournalBusyError as error:
            failures.append(error)

    with write_lock_held(tmp_path / "journal.db"):
        watching = threading.Thread(target=watch)
        watching.start()
        watching.join(1.0)
        watcher.stop()
        watching.join(60)  # the mark of its end waits for as long as any other write
        assert not watching.is_alive()
    assert ["another program holds its lock" in str(failure) for failure in failures] == [True]
