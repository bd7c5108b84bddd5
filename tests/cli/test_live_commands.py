"""Live streams on the command line: pushed frames, several sources, gaps in answers, times by the clock on the wall."""

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from keepsight.cli.times import stream_seconds
from keepsight.errors import SettingError
from keepsight.journal import GapRecord, Journal, StreamRecord
from keepsight.spans import Span
from tests.cli.ended import Keepsight
from tests.patience import DEADLINE_SECONDS

MakeVideo = Callable[..., Path]
FAKE = ("--model", "fake")


def push(path: Path, num_frames: int, fps: float, *, says_end: bool) -> threading.Thread:
    """A program that pushes frames into a FIFO as fast as they are taken."""

    def write() -> None:
        with path.open("wb") as fifo:
            for number in range(num_frames):
                line = {"type": "frame", "pts_seconds": number / fps, "width": 8, "height": 8}
                picture = np.full((8, 8, 3), number * 5 % 256, np.uint8)
                fifo.write(json.dumps(line).encode() + b"\n" + picture.tobytes())
                fifo.flush()
            if says_end:
                fifo.write(b'{"type": "end"}\n')

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


def test_pushed_frames_are_watched_until_their_end(keepsight: Keepsight, tmp_path: Path) -> None:
    fifo = tmp_path / "frames"
    os.mkfifo(fifo)
    writer = push(fifo, 30, 1.0, says_end=True)
    ended = keepsight("watch", "frames", *FAKE, "--sample-fps", "1", "--ask", "What happened?")
    writer.join(DEADLINE_SECONDS)
    assert ended.code == 0
    states = [event["state"] for event in ended.of("source")]
    assert states == ["connecting", "streaming", "ended"]
    clips = ended.of("clip")
    assert [clip["num_frames"] for clip in clips] == [16, 14]
    assert [clip["num_frames_expected"] for clip in clips] == [16, 16]
    assert all(datetime.fromisoformat(clip["started_at"]).tzinfo for clip in clips)
    assert len(ended.of("answer")) == 1
    with Journal.open(tmp_path / "frames.db") as journal:
        (stream,) = journal.streams.all()
    assert stream.is_live


def test_frames_pushed_faster_than_real_time_are_all_described(keepsight: Keepsight, tmp_path: Path) -> None:
    fifo = tmp_path / "frames"
    os.mkfifo(fifo)
    writer = push(fifo, 300, 1.0, says_end=True)
    ended = keepsight("watch", "frames", *FAKE, "--sample-fps", "1")
    writer.join(DEADLINE_SECONDS)
    assert ended.code == 0
    clips = ended.of("clip")
    first = clips[0]["start_seconds"]
    assert [clip["num_frames"] for clip in clips] == [16] * 18 + [12]
    assert [clip["start_seconds"] - first for clip in clips] == pytest.approx([16 * k for k in range(19)], abs=0.01)
    assert clips[-1]["end_seconds"] == pytest.approx(first + 300, abs=0.01)
    assert [clip["num_frames_dropped"] for clip in clips] == [0] * 19


def test_several_sources_are_watched_side_by_side(keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path) -> None:
    videos = [make_video(seconds=20), make_video(seconds=30)]
    ended = keepsight("watch", *videos, "nothing.mp4", "--model", "tiny", "--sample-fps", "2")
    assert ended.code == 2
    assert "no such file: nothing.mp4" in ended.err
    ended = keepsight("watch", *videos, "--model", "tiny", "--sample-fps", "2", "--ask", "What is there?")
    assert ended.code == 0
    assert [answer["num_captions_given"] for answer in ended.of("answer")] == [3, 4]
    named = [clip["source"] for clip in ended.of("clip")]
    assert sorted(named) == [str(videos[0])] * 3 + [str(videos[1])] * 4
    with Journal.open(tmp_path / "keepsight.db") as journal:
        assert {stream.source for stream in journal.streams.all()} == {str(video) for video in videos}
    asked = keepsight("ask", "keepsight.db", "What is there?", "--source", videos[0].name)
    assert asked.of("answer")[0]["num_captions_given"] == 3
    folder = videos[0].parent.name
    assert f"'{folder}' matches several streams" in keepsight("ask", "keepsight.db", "?", "--source", folder).complaint
    for name in ("garden", ".mp4", videos[0].stem[:-1]):
        assert f"no stream matches '{name}'" in keepsight("ask", "keepsight.db", "What?", "--source", name).complaint
    for video in videos:
        assert keepsight("report", "keepsight.db", "--source", video.name, "-o", "one.html").code == 0
        assert f"<h1>{video.name}</h1>" in Path("one.html").read_text(encoding="utf-8")
    assert "no stream matches" in keepsight("report", "keepsight.db", "--source", "garden").complaint


