"""What a quota removes, against the rule written out plainly; what it never touches; that the file stops growing."""

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.errors import JournalError, SettingError
from keepsight.journal import ClipRecord, EndReason, Journal, Quota, Removed, apply_quota
from keepsight.journal.storage import KEPT_NEWEST_CLIPS
from keepsight.method.recurrence import RECENT_CAPTIONS
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound, bytes_of_rows
from tests.patience import wait_for

START = datetime(2026, 3, 1, tzinfo=UTC)
Key = tuple[int, int]


@dataclass
class Plain:
    """A clip of the model that the journal is compared with."""

    key: Key
    age_seconds: float
    thumbnail_bytes: int
    other_bytes: int
    kept: bool

    @property
    def num_bytes(self) -> int:
        return self.thumbnail_bytes + self.other_bytes


class PlainJournal:
    """The rule, one clip at a time and without any shortcut."""

    def __init__(self, clips: list[Plain], held_bytes: dict[Key, int], over: set[int]) -> None:
        self.clips = clips
        self.held_bytes = held_bytes
        self.over = over
        self.memories: list[int] = []
        self.thumbnails: list[Key] = []
        self.gone: list[Key] = []

    def num_bytes(self, streams: set[int]) -> int:
        memory = sum(size for (stream, _), size in self.held_bytes.items() if stream in streams)
        return memory + sum(clip.num_bytes for clip in self.clips if clip.key[0] in streams)

    def apply(self, quota: Quota) -> None:
        if quota.max_age_seconds is not None:
            old = [clip for clip in self.clips if not clip.kept and clip.age_seconds > quota.max_age_seconds]
            for clip in sorted(old, key=lambda clip: -clip.age_seconds):
                self._remove(clip)
        streams = {0, 1, 2}
        if quota.max_stream_bytes is not None:
            for stream in sorted(streams):
                self._make_room({stream}, quota.max_stream_bytes)
        if quota.max_bytes is not None:
            self._make_room(streams, quota.max_bytes)

    def _make_room(self, streams: set[int], max_bytes: int) -> None:
        while self.num_bytes(streams) > max_bytes:
            idle = sorted({stream for stream, _ in self.held_bytes} & self.over & streams)
            if idle:
                self.held_bytes = {key: size for key, size in self.held_bytes.items() if key[0] != idle[0]}
                self.memories.append(idle[0])
                continue
            removable = [clip for clip in self.clips if clip.key[0] in streams and not clip.kept]
            pictured = [clip for clip in removable if clip.thumbnail_bytes]
            if pictured:
                pictured[0].thumbnail_bytes = 0
                self.thumbnails.append(pictured[0].key)
            elif removable:
                self._remove(removable[0])
            else:
                break

    def _remove(self, clip: Plain) -> None:
        self.clips.remove(clip)
        self.held_bytes.pop(clip.key, None)
        self.gone.append(clip.key)


@dataclass
class Drawn:
    """A journal as hypothesis draws it: which stream each clip belongs to, what it takes, what is pinned or held, and
    which streams are files that were watched to their end."""

    streams: list[int]
    thumbnails: list[int]
    pinned: set[int]
    held: set[int]
    over: set[int]


@st.composite
def journals(draw: st.DrawFn) -> Drawn:
    streams = draw(st.lists(st.integers(0, 2), min_size=1, max_size=60))
    places = st.sets(st.integers(0, len(streams) - 1), max_size=12)
    sizes = draw(st.lists(st.integers(0, 300), min_size=len(streams), max_size=len(streams)))
    return Drawn(streams, sizes, draw(places), draw(places), draw(st.sets(st.integers(0, 2))))


limits = st.none() | st.integers(1, 12_000)
quotas = st.builds(Quota, limits, st.none() | st.integers(1, 70), limits)


