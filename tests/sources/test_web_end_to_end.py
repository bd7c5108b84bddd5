"""From a server with faults to the journal: a file over HTTP or HLS ends in the journal that the file itself gives."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import AddressRefusedError, SourceNotFoundError, SourceUnreachableError
from keepsight.journal import Journal
from keepsight.settings import Settings
from keepsight.sources.backoff import Backoff
from keepsight.sources.settings import SourceSettings, SupervisionSettings
from keepsight.sources.supervision import SourceState, StateChange
from tests.fake_model import FakeModel
from tests.patience import DEADLINE_SECONDS
from tests.sources.fault_server import FaultServer, grey_video, playlist, running, served, status, then

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
NEAR = SourceSettings(allow_private=True, supervision=SupervisionSettings(stall_seconds=1.0, backoff=Backoff(0.1, 0.3)))
LEVELS = list(range(10, 210, 2))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def film() -> bytes:
    return grey_video("mp4", LEVELS, options={"movflags": "faststart"})


def content_of(path: Path) -> list[dict[str, object]]:
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        return [
            {
                name: value.tobytes() if isinstance(value, np.ndarray) else value
                for name, value in vars(clip).items()
                if name not in ("stream_id", "seconds_spent")
            }
            for clip in journal.clips.of(stream.id)
        ]


def watch_all(source: str | Path, path: Path) -> list[dict[str, object]]:
    with Watcher(FakeModel(), path, QUICK, NEAR) as watcher:
        assert list(watcher.watch(source))
    return content_of(path)


def test_over_http_it_is_the_file(server: FaultServer, film: bytes, tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    file.write_bytes(film)
    expected = watch_all(file, tmp_path / "file.db")
    assert len(expected) == 5
    assert watch_all(server.put("/film.mp4", served(film)), tmp_path / "http.db") == expected
    assert watch_all(server.put("/plain.mp4", served(film, ranges=False)), tmp_path / "plain.db") == expected
    broken = server.put("/broken.mp4", served(film, kill_after=len(film) // 3, kills=2))
    assert watch_all(broken, tmp_path / "broken.db") == expected


def test_what_a_server_lost_is_watched_on_by_the_same_command(server: FaultServer, film: bytes, tmp_path: Path) -> None:
    file, path = tmp_path / "film.mp4", tmp_path / "http.db"
    file.write_bytes(film)
    expected = watch_all(file, tmp_path / "file.db")
    url = server.put("/film.mp4", served(film))
    with Watcher(FakeModel(), path, QUICK, NEAR) as watcher, closing(watcher.watch(url)) as moments:
        next(moments)
        next(moments)
    server.put("/film.mp4", status(503))
    with Watcher(FakeModel(), path, QUICK, NEAR) as watcher, pytest.raises(SourceUnreachableError, match="503"):
        list(watcher.watch(url))
    server.put("/film.mp4", served(film))
    assert watch_all(url, path) == expected


def test_what_is_not_there_or_not_allowed_begins_no_stream(server: FaultServer, film: bytes, tmp_path: Path) -> None:
    with Watcher(FakeModel(), tmp_path / "a.db", QUICK, NEAR) as watcher, pytest.raises(SourceNotFoundError):
        list(watcher.watch(server.put("/none.mp4", status(404))))
    with Watcher(FakeModel(), tmp_path / "b.db", QUICK) as watcher, pytest.raises(AddressRefusedError):
        list(watcher.watch(server.put("/film.mp4", served(film))))
    assert not list(tmp_path.iterdir())


def test_live_hls_goes_on_over_an_outage(server: FaultServer, tmp_path: Path) -> None:
    """Segments of a second; the server is away for a while, then goes on where it is by then."""
    for k in range(12):
        server.put(f"/s{k}.ts", served(grey_video("mpegts", range(20 + k, 30 + k), first_second=k)))
    lists = [
        served(
            playlist(*[f"s{k}.ts" for k in range(first, first + 3)], first=first, is_ended=False),
            content_type="application/vnd.apple.mpegurl",
        )
        for first in (0, 1, 2, 3)
    ]
    later = served(
        playlist("s8.ts", "s9.ts", "s10.ts", first=8, is_ended=False), content_type="application/vnd.apple.mpegurl"
    )
    url = server.put("/live.m3u8", then(*lists, *[status(503)] * 12, later))
    events: list[Moment | StateChange | SourceNote] = []
    path = tmp_path / "live.db"
    with Watcher(FakeModel(), path, QUICK, NEAR) as watcher:

        def follow() -> None:
            with closing(watcher.events(url)) as happening:
                events.extend(happening)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        deadline = time.monotonic() + 2 * DEADLINE_SECONDS
        while sum(getattr(event, "state", None) is SourceState.STREAMING for event in events) < 2:
            assert time.monotonic() < deadline, events[-4:]
            time.sleep(0.05)
        watcher.stop()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert stream.is_live
        assert stream.source == url
        gaps = journal.gaps.of(stream.id)
    assert gaps
    assert all(gap.reason for gap in gaps)
