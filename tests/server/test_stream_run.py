"""A dead decoder is restarted a few times, and no more; what ended is forgotten; captions stay text."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from keepsight.engine.finding import find_or_begin
from keepsight.engine.watcher import Watcher
from keepsight.errors import DecoderDiedError
from keepsight.hub.run import MOST_RESTARTS, StreamRun
from keepsight.hub.runs import StreamRuns
from keepsight.journal import Journal
from keepsight.server.http.export import srt_lines, vtt_lines
from keepsight.video import Frame, VideoInfo
from tests.journal.clip_records import make_clip
from tests.server.served import QUICK, ServedModel
from tests.small_videos import MakeVideo


class DyingConnection:
    """A video of 20 frames at 2 a second, whose decoder dies after so many more frames each time."""

    def __init__(self, num_frames_lived: int) -> None:
        self._num_frames_lived = num_frames_lived

    @property
    def info(self) -> VideoInfo:
        return VideoInfo(8, 8, 10.0, None, "fake", 0, None)

    @property
    def extent(self) -> None:
        return None

    def sampled_frames(
        self, sample_fps: float, *, start_seconds: float = 0.0, silence_seconds: float | None = None
    ) -> Iterator[Frame]:
        first = round(start_seconds * 2)
        for number in range(first, 20):
            if number == first + self._num_frames_lived:
                raise DecoderDiedError("the process that decodes died")
            yield Frame(np.full((8, 8, 3), number, np.uint8), number / 2)

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("num_frames_lived", "expected_state", "expected_clips"),
    [(99, "complete", 5), (8, "complete", 5), (4, "failed", MOST_RESTARTS + 1), (0, "failed", 0)],
)
def test_a_dead_decoder_is_restarted(
    journal: Journal, tmp_path: Path, num_frames_lived: int, expected_state: str, expected_clips: int
) -> None:
    model, video = ServedModel(), tmp_path / "video.mp4"
    video.write_bytes(b"what is read in its place")
    stream = find_or_begin(journal, str(video), model, QUICK).stream
    run = StreamRun(
        stream,
        str(video),
        Watcher(model, journal, QUICK),
        journal,
        lambda: DyingConnection(num_frames_lived),
        None,
        threading.Event().set,
    )
    run.start()
    run.join()
    assert (run.state, journal.clips.count(stream.id)) == (expected_state, expected_clips)
    assert ("died" in run.reason) == (expected_state == "failed")


def test_freed_memory_is_given_back_while_a_stream_goes_on(
    journal: Journal, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera has no end: every so many clips, and at the end."""
    num_clips_at: list[int] = []
    monkeypatch.setattr("keepsight.hub.run.CLIPS_BETWEEN_TRIMS", 3)
    model, video = ServedModel(), str(make_video(20))
    stream = find_or_begin(journal, video, model, QUICK).stream
    watcher = Watcher(model, journal, QUICK)
    monkeypatch.setattr("keepsight.hub.run.give_back", lambda: num_clips_at.append(journal.clips.count(stream.id)))
    run = StreamRun(stream, video, watcher, journal, None, None, threading.Event().set)
    run.start()
    run.join()
    assert journal.clips.count(stream.id) == 10
    assert len(num_clips_at) == 4
    assert num_clips_at[-1] == 10


HOSTILE = "<script>alert(1)</script> & a --> b\n\n7\n00:00:00.000 --> 99:00:00.000\n{\\an8}boo"


def test_ended_runs_are_forgotten_but_not_failed_ones(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server begins streams for weeks."""
    monkeypatch.setattr("keepsight.hub.runs.MOST_ENDED", 2)
    model, runs, begun = ServedModel(), StreamRuns(max_streams=1), []
    for number, num_frames_lived in enumerate((0, 99, 99, 99, 99)):
        video = str(tmp_path / f"video{number}.mp4")
        Path(video).write_text(f"what is read in place of {number}")
        stream = find_or_begin(journal, video, model, QUICK).stream
        connect = partial(DyingConnection, num_frames_lived)
        watcher = Watcher(model, journal, QUICK)
        runs.start(StreamRun(stream, video, watcher, journal, connect, connect(), lambda: None))
        begun.append(runs.all()[-1])
        begun[-1].join()
    assert [run.state for run in begun] == ["failed", *["complete"] * 4]
    assert runs.all() == [begun[0], begun[2], begun[3], begun[4]]  # the last one had not ended when it was begun
    assert runs.of(begun[1].stream.id) is None


def test_captions_are_text_in_exports(journal: Journal) -> None:
    stream = journal.streams.begin("s", "tiny", "{}")
    for index, caption in enumerate((HOSTILE, "", "a dog waits")):
        journal.clips.add(make_clip(stream.id, index, caption=caption))
    captions = journal.clips.captions(stream.id)
    vtt, srt = "".join(vtt_lines(captions)), "".join(srt_lines(captions))
    for text, num_heads in ((vtt, 1), (srt, 0)):
        assert "<" not in text
        blocks = text.strip().split("\n\n")[num_heads:]
        assert [len(block.splitlines()) for block in blocks] == [3, 3, 3]
    assert vtt.count(" --> ") == 3
    assert "&lt;script&gt;" in vtt
    assert "{" not in srt
