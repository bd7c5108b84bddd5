"""Gaps of live streams, whatever fails and whenever: none overlaps another or a clip, and each has its true reason."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.engine.finding import find_or_begin
from keepsight.engine.live_session import NOT_WATCHING, TOO_SLOW, LiveSession
from keepsight.engine.live_watch import DISK_FULL, LiveWatch
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_journal import LOCKED
from keepsight.errors import DiskFullError, JournalBusyError, JournalWriteError
from keepsight.journal import Journal
from keepsight.journal.clips import ClipTable
from keepsight.journal.database import Database
from keepsight.journal.records import ClipRecord
from keepsight.settings import Settings
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.settings import LoadSettings
from keepsight.sources.supervision import SourceState, StateChange
from keepsight.video import Frame
from tests.fake_model import FakeModel

QUICK = Settings(frames_per_clip=4, sample_fps=1.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
QUICK_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None
AWAY = "the camera is away"
PICTURE = np.zeros((8, 8, 3), np.uint8)


@dataclass
class ScriptedSource:
    """Frames a second apart, more or less, and silences. Stands in for a `SupervisedSource`.

    Attributes:
        script: how many frames come (above 0), or for how many seconds nothing does (below 0), in turns.
        jitter: how much later than its second each frame stands, in turns.
        now_seconds: time of the stream.
    """

    script: list[int]
    jitter: list[float] = field(default_factory=lambda: [0.0])
    now_seconds: float = 0.0
    state: SourceState = SourceState.STREAMING

    def stop(self) -> None:
        """Nothing is waited for."""

    def can_wait(self, queue_frames: int) -> bool:
        """A camera does not wait."""
        return False

    def events(self) -> Iterator[Frame | StateChange]:
        latest, number = self.now_seconds, 0
        for count in self.script:
            for _ in range(count):
                self.now_seconds += 1
                latest = max(latest, self.now_seconds - self.jitter[number % len(self.jitter)])
                number += 1
                yield Frame(PICTURE, latest)
            if count < 0:
                self.now_seconds -= count
                yield StateChange(SourceState.OFFLINE, self.now_seconds, AWAY)
        yield StateChange(SourceState.ENDED, self.now_seconds)


@contextmanager
def failing_writes(fails: Callable[[int], type[JournalWriteError] | None]) -> Iterator[None]:
    """Statements that write fail as a full disk or a locked journal makes them: told by their number."""
    write, numbers = Database._run, iter(range(1_000_000))

    def write_or_fail(database: Database, sql: str, parameters: object) -> object:
        if (kind := fails(next(numbers))) is not None:
            raise kind("cannot write to the journal")
        return write(database, sql, parameters)  # type: ignore[arg-type]

    with mock.patch.object(Database, "_run", write_or_fail):
        yield


def watch(
    journal: Journal,
    source: ScriptedSource,
    load: LoadSettings,
    fails: Callable[[int], type[JournalWriteError] | None] = lambda number: None,
) -> tuple[LiveSession, list[Moment]]:
    stream = find_or_begin(journal, "camera", FakeModel(), QUICK, is_live=True).stream
    session = LiveSession(FakeModel(), journal, stream, QUICK)
    session.begin_run(stream.started_at.timestamp() + source.now_seconds)
    live = LiveWatch(session, source, load)  # type: ignore[arg-type]
    with failing_writes(fails):
        return session, [event for event in live.events() if isinstance(event, Moment)]


def assert_consistent(journal: Journal, stream_id: str, irregular_seconds: float = 0.0) -> None:
    """Gaps and clips in turns, each beginning where the one before ends, or a step and an irregular frame later."""
    clips = [caption.span for caption in journal.clips.captions(stream_id)]
    gaps = [gap.span for gap in journal.gaps.of(stream_id)]
    for number, gap in enumerate(gaps):
        for other in [*gaps[number + 1 :], *clips]:
            shared = min(gap.end_seconds, other.end_seconds) - max(gap.start_seconds, other.start_seconds)
            assert shared <= 0, (gap, other, gaps, clips)
            assert not other.start_seconds < gap.start_seconds < other.end_seconds, (gap, other)
    known = sorted([*gaps, *clips], key=lambda span: span.start_seconds)
    for before, after in pairwise(known):
        assert after.start_seconds - before.end_seconds <= 1.001 + irregular_seconds, (before, after, known)


@settings(max_examples=25)
@given(
    script=st.lists(st.integers(-30, 14).filter(bool), min_size=1, max_size=4),
    jitter=st.lists(st.floats(0, 3), min_size=1, max_size=5),
    failures=st.dictionaries(st.integers(0, 40), st.sampled_from([DiskFullError, JournalBusyError])),
    policy=st.sampled_from(list(DropPolicy)),
    queue_frames=st.integers(1, 40),
)
def test_whatever_fails_gaps_lie_between_clips(
    script: list[int],
    jitter: list[float],
    failures: dict[int, type[JournalWriteError]],
    policy: DropPolicy,
    queue_frames: int,
) -> None:
    load = LoadSettings(queue_frames, policy, retry_seconds=1e-4)
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder, Journal.create(Path(folder) / "journal.db") as journal:
        stream = find_or_begin(journal, "camera", FakeModel(), QUICK, is_live=True).stream
        source = ScriptedSource(script, jitter)
        session, moments = watch(journal, source, load, failures.get)
        assert session.stream.id == stream.id
        announced = [moment.clip_index for moment in moments]
        assert announced == [clip.clip_index for clip in journal.clips.captions(stream.id)]
        assert announced == list(range(len(announced)))
        assert_consistent(journal, stream.id, max(jitter))
        # Watched again an hour later: what lies between is one gap more.
        source = ScriptedSource([9], jitter, now_seconds=source.now_seconds + 3600)
        watch(journal, source, load, failures.get)
        assert_consistent(journal, stream.id, max(jitter))
        reasons = {gap.reason for gap in journal.gaps.of(stream.id)}
        assert reasons <= {AWAY, TOO_SLOW, DISK_FULL, LOCKED, NOT_WATCHING}
        if announced and not failures:
            assert NOT_WATCHING in reasons


@pytest.mark.parametrize("policy", [DropPolicy.DROP_OLDEST, DropPolicy.DROP_NEWEST, DropPolicy.THIN])
@pytest.mark.parametrize(("kind", "reason"), [(DiskFullError, DISK_FULL), (JournalBusyError, LOCKED)])
def test_one_outage_is_one_gap(tmp_path: Path, policy: DropPolicy, kind: type[JournalWriteError], reason: str) -> None:
    """Also where small writes go through in between and clips do not, and frames are dropped all the while."""
    room, num_refused = threading.Event(), 0
    add = ClipTable.add

    def refuse_clips(table: ClipTable, clip: ClipRecord) -> None:
        nonlocal num_refused
        if clip.span.start_seconds >= 16 and not room.is_set():
            num_refused += 1
            raise kind("cannot write to the journal")
        add(table, clip)

    class Source(ScriptedSource):
        def events(self) -> Iterator[Frame | StateChange]:
            while num_refused < 3:  # one clip after another
                self.now_seconds += 1
                yield Frame(PICTURE, self.now_seconds)
                time.sleep(0.002)
            room.set()
            yield from super().events()

    with Journal.create(tmp_path / "journal.db") as journal:
        with mock.patch.object(ClipTable, "add", refuse_clips):
            session, moments = watch(journal, Source([30]), LoadSettings(8, policy, retry_seconds=0.001))
        gaps = journal.gaps.of(session.stream.id)
        assert num_refused > 0
        assert [gap.reason for gap in gaps if gap.reason != TOO_SLOW] == [reason]
        (outage,) = [gap for gap in gaps if gap.reason == reason]
        assert all(gap.span.end_seconds <= outage.span.start_seconds for gap in gaps if gap.reason == TOO_SLOW)
        assert len(moments) == journal.clips.count(session.stream.id)
        assert_consistent(journal, session.stream.id)
