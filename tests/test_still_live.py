"""Still clips of live sources, and of several sources side by side: times of the wall clock, gaps, outages, batches."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from keepsight.engine.live_session import LiveSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watch_together import WatchTogether
from keepsight.engine.watcher import Watcher
from keepsight.errors import DiskFullError
from keepsight.journal import Journal
from keepsight.journal.clips import ClipTable
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.engine.test_watch_together import Batching
from tests.fake_model import FakeModel
from tests.small_videos import write_pictures

LIVE = Settings(
    frames_per_clip=4, sample_fps=1.0, retention=0.25, memory_clips=3, max_caption_tokens=32, skip_still=True
)
EMPTY, BUSY = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], tuple[LiveSession, Journal]]:
    monkeypatch.setenv("TZ", "UTC")

    def session(started_at: datetime) -> tuple[LiveSession, Journal]:
        journal = Journal.create(tmp_path / "journal.db")
        stream = journal.streams.begin("camera", "fake", LIVE.to_json(), is_live=True, started_at=started_at)
        begun = LiveSession(FakeModel(), journal, stream, LIVE)
        begun.begin_run(started_at.timestamp())
        return begun, journal

    return session


def push(session: LiveSession, pictures: list[np.ndarray], start: int = 0, num_dropped: int = 0) -> list[Moment]:
    frames = [Frame(picture, float(start + place)) for place, picture in enumerate(pictures)]
    moments = [session.push(frame, num_dropped if frame is frames[0] else 0) for frame in frames]
    return [moment for moment in moments if moment is not None]


Begin = Callable[[datetime], tuple[LiveSession, Journal]]


def test_a_line_has_the_time_of_the_clock(begin: Begin) -> None:
    session, journal = begin(NOON)
    with journal:
        moments = push(session, [BUSY] * 4 + [EMPTY] * 8)
        assert [moment.is_still for moment in moments] == [False, False, True]
        assert moments[2].caption == "nothing changed since 12:00:07"
        session.set_clock(3600.0)
        (after,) = push(session, [EMPTY] * 4, start=12)
        assert after.caption == "nothing changed since 13:00:07"


def test_a_line_of_another_day_has_the_date(begin: Begin) -> None:
    session, journal = begin(datetime(2026, 3, 1, 23, 59, 55, tzinfo=UTC))
    with journal:
        moments = push(session, [EMPTY] * 12)
        assert [moment.caption for moment in moments[1:]] == [
            "nothing changed since 23:59:58",
            "nothing changed since 2026-03-01 23:59:58",
        ]


def test_after_an_interruption_a_clip_is_captioned_after_a_dropped_frame_it_need_not_be(begin: Begin) -> None:
    session, journal = begin(NOON)
    with journal:
        assert [moment.is_still for moment in push(session, [EMPTY] * 8)] == [False, True]
        session.interrupt(20.0, "the camera is away")
        moments = push(session, [EMPTY] * 8, start=20)
        assert [moment.is_still for moment in moments] == [False, True]
        assert push(session, [EMPTY], start=28) == []
        (thinned,) = push(session, [EMPTY] * 2, start=30, num_dropped=1)
        assert (thinned.is_still, thinned.num_frames, thinned.num_frames_dropped) == (True, 3, 1)


def test_a_clip_that_could_not_be_written_is_no_reference(begin: Begin) -> None:
    """What is compared with is what was stored: the caption of the lost clip is in no journal."""
    session, journal = begin(NOON)
    with journal:
        push(session, [EMPTY] * 4)
        with mock.patch.object(ClipTable, "add", side_effect=DiskFullError("full")), pytest.raises(DiskFullError):
            push(session, [BUSY] * 4, start=4)
        session.recover(8.0, "there was no room")
        moments = push(session, [BUSY] * 8, start=8)
        assert [moment.is_still for moment in moments] == [False, True]
        assert [clip.still_since for clip in journal.clips.of(session.stream.id)] == [None, None, 1]


@pytest.mark.parametrize("num_sources", [1, 3])
def test_streams_side_by_side_skip_what_each_skips_alone(tmp_path: Path, num_sources: int) -> None:
    settings = replace(LIVE, sample_fps=2.0)
    scripts = [[0, 0, 1, 1, 1], [2, 2, 2, 2], [0, 1, 2, 3, 3]][:num_sources]
    videos = [tmp_path / f"{place}.mp4" for place in range(num_sources)]
    for video, script in zip(videos, scripts, strict=True):
        pictures = [np.full((48, 64, 3), 60 * number, np.uint8) for number in script for _ in range(4)]
        write_pictures(video, pictures, 2)
    with Journal.create(tmp_path / "together.db") as journal:
        events = list(WatchTogether(Batching(), journal, settings).events(videos))
    for place, (video, script) in enumerate(zip(videos, scripts, strict=True)):
        moments = [one.event for one in events if one.source == place and isinstance(one.event, Moment)]
        assert [moment.is_still for moment in moments] == [
            number > 0 and script[number] == script[number - 1] for number in range(len(script))
        ]
        with Watcher(FakeModel(), tmp_path / f"alone-{place}.db", settings) as watcher:
            alone = [(moment.span, moment.caption) for moment in watcher.watch(video)]
        assert [(moment.span, moment.caption) for moment in moments] == alone
