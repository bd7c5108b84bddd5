"""`keepsight watch`: what it prints is what it stores, and it goes on where it was stopped."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.journal import EndReason, Journal
from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.settings import PAPER, Settings
from tests.cli.ended import Keepsight, MakeVideo
from tests.fake_model import FakeModel

WATCH = ("--model", "fake", "--sample-fps", 2)  # a clip spans 8 s


def stored(path: Path) -> list[tuple[float, str]]:
    with Journal.open(path, read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        return [(clip.span.start_seconds, clip.caption) for clip in journal.clips.captions(stream.id)]


def test_json_lines_are_what_is_stored(keepsight: Keepsight, make_video: MakeVideo) -> None:
    video = make_video(seconds=30)
    ended = keepsight("watch", video, *WATCH)
    assert ended.code == 0
    clips = ended.of("clip")
    assert [(clip["start_seconds"], clip["caption"]) for clip in clips] == stored(Path(f"{video.stem}.db"))
    assert [clip["end_seconds"] for clip in clips] == [8, 16, 24, 30]
    (summary,) = ended.of("summary")
    assert summary["num_clips"] == 4
    assert summary["watched_seconds"] == 30
    assert summary["kept_percent"] == pytest.approx(6.25, abs=1)
    assert summary["seconds_a_clip"] == pytest.approx(summary["wall_seconds"] / 4, rel=0.01)
    assert [line["event"] for line in ended.events] == ["start", *["clip"] * 4, "summary"]
    with Journal.open(Path(f"{video.stem}.db")) as journal:
        (stream,) = journal.streams.all()
    assert ended.events[0]["settings"] == json.loads(stream.settings_json)


def test_text_has_each_caption_behind_its_span_and_a_summary(keepsight: Keepsight, make_video: MakeVideo) -> None:
    ended = keepsight("watch", make_video(seconds=16), *WATCH, "--no-json", "--journal", "a.db")
    lines = ended.out.splitlines()
    captions = [caption for _, caption in stored(Path("a.db"))]
    assert lines[:2] == [f"00:00-00:08  {captions[0]}", f"00:08-00:16  {captions[1]}"]
    for words in ("2 clips of 00:16", "s a clip", "x real time", "kept 6", "peak memory", "journal a.db"):
        assert words in lines[2]


def test_questions_are_answered_at_the_end(keepsight: Keepsight, make_video: MakeVideo) -> None:
    ended = keepsight("watch", make_video(seconds=16), *WATCH, "--ask", "Where is the dog?", "--ask", "And the cat?")
    answers = ended.of("answer")
    assert [answer["question"] for answer in answers] == ["Where is the dog?", "And the cat?"]
    for answer in answers:
        assert answer["answer"] == "I was given 2 lines [99:00-99:32]."
        assert [citation["start_seconds"] for citation in answer["citations"]] == [0, 8]


def test_watching_again_finds_nothing_new_and_still_answers(keepsight: Keepsight, make_video: MakeVideo) -> None:
    video = make_video(seconds=16)
    keepsight("watch", video, *WATCH, "--journal", "a.db")
    ended = keepsight("watch", video, *WATCH, "--journal", "a.db", "--no-json", "--ask", "Where?")
    assert ended.code == 0
    assert ended.out.startswith("nothing new to watch; journal a.db")
    assert "? Where?" in ended.out
    assert "(2 captions)" in ended.out


class Interrupting(FakeModel):
    """Sends this process a signal while it describes a clip."""

    def __init__(self, at_call: int, number: signal.Signals) -> None:
        super().__init__()
        self.at_call, self.number = at_call, number

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        if len(self.memory_lengths) == self.at_call:
            os.kill(os.getpid(), self.number)
        return super().describe(clip, request)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_cleanly_and_the_same_command_goes_on(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    video = make_video(seconds=40)
    whole = keepsight("watch", video, *WATCH, "--journal", "whole.db")
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        from keepsight.models import loading

        patch.setattr(loading, "load_model", lambda *_, **__: Interrupting(2, number))
        stopped = keepsight("watch", video, *WATCH, "--journal", "a.db")
    assert stopped.code == code
    assert len(stopped.of("clip")) == 2
    assert stopped.complaint == ("stopped at 00:16; everything up to there is in a.db; run the same command to resume")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    with Journal.open("a.db", read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        assert stream.end_reason is EndReason.INTERRUPTED
    resumed = keepsight("watch", video, *WATCH, "--journal", "a.db")
    assert resumed.code == 0
    assert len(resumed.of("clip")) == 3
    assert stored(Path("a.db")) == stored(Path("whole.db"))
    assert stopped.of("clip") + resumed.of("clip") != []
    assert [c["caption"] for c in stopped.of("clip") + resumed.of("clip")] == [c["caption"] for c in whole.of("clip")]


def test_options_reach_the_settings(keepsight: Keepsight, make_video: MakeVideo) -> None:
    options = ("--selector", "uniform", "--retention", 0.5, "--memory-clips", 2, "--paper", "--live")
    ended = keepsight("watch", make_video(seconds=16), *WATCH, *options, "--journal", "a.db")
    assert ended.code == 0
    with Journal.open("a.db", read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        settings = Settings.from_json(stream.settings_json)
    assert settings == replace(PAPER, sample_fps=2, selector="uniform", retention=0.5, memory_clips=2, live=True)


def test_a_caption_cannot_steer_the_terminal(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, fake_model: FakeModel
) -> None:
    monkeypatch.setattr("tests.fake_model.NOUNS", ("dog\x1b[2J\x07\r[red]\n",) * 8)
    ended = keepsight("watch", make_video(seconds=8), *WATCH, "--no-json")
    assert "[red]" in ended.out
    assert not {"\x1b", "\x07", "\r"} & set(ended.out)
    assert len(ended.out.splitlines()) == 2