def fill(journal: Journal, drawn: Drawn) -> tuple[list[str], PlainJournal]:
    """The drawn journal written, and its plain model; a clip is stored each second."""
    names = [journal.streams.begin(f"/{number}.mp4", "tiny", "{}").id for number in range(3)]
    counts, held_bytes, clips = [0] * 3, {}, []
    totals = [drawn.streams.count(number) for number in range(3)]
    with journal.transaction():
        for place, (stream, size) in enumerate(zip(drawn.streams, drawn.thumbnails, strict=True)):
            index = counts[stream]
            counts[stream] += 1
            clip = replace(make_clip(names[stream], index), thumbnail=bytes(size))
            journal.clips.add(clip, stored_at=START + timedelta(seconds=place))
            if place in drawn.pinned:
                journal.clips.pin(names[stream], index)
            if place in drawn.held:
                held = [*journal.memory.held(names[stream]), index]
                journal.memory.put(names[stream], index, bytes(50), held_clips=held)
                held_bytes[stream, index] = 50
            is_needed = place in drawn.held or index >= totals[stream] - KEPT_NEWEST_CLIPS
            kept = place in drawn.pinned or (is_needed and stream not in drawn.over)
            clips.append(Plain((stream, index), 100.0 - place, size, other_bytes(clip), kept))
        for number in drawn.over:
            journal.streams.end(names[number], EndReason.COMPLETE, 100.0)
    return names, PlainJournal(clips, held_bytes, drawn.over)


def other_bytes(clip: ClipRecord) -> int:
    arrays = clip.kept_indices.nbytes + clip.embedding.nbytes + clip.scores.nbytes
    return len(clip.caption.encode()) + 8 * len(clip.frame_seconds) + arrays


@settings(max_examples=60)
@given(journals(), quotas)
def test_what_goes_is_what_the_rule_says(tmp_path_factory: pytest.TempPathFactory, drawn: Drawn, quota: Quota) -> None:
    path = tmp_path_factory.mktemp("quota") / "journal.db"
    with Journal.create(path) as journal:
        names, plain = fill(journal, drawn)
        before = journal.storage.num_bytes()
        assert before == plain.num_bytes({0, 1, 2})
        plain.apply(quota)
        removed = apply_quota(journal, quota, START + timedelta(seconds=100))
        assert removed.memories == tuple(names[stream] for stream in plain.memories)
        assert removed.thumbnails == tuple((names[stream], index) for stream, index in plain.thumbnails)
        assert removed.clips == tuple((names[stream], index) for stream, index in plain.gone)
        assert removed.num_bytes == before - journal.storage.num_bytes()
        for number, name in enumerate(names):
            left = [clip for clip in plain.clips if clip.key[0] == number]
            stored = list(journal.clips.of(name))
            assert [clip.clip_index for clip in stored] == [clip.key[1] for clip in left]
            assert [len(clip.thumbnail) for clip in stored] == [clip.thumbnail_bytes for clip in left]
            for clip in stored:
                assert_same_clip(clip, make_clip(name, clip.clip_index), ignore=("thumbnail", "is_pinned"))
            assert [clip.clip_index for clip in stored if clip.is_pinned] == journal.clips.pinned(name)
            assert journal.storage.num_bytes(name) == plain.num_bytes({number})
        assert apply_quota(journal, quota, START + timedelta(seconds=100)) == Removed()
    assert_sound(path)


def test_the_newest_captions_that_are_read_on_resuming_are_kept() -> None:
    assert KEPT_NEWEST_CLIPS >= RECENT_CAPTIONS


@pytest.mark.parametrize("name", ["max_bytes", "max_age_seconds", "max_stream_bytes", "max_file_bytes"])
@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_limits_are_more_than_nothing(name: str, limit: float) -> None:
    limits: dict[str, Any] = {name: limit}
    with pytest.raises(SettingError, match=f"{name} must be above 0, or None for no limit, got {limit}"):
        Quota(**limits)


