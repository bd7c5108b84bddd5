"""`keepsight ask`, `report`, `models`, `toyworld make`."""

import json
from pathlib import Path

import pytest

from keepsight.cli.options import parse_time
from keepsight.errors import SettingError
from tests.cli.ended import Keepsight, MakeVideo

WATCH = ("--model", "fake", "--sample-fps", 2, "--journal", "a.db")


def test_an_answer_uses_only_what_had_ended(keepsight: Keepsight, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=40), *WATCH)
    (answer,) = keepsight("ask", "a.db", "Where is it?", "--at", "0:25").of("answer")
    assert answer["ask_seconds"] == 25
    assert [citation["end_seconds"] for citation in answer["citations"]] == [8, 16, 24]
    assert (answer["num_captions_given"], answer["num_captions_left_out"]) == (3, 0)


def test_a_time_after_the_last_caption_is_answered_and_said(keepsight: Keepsight, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=40), *WATCH)
    ended = keepsight("ask", "a.db", "Where is it?", "--at", "99:00:00")
    assert ended.of("answer")[0]["num_captions_given"] == 5
    assert "99:00:00 is after the last caption, which ends at 00:40" in ended.complaint
    assert keepsight("ask", "a.db", "Where is it?", "--at", "40").err == ""


def test_a_question_before_the_first_clip_has_ended(keepsight: Keepsight, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=16), *WATCH)
    ended = keepsight("ask", "a.db", "Where is it?", "--at", "3")
    assert ended.code == 2
    assert "nothing was captioned by 00:03" in ended.complaint


def test_an_answer_as_text_shows_question_answer_and_closest_captions(
    keepsight: Keepsight, make_video: MakeVideo
) -> None:
    watched = keepsight("watch", make_video(seconds=80), *WATCH)
    captions = [clip["caption"] for clip in watched.of("clip")]
    unlike = next(caption for caption in captions if captions.count(caption) == 1)
    ended = keepsight("ask", "a.db", f"When: {unlike}", "--no-json")
    lines = ended.out.splitlines()
    assert f"? When: {unlike}" in lines
    assert any("lines [99:00-99:32]." in line for line in lines)
    assert any(line.startswith("    0") and line.endswith(unlike) for line in lines)
    assert lines[-1] == "    (10 captions, the 5 closest are shown)"


@pytest.mark.parametrize("at", ["soon", "1:2:3:4", "-5", ""])
def test_a_time_that_is_none(keepsight: Keepsight, make_video: MakeVideo, at: str) -> None:
    keepsight("watch", make_video(seconds=8), *WATCH)
    ended = keepsight("ask", "a.db", "Where?", f"--at={at}")
    assert ended.code == 2
    assert "a time must be written as" in ended.complaint


@pytest.mark.parametrize(
    ("text", "seconds"), [("75", 75), ("75.5", 75.5), ("1:15", 75), ("0:01:15", 75), ("2:00:00.25", 7200.25)]
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


def test_times_in_other_digits_are_refused() -> None:
    with pytest.raises(SettingError):
        parse_time("١٢")


@pytest.mark.parametrize("text", ["99:99:99", "1:60", "1:60:00", "0:00:60", "0:99"])
def test_more_minutes_or_seconds_than_there_are_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match=f"below 60, got '{text}'"):
        parse_time(text)


def test_many_minutes_and_hours_are_none_too_many() -> None:
    assert (parse_time("90:00"), parse_time("100:00:00"), parse_time("7200")) == (5400, 360_000, 7200)


def test_the_report_of_a_watched_video(keepsight: Keepsight, make_video: MakeVideo) -> None:
    video = make_video(seconds=40)
    watched = keepsight("watch", video, *WATCH, "--ask", "Where is <it>?")
    ended = keepsight("report", "a.db")
    assert ended.events == [
        {"event": "report", "path": "a.html", "num_bytes": Path("a.html").stat().st_size, "num_clips": 5}
    ]
    html = Path("a.html").read_text(encoding="utf-8")
    for clip in watched.of("clip"):
        assert f'<p class="caption">{clip["caption"]}</p>' in html
    assert video.name in html
    assert "Where is &lt;it&gt;?" in html
    assert html.count('class="chip"') == 5  # all five clips are in the memory of sixteen


def test_the_report_of_an_interrupted_video_says_so(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("keepsight.cli.events.emit_clip", stop)
        assert keepsight("watch", make_video(seconds=40), *WATCH).code == 130
    keepsight("report", "a.db")
    assert "it can be resumed from there" in Path("a.html").read_text(encoding="utf-8")


def test_models_are_json_lines_or_a_table(keepsight: Keepsight) -> None:
    from keepsight.models.registry import ADAPTERS, list_models

    ended = keepsight("models")
    assert [line["name"] for line in ended.of("model")] == [model.name for model in list_models()]
    architectures = ended.of("architecture")
    assert [line["model_type"] for line in architectures] == list(ADAPTERS)
    assert all(line["examples"] and line["tokens_per_frame"] > 0 for line in architectures)
    text = keepsight("models", "--no-json").out
    assert all(line["examples"][0] in text for line in architectures)
    assert all(model.name in text for model in list_models())


def test_a_toy_video_and_its_truth(keepsight: Keepsight) -> None:
    ended = keepsight("toyworld", "make", "toy.mp4", "--minutes", 0.5, "--seed", 3, "--fps", 1)
    (video,) = ended.of("video")
    truth = json.loads(Path(video["truth_path"]).read_text(encoding="utf-8"))
    assert video["duration_seconds"] == truth["duration"]
    assert video["num_clips"] == len(truth["clips"])
    again = keepsight("watch", "toy.mp4", *WATCH[:2])
    assert [clip["start_seconds"] for clip in again.of("clip")] == [clip["start_time"] for clip in truth["clips"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("toy.avi",), ".mp4"),
        (("nowhere/toy.mp4",), "nowhere"),
        (("toy.mp4", "--minutes", 0), "minutes"),
        (("toy.mp4", "--difficulty", "silly"), "difficulty"),
        (("toy.mp4", "--seed", -1), "seed"),
    ],
    ids=str,
)
def test_a_toy_video_that_cannot_be_made(keepsight: Keepsight, words: tuple[object, ...], says: str) -> None:
    ended = keepsight("toyworld", "make", *words)
    assert ended.code == 2
    assert says in ended.complaint