def test_the_same_source_twice_is_refused(keepsight: Keepsight, make_video: MakeVideo) -> None:
    ended = keepsight("watch", make_video(), make_video(), *FAKE)
    assert ended.code == 2
    assert "sources must be distinct" in ended.complaint


@pytest.fixture
def live(keepsight: Keepsight, tmp_path: Path) -> Path:
    """A journal of a live stream of two clips, with a gap."""
    fifo = tmp_path / "frames"
    os.mkfifo(fifo)
    writer = push(fifo, 32, 1.0, says_end=True)
    assert keepsight("watch", "frames", *FAKE, "--sample-fps", "1").code == 0
    writer.join(DEADLINE_SECONDS)
    with Journal.open(tmp_path / "frames.db") as journal:
        (stream,) = journal.streams.all()
        journal.gaps.add(GapRecord(stream.id, Span(1.0, 3.0), "the camera was away"))
    return tmp_path / "frames.db"


def test_an_answer_says_what_was_not_seen(keepsight: Keepsight, live: Path) -> None:
    (answer,) = keepsight("ask", live, "What happened?").of("answer")
    assert answer["gaps"] == [{"start_seconds": 1.0, "end_seconds": 3.0, "reason": "the camera was away"}]
    shown = keepsight("ask", live, "What happened?", "--no-json").out
    with Journal.open(live) as journal:
        began = journal.streams.all()[0].started_at
    start, end = ((began + timedelta(seconds=s)).astimezone().strftime("%H:%M:%S") for s in (1, 3))
    assert f"no video from {start} to {end}: the camera was away" in shown


def test_clips_are_pinned_by_the_clock(keepsight: Keepsight, live: Path) -> None:
    with Journal.open(live) as journal:
        (stream,) = journal.streams.all()
        first, second = journal.clips.captions(stream.id)
    moment = (stream.started_at + timedelta(seconds=first.span.start_seconds + 3)).astimezone()
    pinned = keepsight("pin", live, moment.strftime("%Y-%m-%d %H:%M:%S")).of("pin")
    assert [(line["clip_index"], line["pinned"]) for line in pinned] == [(0, True)]
    with Journal.open(live) as journal:
        assert journal.clips.pinned(stream.id) == [0]
    late = (stream.started_at + timedelta(seconds=second.span.start_seconds + 3)).astimezone()
    both = [time.strftime("%Y-%m-%d %H:%M:%S") for time in (moment, late)]
    assert len(keepsight("pin", live, *both, "--unpin").of("pin")) == 2
    with Journal.open(live) as journal:
        assert journal.clips.pinned(stream.id) == []
    assert "must not be before FROM" in keepsight("pin", live, *both[::-1]).complaint
    assert "a time of a live stream must be" in keepsight("pin", live, "noon").complaint
    assert "before" in keepsight("pin", live, "2001-01-01 12:00").complaint


def record(began: datetime, *, is_live: bool) -> StreamRecord:
    return StreamRecord("id", "camera", "fake", "{}", began, is_live=is_live)


def test_a_time_without_a_date_is_the_last_one() -> None:
    now = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    stream = record((now - timedelta(days=3)).astimezone(UTC), is_live=True)
    assert stream_seconds(stream, "11:00", now) == pytest.approx(3 * 86_400 - 3600, abs=3601)  # but for summer time
    assert stream_seconds(stream, "13:00", now) == pytest.approx(2 * 86_400 + 3600, abs=3601)
    assert stream_seconds(record(now, is_live=False), "11:00") == 660


@pytest.mark.parametrize("text", ["25:00", "", "12", "12:03 pm", "-1:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    stream = record(datetime(2026, 1, 1, tzinfo=UTC), is_live=True)
    with pytest.raises(SettingError, match="a time of a live stream must be"):
        stream_seconds(stream, text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--drop", "wait"), "drop-oldest"),
        (("--drop", "nonsense"), "drop-oldest"),
        (("--stall-seconds", "0"), "must be a finite number over 0"),
        (("--max-gigabytes", "0"), "must be a number over 0 and at most 1000000"),
        (("--max-gigabytes", "inf"), "must be a number over 0 and at most 1000000"),
        (
            ("--max-stream-gigabytes", "0"),
            "--max-stream-gigabytes must be a number over 0 and at most 1000000, or none, got 0.0",
        ),
        (("--max-stream-gigabytes", "-1"), "must be a number over 0 and at most 1000000"),
        (("--max-stream-gigabytes", "nan"), "must be a number over 0 and at most 1000000"),
        (("--max-stream-gigabytes", "much"), "must be a number over 0 and at most 1000000, or none, got 'much'"),
        (("--max-days", "-3"), "must be a number over 0 and at most 1000000"),
    ],
)
def test_nonsense_is_refused(keepsight: Keepsight, make_video: MakeVideo, words: tuple[str, ...], says: str) -> None:
    ended = keepsight("watch", make_video(), *FAKE, *words)
    assert ended.code == 2
    assert says in ended.complaint
