"""Reading waits for nobody: not for another program's lock, nor for a long query, nor for a transaction."""

import math
import threading
import time
from pathlib import Path

import pytest

from keepsight.errors import JournalBusyError
from keepsight.journal import Journal
from tests.journal.clip_records import make_clip
from tests.journal.lock_holder import write_lock_held
from tests.patience import DEADLINE_SECONDS


def test_a_lock_of_another_program_stops_no_reading(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))
        with write_lock_held(path):
            is_read = threading.Event()
            refused: list[JournalBusyError] = []

            def write() -> None:
                with (
                    pytest.raises(JournalBusyError, match="another program holds its lock") as caught,
                    journal._database.transaction(patience_seconds=math.inf, give_up=is_read.is_set),
                ):
                    pass
                refused.append(caught.value)

            writing = threading.Thread(target=write)
            writing.start()
            try:
                for _ in range(20):  # while somebody waits for the lock, and holds up other writers
                    assert journal.clips.count(stream.id) == 1
                    assert len(journal.clips.search("caption")) == 1
                with Journal.open(path) as other, Journal.open(path, read_only=True) as reader:
                    assert other.streams.all() == reader.streams.all() == [stream]
                assert writing.is_alive()
            finally:
                is_read.set()
                writing.join(DEADLINE_SECONDS)
            assert [str(error).count("\n") for error in refused] == [0]
        journal.clips.add(make_clip(stream.id, 1))


def test_a_journal_that_was_closed_is_read_while_it_is_locked(tmp_path: Path) -> None:
    """It is not in WAL mode then, and must not be brought there before something is written."""
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
    with write_lock_held(path), Journal.open(path) as journal, Journal.open(path, read_only=True) as reader:
        assert journal.streams.latest() == reader.streams.latest() == stream
        with pytest.raises(JournalBusyError), journal._database.transaction(patience_seconds=0.1):
            pass


def test_what_waits_for_the_lock_is_told_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        assert journal.trouble() == ""
        stream = journal.streams.begin("s", "tiny", "{}")
        with write_lock_held(path):
            writing = threading.Thread(target=journal.clips.add, args=(make_clip(stream.id, 0),))
            writing.start()
            while "another program has locked the journal" not in journal.trouble():
                assert writing.is_alive()
                time.sleep(0.01)
        writing.join(60)
        assert journal.trouble() == ""
        assert journal.clips.count(stream.id) == 1


def test_a_query_that_is_running_holds_up_nobody(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        with journal._database._readers.taken() as running:
            rows = running.execute("WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n")
            assert rows.fetchone()[0] == 1  # it would go on for ever
            journal.clips.add(make_clip(stream.id, 0))
            found: list[int] = []
            readers = [threading.Thread(target=lambda: found.append(journal.clips.count(stream.id))) for _ in range(8)]
            for thread in readers:
                thread.start()
            for thread in readers:
                thread.join(60)
            assert found == [1] * 8
            rows.close()


def test_a_transaction_sees_what_it_wrote_and_nobody_else_does(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        elsewhere: list[int] = []

        def look() -> None:
            thread = threading.Thread(target=lambda: elsewhere.append(journal.clips.count(stream.id)))
            thread.start()
            thread.join(60)

        with journal.transaction():
            journal.clips.add(make_clip(stream.id, 0))
            assert journal.clips.count(stream.id) == 1
            look()
        look()
        assert elsewhere == [0, 1]
        assert journal.clips.count(stream.id) == 1


def test_connections_that_are_kept_are_few(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        together = threading.Barrier(20)

        def read() -> None:
            with journal._database._readers.taken() as connection:
                together.wait(60)
                connection.execute("SELECT count(*) FROM clips").fetchone()

        threads = [threading.Thread(target=read) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(journal._database._readers._idle) <= 4