def test_a_pin_is_taken_off_again(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index in range(12):
        journal.clips.add(make_clip(stream.id, index))
    journal.clips.pin(stream.id, 2)
    journal.clips.pin(stream.id, 1)
    assert journal.clips.pinned(stream.id) == [1, 2]
    apply_quota(journal, Quota(max_bytes=1), START)
    assert [clip.clip_index for clip in journal.clips.captions(stream.id)] == [1, 2, *range(4, 12)]
    journal.clips.pin(stream.id, 2, pinned=False)
    assert apply_quota(journal, Quota(max_bytes=1), START).clips == ((stream.id, 2),)
    for index in (2, 99):
        with pytest.raises(JournalError, match=f"no clip {index} of stream"):
            journal.clips.pin(stream.id, index)


def test_each_reading_tells_what_is_pinned(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index in range(4):
        journal.clips.add(replace(make_clip(stream.id, index), is_pinned=index == 3))
    journal.clips.pin(stream.id, 1)
    clips = journal.clips
    for found in (
        clips.captions(stream.id),
        clips.captions_from(stream.id, 0, 9),
        clips.captions_at(stream.id, range(4)),
        clips.search("caption"),
        list(clips.of(stream.id)),
    ):
        assert {clip.clip_index: clip.is_pinned for clip in found} == {0: False, 1: True, 2: False, 3: True}
    last = clips.last(stream.id)
    assert last is not None
    assert_same_clip(last, replace(make_clip(stream.id, 3), is_pinned=True))


def test_what_is_removed_is_no_longer_found(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index in range(10):
        journal.clips.add(make_clip(stream.id, index, caption=f"a dog number {index}"))
    assert len(journal.clips.search("dog")) == 10
    apply_quota(journal, Quota(max_bytes=1), START)
    assert {caption.clip_index for caption in journal.clips.search("dog")} == set(range(2, 10))
    assert journal.clips.search("dog 1") == []
    assert journal.clips.ranked_by(stream.id).clip_indices.tolist() == list(range(2, 10))
    assert journal.streams.position(stream.id).next_clip_index == 10
    assert journal.streams.position(stream.id).num_tokens_seen == 160
    assert journal.streams.position(stream.id).first_clip_tokens == 3
    assert journal.memory.num_tokens_before(stream.id, 5) == 80


def test_the_counts_follow_the_rows_through_a_failed_transaction(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    journal.clips.add(make_clip(stream.id, 0, caption="Straße"))
    journal.memory.put(stream.id, 0, bytes(70), held_clips=[0])
    before = journal.storage.num_bytes(), journal.streams.position(stream.id)

    def fail() -> None:
        with journal.transaction():
            journal.clips.add(make_clip(stream.id, 1))
            journal.memory.put(stream.id, 1, bytes(70), held_clips=[1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (journal.storage.num_bytes(), journal.streams.position(stream.id)) == before
    journal.memory.put(stream.id, 0, bytes(30), held_clips=[0])
    with closing(sqlite3.connect(journal.path)) as connection:
        assert journal.storage.num_bytes(stream.id) == bytes_of_rows(connection, stream.id) == before[0] - 40
    assert journal.storage.num_bytes("nobody") == 0


def big_clip(stream_id: str, index: int) -> ClipRecord:
    """As large as one of a 7B model in all but the memory."""
    draw = np.random.default_rng(index)
    return replace(
        make_clip(stream_id, index),
        caption=" ".join(draw.choice(["dog", "cat", "door", "lamp", "waits", "leaves"], 40)),
        thumbnail=draw.bytes(int(draw.integers(20_000, 40_000))),
        scores=draw.random(784, np.float32),
        embedding=draw.random(896, np.float32),
    )


def used_bytes(path: Path) -> int:
    """What a copy without any unused page would take at most."""
    with closing(sqlite3.connect(path)) as connection:
        pages = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")}
        return (pages["page_count"] - pages["freelist_count"]) * 4096


@pytest.mark.parametrize("max_bytes", [2_500_000, 1_200_000])
def test_a_file_keeps_to_its_bytes(tmp_path: Path, max_bytes: int) -> None:
    """Indices and half-empty pages count too; no more is taken away than is needed."""
    path = tmp_path / "journal.db"
    sizes_bytes = []
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(300):
            with journal.transaction():
                journal.clips.add(big_clip(stream.id, index))
                journal.memory.put(stream.id, index, bytes(20_000), held_clips=range(index - 3, index + 1))
            if index % 10 == 9:
                apply_quota(journal, Quota(max_file_bytes=max_bytes), START)
                sizes_bytes.append(used_bytes(path))
    ten_clips_bytes = 10 * 45_000  # that come before the quota is looked at again
    assert path.stat().st_size <= max_bytes + ten_clips_bytes
    assert max(sizes_bytes) <= max_bytes + 40_000
    assert min(sizes_bytes[-10:]) >= 0.9 * max_bytes
    assert_sound(path)


@pytest.mark.parametrize("fill_with", ["thumbnails", "captions"])
def test_the_file_stops_growing(tmp_path: Path, fill_with: str) -> None:
    max_bytes = 2_500_000 if fill_with == "thumbnails" else 900_000
    quota = Quota(max_bytes=max_bytes)
    path = tmp_path / "journal.db"
    sizes_bytes, taken_bytes = [], []
    with Journal.create(path) as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        for index in range(200):
            with journal.transaction():
                journal.clips.add(big_clip(stream.id, index))
                journal.memory.put(stream.id, index, bytes(20_000), held_clips=range(index - 3, index + 1))
            apply_quota(journal, quota, START)
            taken_bytes.append(journal.storage.num_bytes())
            sizes_bytes.append(path.stat().st_size)
        journal_at_end = journal.clips.count(stream.id)
    assert max(taken_bytes) <= max_bytes
    assert journal_at_end < 200 if fill_with == "captions" else journal_at_end == 200
    assert sizes_bytes[-1] <= 1.08 * max(sizes_bytes[100:130])
    assert max(sizes_bytes) <= 1.5 * max_bytes
    assert_sound(path)


def test_a_watcher_need_not_wait_long_while_much_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.create(path) as journal:
        stream, live = (journal.streams.begin(name, "tiny", "{}") for name in "ab")
        with journal.transaction():
            for index in range(400):
                journal.clips.add(make_clip(stream.id, index))
        waits_seconds: list[float] = []
        is_over = threading.Event()

        def watch() -> None:
            with Journal.open(path) as own:
                while not is_over.is_set():
                    started = time.perf_counter()
                    own.clips.add(make_clip(live.id, len(waits_seconds)))
                    waits_seconds.append(time.perf_counter() - started)
                    time.sleep(0.05)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            wait_for(lambda: waits_seconds, "the first clip is stored")
            removed = apply_quota(journal, Quota(max_stream_bytes=1), START)
            num_before = len(waits_seconds)
            wait_for(lambda: len(waits_seconds) > num_before, "another clip is stored: none was refused")
        finally:
            is_over.set()
            thread.join()
    assert len(removed.clips) >= 400 - KEPT_NEWEST_CLIPS
    assert max(waits_seconds) < 30.0  # the longest that a writer waits before it is refused


@pytest.mark.parametrize("in_all", [True, False])
def test_finding_the_oldest_walks_over_no_clips_that_stay(tmp_path: Path, in_all: bool) -> None:
    """Once all old thumbnails are gone, looking for one more takes no longer the more clips there are."""
    steps: list[int] = []
    for num_clips in (200, 2_000):
        with Journal.create(tmp_path / f"{num_clips}.db") as journal:
            stream = journal.streams.begin("a", "tiny", "{}")
            clip = replace(make_clip(stream.id, 0), thumbnail=b"")
            with journal.transaction():
                for index in range(num_clips):
                    journal.clips.add(replace(clip, clip_index=index))
            stream_id = None if in_all else stream.id
            steps.append(0)

            def count() -> None:
                steps[-1] += 1

            with journal.transaction():  # reads on the connection that counts
                writer = journal.storage._database._writer
                assert writer is not None
                writer.connection.set_progress_handler(count, 100)
                assert journal.storage.oldest(32, stream_id=stream_id, with_thumbnail=True) == []
                assert len(journal.storage.oldest(32, stream_id=stream_id)) == 32
                assert journal.storage.stored_before(0.0, 32) == []
    assert steps[1] <= steps[0] + 1 < 50
