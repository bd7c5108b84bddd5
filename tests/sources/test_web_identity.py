"""Files and playlists on a web server are known by what the server says of them, and by their bytes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import SourceChangedError
from keepsight.journal import EndReason, Journal
from keepsight.settings import Settings
from keepsight.sources.settings import SourceSettings
from tests.fake_model import FakeModel
from tests.sources.fault_server import Answer, FaultServer, grey_video, playlist, running, served

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
NEAR = SourceSettings(allow_private=True)
TAGS = iter(range(1_000_000))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def recording() -> bytes:
    return grey_video("mpegts", range(10, 190, 2))


def tagged(data: bytes, ranges: bool = True) -> Answer:
    """A version of a file with a tag of its own."""
    tag = f'"{next(TAGS)}"'
    return served(data, etag=lambda: tag, ranges=ranges)


def watch(source: str, journal: Path) -> tuple[list[int], list[str]]:
    """Indices of the clips that were watched, and what was said."""
    with Watcher(FakeModel(), journal, QUICK, NEAR) as watcher:
        events = list(watcher.events(source))
    indices = [event.clip_index for event in events if isinstance(event, Moment)]
    return indices, [event.text for event in events if isinstance(event, SourceNote)]


@pytest.mark.parametrize("ranges", [True, False])
def test_the_same_file_with_another_tag_is_the_same(
    server: FaultServer, recording: bytes, tmp_path: Path, ranges: bool
) -> None:
    """As servers give that make tags of times, or of the machine that answers."""
    for _ in range(2):
        url = server.put("/same.ts", tagged(recording, ranges=ranges))
        first = watch(url, tmp_path / "a.db")
    assert first == ([], [])


def test_another_file_with_the_same_address_is_a_new_stream(
    server: FaultServer, recording: bytes, tmp_path: Path
) -> None:
    url = server.put("/latest.ts", tagged(recording))
    watch(url, tmp_path / "a.db")
    server.put("/latest.ts", tagged(grey_video("mpegts", range(200, 10, -2))))
    indices, (note,) = watch(url, tmp_path / "a.db")
    assert indices[0] == 0
    assert note.startswith(f"{url} was replaced since stream")


def test_a_file_that_a_server_is_still_given_is_resumed(server: FaultServer, recording: bytes, tmp_path: Path) -> None:
    url = server.put("/growing.ts", tagged(recording[: len(recording) // 2]))
    before, _ = watch(url, tmp_path / "a.db")
    server.put("/growing.ts", tagged(recording))
    after, (note,) = watch(url, tmp_path / "a.db")
    assert "has grown since it was watched" in note
    assert after[0] == before[-1]
    watch(server.put("/whole.ts", served(recording)), tmp_path / "whole.db")
    for path in (tmp_path / "a.db", tmp_path / "whole.db"):
        with Journal.open(path) as journal:
            (stream,) = journal.streams.all()
            seen = [(clip.span, clip.caption) for clip in journal.clips.of(stream.id)]
            if path.name == "a.db":
                expected = seen
    assert seen == expected


def test_what_cannot_be_compared_is_not_gone_on_with(server: FaultServer, recording: bytes, tmp_path: Path) -> None:
    """Without ranges the end of the shorter version can't be found in the longer one."""
    url = server.put("/growing.ts", tagged(recording[: len(recording) // 2], ranges=False))
    watch(url, tmp_path / "a.db")
    server.put("/growing.ts", tagged(recording, ranges=False))
    indices, (note,) = watch(url, tmp_path / "a.db")
    assert (indices[0], "was replaced" in note) == (0, True)


def test_replaced_on_the_server_while_it_is_watched(server: FaultServer, recording: bytes, tmp_path: Path) -> None:
    url = server.put("/latest.ts", tagged(recording))
    with Watcher(FakeModel(), tmp_path / "a.db", QUICK, NEAR) as watcher, closing(watcher.watch(url)) as moments:
        next(moments)
        server.put("/latest.ts", tagged(grey_video("mpegts", range(200, 10, -2))))
        with pytest.raises(SourceChangedError, match="was replaced while it was watched"):
            list(moments)
    with Journal.open(tmp_path / "a.db") as journal:
        (stream,) = journal.streams.all()
        assert stream.end_reason == EndReason.FAILED
    assert watch(url, tmp_path / "a.db")[0][0] == 0


def test_a_playlist_is_known_by_its_segments(server: FaultServer, tmp_path: Path) -> None:
    pieces = [grey_video("mpegts", range(10 + 20 * k, 30 + 20 * k, 1), first_second=2.0 * k) for k in range(4)]
    for number, piece in enumerate(pieces):
        server.put(f"/piece{number}.ts", served(piece))
        server.put(f"/other{number}.ts", served(piece))

    def put(name: str, count: int, key: str) -> str:
        lines = [f"{name}{number}.ts?key={key}" for number in range(count)]
        return server.put("/show.m3u8", served(playlist(*lines, seconds=2.0)))

    url = put("piece", 3, "a")
    first, _ = watch(url, tmp_path / "a.db")
    assert first == [0, 1, 2]
    put("piece", 3, "b")  # the key is another one each time
    assert watch(url, tmp_path / "a.db") == ([], [])
    put("piece", 4, "c")
    longer, (note,) = watch(url, tmp_path / "a.db")
    assert (longer, "has grown" in note) == ([2, 3], True)
    put("other", 4, "d")
    indices, (note,) = watch(url, tmp_path / "a.db")
    assert (indices[0], "was replaced" in note) == (0, True)
