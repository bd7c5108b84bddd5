"""Standing questions in a journal: the position and its alert stand or fall together, over crashes and updates."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.errors import JournalWriteError, SettingError
from keepsight.journal import Journal
from keepsight.journal.backup import backup_path
from keepsight.journal.schema import migrate, shipped_migrations
from keepsight.journal.standing_records import CheckMethod, DeliveryState, Progress, Step, Webhook
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound
from tests.journal.version_1 import write_version_1

HOOK = Webhook("https://user:hunter2@hooks.example/T0/secret", "whsec")


def begin(journal: Journal, num_clips: int = 0) -> str:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index in range(num_clips):
        journal.clips.add(make_clip(stream.id, index))
    return stream.id


def only(due: list[Progress]) -> Progress:
    (one,) = due
    return one


def alert_step(journal: Journal, progress: Progress) -> Step:
    """The next clip is one of which is told."""
    (clip,) = journal.clips.captions_from(progress.stream_id, progress.next_clip_index, 1)
    return Step(clip.clip_index + 1, True, num_checked=1, alert=clip)


def test_only_clips_that_come_later_are_due(journal: Journal) -> None:
    old, other = begin(journal, 3), begin(journal, 1)
    of_one = journal.standing.add("Is there a dog?", stream_id=old)
    of_all = journal.standing.add("Is there a cat?", method=CheckMethod.WORDS, cooldown_seconds=60.5, webhook=HOOK)
    assert journal.standing.due() == []
    journal.clips.add(make_clip(old, 3))
    new = begin(journal, 2)
    assert [(p.question, p.stream_id, p.next_clip_index, p.end_clip_index) for p in journal.standing.due()] == [
        (of_one, old, 3, 4),
        (of_all, old, 3, 4),
        (of_all, new, 0, 2),
    ]
    assert other not in {progress.stream_id for progress in journal.standing.due()}
    assert journal.standing.all() == [of_one, of_all]
    assert journal.standing.get(of_all.id) == of_all
    assert "hunter2" not in repr(of_all)
    assert "whsec" not in repr(of_all)


def test_an_alert_and_the_position_are_stored_once(journal: Journal) -> None:
    journal.standing.add("q", cooldown_seconds=1, webhook=HOOK)
    stream_id = begin(journal, 2)
    first = only(journal.standing.due())
    alert_id = journal.standing.advance(first, alert_step(journal, first))
    assert alert_id == 1
    assert journal.standing.advance(first, alert_step(journal, first)) is None  # somebody has moved on from there
    second = only(journal.standing.due())
    assert (second.next_clip_index, second.was_true, second.last_alert_seconds) == (1, True, 0.0)
    journal.standing.advance(second, Step(2, False, num_checked=1))
    assert journal.standing.due() == []
    (alert,) = journal.alerts.of(first.question.id)
    assert (alert.id, alert.stream_id, alert.clip_index, alert.caption) == (1, stream_id, 0, "caption number 0")
    assert (alert.question, alert.delivery) == ("q", "waiting")
    tally = journal.standing.tally(first.question.id)
    assert (tally.num_checked, tally.num_skipped, tally.num_alerts) == (2, 0, 1)


def test_questions_and_streams_that_go_take_their_alerts_along(journal: Journal) -> None:
    question = journal.standing.add("q")
    for _ in range(2):
        begin(journal, 1)
    first, second = journal.standing.due()
    for progress in (first, second):
        assert journal.standing.advance(progress, alert_step(journal, progress))
    journal.streams.remove(first.stream_id)
    assert [alert.stream_id for alert in journal.alerts.after(0, 10)] == [second.stream_id]
    journal.clips.add(make_clip(second.stream_id, 1))
    late = only(journal.standing.due())
    assert journal.standing.remove(question.id)
    assert not journal.standing.remove(question.id)
    assert journal.standing.advance(late, alert_step(journal, late)) is None
    assert journal.alerts.after(0, 10) == []
    # An id is never used again: who has seen alert 2 is told the next one.
    journal.standing.add("q")
    begin(journal, 1)
    again = only(journal.standing.due())
    assert journal.standing.advance(again, alert_step(journal, again)) == 3


def test_alerts_in_pages_and_after_an_id(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepsight.journal.alerts.MOST_ALERTS", 7)
    question = journal.standing.add("q")
    stream_id = begin(journal, 10)
    for _ in range(10):
        progress = only(journal.standing.due())
        journal.standing.advance(progress, alert_step(journal, progress))
    assert [alert.id for alert in journal.alerts.of(question.id, limit=3)] == [10, 9, 8]
    assert [alert.id for alert in journal.alerts.newest(3, stream_id=stream_id)] == [10, 9, 8]
    assert [alert.id for alert in journal.alerts.newest(9, before=6)] == [5, 4]
    assert journal.alerts.newest(9, stream_id="other") == []
    assert [alert.id for alert in journal.alerts.of(question.id, before=8)] == [7, 6, 5, 4]  # the oldest are gone
    assert [alert.id for alert in journal.alerts.after(8, 10, stream_id=stream_id)] == [9, 10]
    assert journal.alerts.after(0, 10, stream_id="other") == []
    assert journal.alerts.newest_id() == 10


def test_a_delivery_does_not_wait_for_a_clock_that_was_set_back(journal: Journal) -> None:
    journal.standing.add("q", webhook=HOOK)
    begin(journal, 1)
    progress = only(journal.standing.due())
    journal.standing.advance(progress, alert_step(journal, progress))
    table, soon = journal.deliveries, journal.deliveries.next_time()
    assert soon is not None
    two_hours_before = soon - 7200
    assert table.next_due(two_hours_before) is None
    assert table.next_due(two_hours_before, latest_unix_seconds=two_hours_before + 3600) is not None
    assert table.next_due(soon - 1800, latest_unix_seconds=soon + 1800) is None  # a wait as it may be


def test_deliveries_wait_their_time(journal: Journal) -> None:
    question = journal.standing.add("q", webhook=HOOK)
    begin(journal, 2)
    for _ in range(2):
        progress = only(journal.standing.due())
        journal.standing.advance(progress, alert_step(journal, progress))
    table, soon = journal.deliveries, journal.deliveries.next_time()
    assert soon is not None
    assert table.next_due(soon - 1) is None
    first = table.next_due(soon + 10)
    assert first is not None
    assert (first.alert.id, first.webhook, first.num_attempts) == (1, HOOK, 0)
    assert table.next_due(soon + 10, {question.id}) is None
    table.failed(first, soon + 100, "it answers 500")
    second = table.next_due(soon + 10)
    assert second is not None
    assert second.alert.id == 2
    assert second.id != first.id
    table.done(second)
    assert table.next_time() == soon + 100
    again = table.next_due(soon + 100)
    assert again is not None
    assert (again.id, again.num_attempts) == (first.id, 1)
    assert table.last_problem(question.id) == "it answers 500"
    table.given_up(again, "it answers 500")
    assert table.next_time() is None
    assert [alert.delivery for alert in journal.alerts.of(question.id)] == ["delivered", "given up"]


def test_what_is_no_question(journal: Journal) -> None:
    with pytest.raises(SettingError, match="blank"):
        journal.standing.add("  ")
    for seconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="cooldown_seconds"):
            journal.standing.add("q", cooldown_seconds=seconds)
    with pytest.raises(JournalWriteError):
        journal.standing.add("q", stream_id="nothing")
    assert journal.standing.count() == 0


def test_words_are_those_that_search_finds(journal: Journal) -> None:
    stream_id = begin(journal)
    captions = ("two dogs arrive", "the dog waits", 'a "cat"')
    for index, caption in enumerate(captions):
        journal.clips.add(make_clip(stream_id, index, caption=caption))
    for words in ("dog", "DOGS arriving", "cats", "dog cat", "", '"', "dog OR cat"):
        found = {clip.clip_index for clip in journal.clips.search(words, stream_id=stream_id)}
        assert {index for index in range(3) if journal.clips.has_words(stream_id, index, words)} == found


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.db"
    write_version_1(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, shipped_migrations()[:2])
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_journal_of_version_2_is_copied_and_brought_up_to_date(version_2: Path) -> None:
    before = dump(version_2)
    with Journal.open(version_2) as journal:
        for stream in journal.streams.all():
            for index, clip in enumerate(journal.clips.of(stream.id)):
                assert_same_clip(clip, make_clip(stream.id, index))
        assert journal.standing.all() == []
        journal.standing.add("q")
        journal.clips.add(make_clip("a", 5))
        assert only(journal.standing.due()).next_clip_index == 5
    assert dump(backup_path(version_2, 2)) == before
    assert backup_path(version_2, 2).name == "kitchen.db.v2.bak"
    assert_sound(version_2)


def test_an_update_from_version_2_equals_a_new_journal(version_2: Path, tmp_path: Path) -> None:
    Journal.open(version_2).close()
    Journal.create(tmp_path / "new.db").close()

    def schema(path: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    assert schema(version_2) == schema(tmp_path / "new.db")


ALERTS = textwrap.dedent(
    """
    import sys
    from keepsight.journal import Journal
    from keepsight.journal.standing_records import Step

    with Journal.open(sys.argv[1]) as journal:
        while due := journal.standing.due():
            for progress in due:
                (clip,) = journal.clips.captions_from(progress.stream_id, progress.next_clip_index, 1)
                alert_id = journal.standing.advance(progress, Step(clip.clip_index + 1, True, 1, 0, clip))
                print(f"{alert_id:2000}", flush=True)  # a pipe holds few of these, so it runs ahead by no more
    """
)


def test_what_was_announced_before_a_kill_is_there_and_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        journal.standing.add("q", webhook=HOOK)
        begin(journal, 200)
    announced: list[int] = []
    for num_lines in (1, 7, 20):
        process = subprocess.Popen(
            [sys.executable, "-c", ALERTS, str(path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert process.stdout is not None
        announced += [int(process.stdout.readline()) for _ in range(num_lines)]
        process.send_signal(signal.SIGKILL)
        announced += [int(line) for line in process.stdout.read().splitlines()]
        process.wait()
        process.stdout.close()
    with Journal.open(path) as journal:
        stored = journal.alerts.after(0, 1000)
        assert len(set(announced)) == len(announced)
        assert set(announced) <= {alert.id for alert in stored}
        assert [alert.clip_index for alert in stored] == list(range(len(stored)))
        assert only(journal.standing.due()).next_clip_index == len(stored) if len(stored) < 200 else True
        assert journal.standing.tally(stored[0].question_id).num_alerts == len(stored)
        assert (
            replace(stored[-1], delivery=DeliveryState.WAITING) == stored[-1]
        )  # an alert has its delivery, or neither is there
    assert_sound(path)
