"""The whole way from a real server on loopback to the journal: lost, found again, stalled, asked about."""

import io
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import StreamLockedError
from keepsight.journal import EndReason, Journal
from keepsight.settings import Settings
from keepsight.sources.backoff import Backoff
from keepsight.sources.settings import SourceSettings, SupervisionSettings
from keepsight.sources.supervision import SourceState, StateChange
from tests.fake_model import FakeModel
from tests.patience import DEADLINE_SECONDS
from tests.sources import rtsp_process
from tests.sources.rtsp_process import Server

QUICK = Settings(frames_per_clip=4, sample_fps=4.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
NEAR = SourceSettings(allow_private=True, supervision=SupervisionSettings(stall_seconds=2.0, backoff=Backoff(0.1, 0.5)))
USER, PASSWORD = "viewer", "p%3Aa%2Fs%40s"

Event = Moment | StateChange | SourceNote


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with rtsp_process.running() as process:
        yield process


class Following:
    """A watcher in a thread, and what has happened to it."""

    def __init__(self, watcher: Watcher, address: str) -> None:
        self.events: list[Event] = []
        self._watcher = watcher
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, args=(address,), daemon=True)
        self._thread.start()

    def _follow(self, address: str) -> None:
        try:
            with closing(self._watcher.events(address)) as events:
                for event in events:
                    self.events.append(event)
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the test
            self._failure = error

    def wait(self, what: Callable[[list[Event]], object], seconds: float = 2 * DEADLINE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not what(self.events):
            if self._failure is not None:
                raise self._failure
            assert time.monotonic() < deadline, self.events[-5:]
            time.sleep(0.02)

    def stop(self) -> None:
        self._watcher.stop()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure


def count(kind: SourceState) -> Callable[[list[Event]], int]:
    return lambda events: sum(isinstance(event, StateChange) and event.state is kind for event in events)


def stalls(events: list[Event]) -> list[Event]:
    """What happened from the first change on that says that pictures have ceased."""
    for number, event in enumerate(events):
        if (
            isinstance(event, StateChange)
            and event.reason
            and ("no picture" in event.reason or "nothing" in event.reason)
        ):
            return events[number:]
    return []


def num_moments(events: list[Event]) -> int:
    return sum(isinstance(event, Moment) for event in events)


def test_a_camera_that_reboots_is_found_again_and_its_absence_is_known(tmp_path: Path, fake_model: FakeModel) -> None:
    rtsp_process.require_server()
    server, path = Server(), tmp_path / "camera.db"
    server.start()
    with Watcher(fake_model, path, QUICK, NEAR) as watcher:
        following = Following(watcher, server.url("/h264"))
        following.wait(lambda events: num_moments(events) >= 2)
        server.kill()
        following.wait(lambda events: count(SourceState.OFFLINE)(events) >= 2)
        seen = num_moments(following.events)
        server.start()
        try:
            following.wait(lambda events: num_moments(events) >= seen + 2)
        finally:
            following.stop()
            server.kill()
        answer = watcher.ask("What happened?")
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        clips = list(journal.clips.of(stream.id))
        gaps = journal.gaps.of(stream.id)
    assert stream.is_live
    assert stream.end_reason is EndReason.COMPLETE
    assert [clip.clip_index for clip in clips] == list(range(len(clips)))
    announced = [event.clip_index for event in following.events if isinstance(event, Moment)]
    assert announced == [clip.clip_index for clip in clips]
    (gap,) = gaps
    before = [clip for clip in clips if clip.span.end_seconds <= gap.span.start_seconds + 0.01]
    after = [clip for clip in clips if clip.span.start_seconds >= gap.span.end_seconds - 0.01]
    assert len(before) + len(after) == len(clips)
    assert len(before) == seen
    assert gap.span.duration_seconds > 0.1
    assert answer.gaps == (gap,)
    for one, other in itertools.pairwise(clips):
        assert one.span.end_seconds <= other.span.start_seconds + 1 / QUICK.sample_fps


def test_a_camera_that_stalls_is_tried_again(server: Server, tmp_path: Path, fake_model: FakeModel) -> None:
    with Watcher(fake_model, tmp_path / "camera.db", QUICK, NEAR) as watcher:
        following = Following(watcher, server.url("/stall"))
        following.wait(stalls)  # on a busy machine connecting itself may first take too long
        following.wait(lambda events: count(SourceState.CONNECTING)(stalls(events)) >= 1)
        following.stop()


def test_a_resolution_that_changes_does_not_end_it(server: Server, tmp_path: Path, fake_model: FakeModel) -> None:
    with Watcher(fake_model, tmp_path / "camera.db", QUICK, NEAR) as watcher:
        following = Following(watcher, server.url("/resize"))
        following.wait(lambda events: num_moments(events) >= 3)
        following.stop()


def test_the_same_command_goes_on_and_a_second_watcher_is_refused(
    server: Server, tmp_path: Path, fake_model: FakeModel
) -> None:
    path = tmp_path / "camera.db"
    for run in (1, 2):
        with Watcher(fake_model, path, QUICK, NEAR) as watcher, Watcher(fake_model, path, QUICK, NEAR) as second:
            following = Following(watcher, server.url("/mjpeg"))
            following.wait(lambda events: num_moments(events) >= 1)
            with pytest.raises(StreamLockedError):
                next(second.events(server.url("/mjpeg")))
            following.stop()
        with Journal.open(path) as journal:
            (stream,) = journal.streams.all()
            indices = [clip.clip_index for clip in journal.clips.of(stream.id)]
            assert indices == list(range(len(indices)))
            assert len(journal.gaps.of(stream.id)) == run - 1


def test_a_password_is_nowhere_in_what_is_written(
    server: Server, tmp_path: Path, fake_model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "camera.db"
    address = server.url("/secret/h264", user=f"{USER}:{PASSWORD}@", port="digest_port")
    wrong = server.url("/secret/h264", user=f"{USER}:wrongsecret@", port="digest_port")
    written = io.StringIO()
    with caplog.at_level(logging.DEBUG), redirect_stdout(written), redirect_stderr(written):
        with Watcher(fake_model, path, QUICK, NEAR) as watcher:
            following = Following(watcher, address)
            following.wait(lambda events: num_moments(events) >= 1)
            following.stop()
            refused = Following(watcher, wrong)
            refused.wait(lambda events: count(SourceState.OFFLINE)(events) >= 1)
            refused.stop()
        said = [repr(event) for event in (*following.events, *refused.events)]
    everything = "".join([*said, caplog.text, written.getvalue()]).encode()
    everything += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (PASSWORD, "p:a/s@s", "wrongsecret", f"{USER}:"):
        assert secret.encode() not in everything
