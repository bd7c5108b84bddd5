"""The plug-in for lmms-eval: its answers against the watcher's own, and, where lmms-eval is installed, inside it.

lmms-eval brings some hundred packages and is no part of the development environment, so the tests that need it are
skipped there; docs/lmms-eval.md says how to install it and what was run with it.
"""

import ast
import json
import logging
import math
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.bench.scoring.judge import JudgeScorer
from keepsight.bench.scoring.verdict import Verdict
from keepsight.engine.watcher import Watcher
from keepsight.errors import DataError, EmptyJournalError, MalformedVerdictError, SettingError, SourceNotFoundError
from keepsight.journal import EndReason, Journal
from keepsight.lmms_plugin import TASKS
from keepsight.lmms_plugin.answering import VideoAnswerer
from keepsight.lmms_plugin.arguments import read_settings
from keepsight.lmms_plugin.questions import VideoQuestion, read_question
from keepsight.lmms_plugin.rvs_documents import LOADERS, mean_score, read_documents, score_reply, video_content
from keepsight.method.protocol import AnswerRequest
from keepsight.settings import Settings
from tests.fake_model import FakeModel

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(sample_fps=1.0, frames_per_clip=4)  # clips of 4 s
MakeVideo = Callable[..., Path]


def answer(model: FakeModel, *questions: VideoQuestion, watched: Settings = SETTINGS) -> list[str]:
    with VideoAnswerer(model, watched) as answerer:
        return answerer.answer_all(questions)


def contexts_of_watcher(path: Path, folder: Path, times: list[float]) -> list[str]:
    """What the model is given when the whole video is watched first and then asked about at each time."""
    model = FakeModel()
    with Watcher(model, folder / "whole.db", SETTINGS) as watcher:
        list(watcher.watch(path))
        for seconds in times:
            try:
                watcher.ask("What is there?", None if math.isinf(seconds) else seconds)
            except EmptyJournalError:
                model.answer(AnswerRequest("", "What is there?"))
    return [call.context for call in model.calls]


def test_answers_are_given_from_what_the_watcher_gives_them_from(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(22)
    times = [10.0, 0.5, 4.0, 3.999, math.inf, 21.0, 22.0, 30.0, 4.0]
    model = FakeModel()
    replies = answer(model, *[VideoQuestion(path, "What is there?", ask_seconds=seconds) for seconds in times])
    expected = contexts_of_watcher(path, tmp_path, times)
    asked = sorted(times)  # the model is asked in order of time, the answers come in that of the questions
    assert [call.context for call in model.calls] == [expected[times.index(seconds)] for seconds in asked]
    assert [context.count("[") for context in expected] == [2, 0, 1, 0, 6, 5, 6, 6, 1]
    assert replies == [f"I was given {context.count('[')} lines [99:00-99:32]." for context in expected]


def test_ten_questions_about_one_video_watch_it_once(make_video: MakeVideo) -> None:
    one, other = make_video(22), make_video(9)
    model = FakeModel()
    with VideoAnswerer(model, SETTINGS) as answerer:
        questions = [VideoQuestion(path, f"Question {number}?") for number in range(10) for path in (one, other)]
        replies = answerer.answer_all(questions)
        assert [reply.split()[3] for reply in replies] == ["6", "3"] * 10
        assert len(model.memory_lengths) == 6 + 3
        answerer.answer_all(questions[:4])
        assert len(model.memory_lengths) == 6 + 3


def test_a_video_is_watched_no_further_than_it_is_asked_about(make_video: MakeVideo) -> None:
    model = FakeModel()
    with VideoAnswerer(model, SETTINGS) as answerer:
        answerer.answer_all([VideoQuestion(make_video(22), "What?", ask_seconds=9.0)])
        assert len(model.memory_lengths) == 2
        (reply,) = answerer.answer_all([VideoQuestion(make_video(22), "What?", ask_seconds=17.0)])
    assert reply.split()[3] == "4"
    assert len(model.memory_lengths) == 4


def test_a_video_gone_on_with_has_the_captions_of_one_watched_at_once(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(22)
    (expected,) = contexts_of_watcher(path, tmp_path, [math.inf])
    model = FakeModel()
    with VideoAnswerer(model, SETTINGS) as answerer:
        for seconds in (6.0, 13.5, math.inf):
            answerer.answer_all([VideoQuestion(path, "What is there?", ask_seconds=seconds)])
    assert model.calls[-1].context == expected


def test_before_the_first_caption_the_frames_so_far_are_shown(make_video: MakeVideo, tmp_path: Path) -> None:
    """In a journal that has the video's captions from an earlier run, too."""
    path, early = make_video(22), VideoQuestion(make_video(22), "What?", ask_seconds=2.5)
    for watched, num_tokens in ((SETTINGS, 3 * 4), (replace(SETTINGS, live_at_start=False), 0)):
        model = FakeModel()
        for questions in ([VideoQuestion(path, "What?"), early], [early]):
            with VideoAnswerer(model, watched, tmp_path / "kept.db") as answerer:
                answerer.answer_all(questions)
        assert [call.num_visual_tokens for call in model.calls] == [num_tokens, 0, num_tokens]


@pytest.mark.parametrize(("seconds", "num_frames", "num_lines"), [(2.5, 3, 0), (3.5, 4, 0), (3.999, 4, 0), (4.0, 0, 1)])
def test_there_is_always_something_to_see(
    make_video: MakeVideo, tmp_path: Path, seconds: float, num_frames: int, num_lines: int
) -> None:
    """After the last frame of the first clip, too: its caption counts from its end on, one sampling step later."""
    path = make_video(22)
    for questions in ((seconds,), (seconds, 9.0), (9.0,), (seconds,)):  # the last one resumes a kept journal
        model = FakeModel()
        with VideoAnswerer(model, SETTINGS, tmp_path / "kept.db") as answerer:
            answerer.answer_all([VideoQuestion(path, "What?", ask_seconds=one) for one in questions])
        for one, call in zip(questions, model.calls, strict=True):
            expected = (num_frames, num_lines) if one == seconds else (0, 2)
            assert (call.num_visual_tokens // 4, call.context.count("[")) == expected


def test_in_the_step_after_a_clip_its_frames_are_live(make_video: MakeVideo) -> None:
    model = FakeModel()
    times = (7.0, 7.5, 8.0, 8.5)
    live = replace(SETTINGS, live=True)
    answer(model, *[VideoQuestion(make_video(22), "What?", ask_seconds=one) for one in times], watched=live)
    assert [call.context.count("[") for call in model.calls] == [1, 1, 2, 2]
    assert [call.num_visual_tokens // 4 for call in model.calls] == [3, 4, 0, 1]


def test_live_frames_are_those_since_the_last_clip_before_the_question(make_video: MakeVideo) -> None:
    model = FakeModel()
    path = make_video(22)
    live = Settings(sample_fps=1.0, frames_per_clip=4, live=True)
    with VideoAnswerer(model, live) as answerer:
        for times in ([11.0, 5.5, 8.0], [7.0]):  # the second call asks about an earlier time than was watched
            answerer.answer_all([VideoQuestion(path, "What?", ask_seconds=seconds) for seconds in times])
    per_frame = model.info.tokens_per_step
    # Before 5.5 s the frames at 4 and 5 s; before 8 s none, as the clip has just ended; before 11 s those at 8 to 10.
    assert [call.num_visual_tokens // per_frame for call in model.calls] == [2, 0, 3, 3]


def test_a_kept_journal_saves_watching_again(make_video: MakeVideo, tmp_path: Path) -> None:
    question = VideoQuestion(make_video(22), "What?")
    for expected_clips in (6, 0):
        model = FakeModel()
        with VideoAnswerer(model, SETTINGS, tmp_path / "kept.db") as answerer:
            answerer.answer_all([question])
        assert len(model.memory_lengths) == expected_clips
    with Journal.open(tmp_path / "kept.db") as journal:
        assert [stream.end_reason for stream in journal.streams.all()] == [EndReason.COMPLETE]


def test_a_part_of_a_video_is_watched_from_its_start(make_video: MakeVideo) -> None:
    model = FakeModel()
    path = make_video(22)
    answer(model, VideoQuestion(path, "What?", 10.0, 19.0), VideoQuestion(path, "What?", 0.0, 19.0))
    assert [call.context.count("[") for call in model.calls] == [2, 4]
    assert "[00:00-00:04]" in model.calls[0].context  # times count from the start of the part


def test_shots_of_an_array_are_asked_about_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "film.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3), dtype=np.uint8))
    model = FakeModel()
    questions = [VideoQuestion(path, "What?", ask_seconds=number) for number in (3, 4, 8, 9, 10)]
    answer(model, *questions, watched=Settings(sample_fps=0.25, frames_per_clip=4))
    assert [call.context.count("[") for call in model.calls] == [0, 1, 2, 2, 3]
    with pytest.raises(DataError, match="must be 0, got"):
        answer(model, VideoQuestion(path, "What?", 2.0))


def test_a_video_that_is_cut_off_is_asked_about_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = cut_off(tmp_path)
    model = FakeModel()
    with caplog.at_level(logging.WARNING):
        (reply,) = answer(model, VideoQuestion(path, "What?"))
    assert 1 <= int(reply.split()[3]) <= 4
    assert "truncated" in caplog.text


def cut_off(folder: Path) -> Path:
    """The first half of a video of 20 s, in a form that can be read from its start."""
    whole = folder / "whole.mkv"
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(80):
            picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    path = folder / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def test_a_missing_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        answer(FakeModel(), VideoQuestion(tmp_path / "gone.mp4", "What?"))


def test_a_prompt_of_several_lines_is_asked_as_it_is(make_video: MakeVideo) -> None:
    """With captions to answer from, and before there are any."""
    model, path = FakeModel(), make_video(seconds=8)
    prompt = "What is it?\nA. a dog\nB. a cat\nAnswer with the letter."
    answer(model, VideoQuestion(path, prompt), VideoQuestion(path, prompt, ask_seconds=0.0))
    assert [call.question for call in model.calls] == [prompt, prompt]
    assert sorted(bool(call.context) for call in model.calls) == [False, True]


def test_length_and_stops_are_the_tasks(make_video: MakeVideo) -> None:
    model = FakeModel()
    path = make_video(9)
    replies = answer(
        model,
        VideoQuestion(path, "What?", max_answer_tokens=7, stop_texts=("lines", "given")),
        VideoQuestion(path, "What?", stop_texts=("\n\n",)),
        VideoQuestion(path, "What?", ask_seconds=0.0, max_answer_tokens=7, stop_texts=("given",)),
    )
    assert replies == ["I was", "I was given 3 lines [99:00-99:32].", "I was"]
    assert [call.max_new_tokens for call in model.calls] == [7, 7, 256]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten shots."""
    path = tmp_path_factory.mktemp("film") / "film.npy"
    np.save(path, np.random.default_rng(1).integers(0, 255, (10, 4, 6, 3), dtype=np.uint8))
    return path


@settings(max_examples=15)
@given(calls=st.lists(st.lists(st.sampled_from([0.0, 4.0, 7.9, 8.0, 9.0, math.inf]), max_size=4), max_size=3))
def test_the_order_of_questions_does_not_matter(film: Path, calls: list[list[float]]) -> None:
    expected = {0.0: 0, 4.0: 1, 7.9: 1, 8.0: 2, 9.0: 2, math.inf: 3}
    with VideoAnswerer(FakeModel(), SETTINGS) as answerer:
        for times in calls:
            replies = answerer.answer_all([VideoQuestion(film, "What?", ask_seconds=seconds) for seconds in times])
            assert [int(reply.split()[3]) for reply in replies] == [expected[seconds] for seconds in times]


VIDEO = {"type": "video", "url": "a.mp4"}
TEXT = {"type": "text", "text": "What?"}


def user(*contents: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(contents)}]


@pytest.mark.parametrize(
    ("content", "start", "end"),
    [
        (VIDEO, 0.0, math.inf),
        ({**VIDEO, "start_time": None, "end_time": None}, 0.0, math.inf),
        ({**VIDEO, "start_time": 2, "end_time": 9.5}, 2.0, 9.5),
        ({"type": "video", "url": {"type": "video", "path": "a.mp4", "video_start": 1, "video_end": 4}}, 1.0, 4.0),
        ({"type": "video", "url": {"video": "a.mp4"}}, 0.0, math.inf),
        ({"type": "video", "url": Path("a.mp4")}, 0.0, math.inf),
    ],
)
def test_videos_are_read_in_every_form_that_tasks_give_them_in(
    content: dict[str, Any], start: float, end: float
) -> None:
    question = read_question(user(content, TEXT), {})
    assert question == VideoQuestion(Path("a.mp4"), "What?", start, end)


def test_texts_are_joined_and_the_tasks_limits_read() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    generation = {"max_new_tokens": 16, "until": ["\n\n"], "temperature": 0}
    question = read_question([system, *user(VIDEO, TEXT)], generation)
    assert (question.question, question.max_answer_tokens, question.stop_texts) == ("Be brief.\nWhat?", 16, ("\n\n",))
    assert read_question(user(VIDEO, TEXT), {"until": "stop"}).stop_texts == ("stop",)
    assert read_question(user(VIDEO, TEXT), {"until": None}).stop_texts == ()


def test_a_time_of_the_document_holds_where_the_message_gives_none() -> None:
    assert read_question(user(VIDEO, TEXT), {}, ask_seconds=5.0).ask_seconds == 5.0
    assert read_question(user({**VIDEO, "end_time": 3.0}, TEXT), {}, ask_seconds=5.0).ask_seconds == 3.0


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([TEXT], "got text alone"),
        ([{"type": "image", "url": "a.png"}, {"type": "image", "url": "b.png"}, TEXT], "2 of type 'image'"),
        ([VIDEO, {"type": "audio", "url": "a.wav"}, TEXT], "1 of type 'video' and 1 of type 'audio'"),
        ([VIDEO, VIDEO, TEXT], "2 of type 'video'"),
        ([{"type": "video", "url": "https://example.org/a.mp4"}, TEXT], "a file on this machine"),
        ([{"type": "video", "url": [1, 2]}, TEXT], "by its path, got list"),
        ([{"type": "video", "url": {"video_path": "a.mp4", "timestep": 9}}, TEXT], "in seconds"),
        ([{**VIDEO, "end_time": "1:00"}, TEXT], "end_time of a video must be a time in seconds, got '1:00'"),
        ([{**VIDEO, "start_time": 5.0, "end_time": 4.0}, TEXT], "0 <= start_seconds <= ask_seconds, got 5.0 and 4.0"),
        ([VIDEO], "must not be empty"),
    ],
)
def test_what_cannot_be_answered_says_why(contents: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read_question(user(*contents), {})


def test_settings_are_read_as_the_command_line_of_lmms_eval_leaves_them() -> None:
    given = {"sample_fps": 1, "retention": 0.125, "memory_tokens": "none", "score_layers": "[2, 3]", "live": True}
    expected = Settings(sample_fps=1, retention=0.125, memory_tokens=None, score_layers=(2, 3), live=True)
    assert read_settings({**given, "retriever": "mmr"}) == expected
    assert read_settings({}) == Settings()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retain": 0.1}, "the setting 'retain' is unknown; known settings: caption_partial_clip, "),
        ({"score_layers": "[2"}, "JSON list"),
        ({"seed": "x"}, "seed must be"),
    ],
)
def test_wrong_settings_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        read_settings(arguments)


@pytest.fixture
def ego_folder(tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the form of RVS-Ego with one video of 22 s."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "v.mp4").write_bytes(make_video(22).read_bytes())
    turns = [
        {"question": "Is there a cup?", "answer": "Yes.", "start_time": 9, "end_time": 13},
        {"question": "What is on the table?", "answer": "a red cup", "start_time": 0, "end_time": 5.5},
    ]
    entry = {"video_id": "v", "video_path": "v.mp4", "duration": 22, "conversations": turns}
    (tmp_path / "ego4d_oe.json").write_text(json.dumps([entry]))
    monkeypatch.setenv("KEEPSIGHT_RVS_EGO", str(tmp_path))
    return tmp_path


def test_conversations_become_documents_in_order_of_time(ego_folder: Path) -> None:
    first, second = read_documents("rvs-ego", "KEEPSIGHT_RVS_EGO")
    assert first == {
        "question_id": "v/0001",
        "video_id": "v",
        "video_path": str(ego_folder / "videos" / "v.mp4"),
        "question": "What is on the table?",
        "answer": "a red cup",
        "ask_time": 5.5,
    }
    assert second["ask_time"] == 13.0
    question = read_question(user(video_content(first), TEXT), {})
    assert (question.path, question.ask_seconds) == (ego_folder / "videos" / "v.mp4", 5.5)


def test_shots_become_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "videos").mkdir()
    np.save(tmp_path / "videos" / "m.npy", np.zeros((5, 4, 4, 3), np.uint8))
    turn = {"question": "Who?", "answer": "he", "start_time": 0, "end_time": 3}
    entry = {"video_id": "m", "video_path": "m.npy", "duration": 5, "conversations": [turn]}
    (tmp_path / "movienet_oe.json").write_text(json.dumps([entry]))
    monkeypatch.setenv("FOLDER", str(tmp_path))
    (document,) = read_documents("rvs-movie", "FOLDER")
    assert (document["video_path"], document["ask_time"]) == (str(tmp_path / "videos" / "m.npy"), 3.0)


def test_a_folder_that_is_not_named_or_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEEPSIGHT_RVS_EGO", raising=False)
    with pytest.raises(SettingError, match="KEEPSIGHT_RVS_EGO is not set"):
        read_documents("rvs-ego", "KEEPSIGHT_RVS_EGO")
    monkeypatch.setenv("KEEPSIGHT_RVS_EGO", "/nowhere/at/all")
    with pytest.raises(DataError, match="no such folder"):
        read_documents("rvs-ego", "KEEPSIGHT_RVS_EGO")


class FixedJudge:
    """Says the same of everything."""

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        return Verdict(right=True, rating=4)


def document(right: str) -> dict[str, Any]:
    return {"question_id": "v/0", "video_id": "v", "video_path": "v.mp4", "question": "Q?", "answer": right}


def values(scores: dict[str, dict[str, Any]]) -> dict[str, float]:
    assert all(item["video_id"] == "v" for item in scores.values())
    return {name: item["score"] for name, item in scores.items()}


def test_scores_of_a_reply() -> None:
    judged = JudgeScorer(FixedJudge())
    assert values(score_reply(document("Yes."), "yes", judged)) == {
        "token_f1": 1.0,
        "unjudged": 0.0,
        "judge_accuracy": 1.0,
        "judge_rating": 4,
        "judge_accuracy_yes_no": 1.0,
        "exact_yes_no": 1.0,
    }
    # Of "a red cup" and "the cup" one of two and one word count: 2 * 1 / (2 + 1).
    assert values(score_reply(document("a red cup"), "the cup", judged)) == {
        "token_f1": pytest.approx(2 / 3),
        "unjudged": 0.0,
        "judge_accuracy": 1.0,
        "judge_rating": 4,
        "judge_accuracy_open": 1.0,
    }


def test_without_a_judge_nothing_is_said_of_right_and_wrong_but_yes_and_no() -> None:
    unjudged = JudgeScorer()
    assert values(score_reply(document("no"), "Yes, there is.", unjudged)) == {
        "token_f1": 0.0,
        "unjudged": 1.0,
        "exact_yes_no": 0.0,
    }
    assert values(score_reply(document("a cup"), "", unjudged)) == {"token_f1": 0.0, "unjudged": 1.0}


def test_the_mean_of_no_scores_is_an_error() -> None:
    assert mean_score([{"score": 1.0}, {"score": 0.0}, {"score": 0.5}]) == 0.5
    with pytest.raises(DataError, match="no scores"):
        mean_score([])


def modules_imported_by(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_only_what_lmms_eval_loads_imports_it() -> None:
    imports = {path.relative_to(TASKS.parent.parent): modules_imported_by(path) for path in package_files()}
    foreign = {path for path, names in imports.items() if {name.split(".")[0] for name in names} & HEAVY}
    plugin = Path("lmms_plugin")
    assert foreign == {plugin / name for name in ("manifest.py", "model.py", "judging.py", "tasks/rvs.py")}
    closed = {f"keepsight.{'.'.join(path.with_suffix('').parts)}" for path in foreign}
    users = {path for path, names in imports.items() if names & closed}
    assert users == {plugin / "tasks" / "rvs.py"}  # which lmms-eval alone imports, by its path


HEAVY = {"lmms_eval", "datasets"}


def package_files() -> list[Path]:
    return sorted(TASKS.parent.parent.rglob("*.py"))


def functions_of(path: Path) -> set[str]:
    """Names that a Python file offers, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}.union(imported)


def test_the_entry_point_names_a_function_that_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, function = project["entry-points"]["lmms_eval.models"]["keepsight"].split(":")
    assert function in functions_of(ROOT / "src" / Path(*module.split(".")).with_suffix(".py"))


def test_the_task_files_name_what_is_there() -> None:
    files = [*TASKS.glob("*.yaml"), TASKS / "_rvs_template_yaml"]
    named = {name for path in files for name in re.findall(r"!function rvs\.(\w+)", path.read_text(encoding="utf-8"))}
    assert len(named) == 5
    assert named <= functions_of(TASKS / "rvs.py")
    for name in ("rvs_ego", "rvs_movie"):
        text = (TASKS / f"{name}.yaml").read_text(encoding="utf-8")
        assert f"task: {name}\n" in text
        pointer = json.loads((TASKS / f"{name}.jsonl").read_text(encoding="utf-8"))
        assert f"test: {name}.jsonl" in text
        assert pointer["data_set"] in LOADERS
        assert pointer["folder_variable"] in text


def needs_lmms_eval() -> Any:
    """lmms-eval, or the test is skipped."""
    return pytest.importorskip("lmms_eval", reason="lmms-eval is not installed: see docs/lmms-eval.md")


inside = pytest.mark.filterwarnings("ignore")  # of lmms-eval and what it imports


@inside
def test_lmms_eval_finds_the_model() -> None:
    needs_lmms_eval()
    from lmms_eval.models import get_model, get_model_manifest

    assert get_model_manifest("keepsight").model_id == "keepsight"
    assert get_model("keepsight").__module__ == "keepsight.lmms_plugin.model"


@pytest.fixture
def lmms_model(monkeypatch: pytest.MonkeyPatch, fake_model: FakeModel) -> Iterator[Any]:
    """Keepsight as lmms-eval makes it from the command line, around a stand-in model."""
    needs_lmms_eval()
    from keepsight.lmms_plugin import model as module

    monkeypatch.setattr(module, "load_model", lambda *_, **__: fake_model)
    made = module.Keepsight.create_from_arg_string(
        "pretrained=fake,sample_fps=1,frames_per_clip=4,ask_time_field=when",
        {"batch_size": 1, "max_batch_size": None, "device": "cpu"},
    )
    yield made
    made.clean()


def request(doc_to_messages: Callable[..., Any]) -> Any:
    return SimpleNamespace(args=("", doc_to_messages, {"max_new_tokens": 9, "until": ["lines"]}, 0, "task", "test"))


@inside
def test_requests_are_answered_in_their_order(lmms_model: Any, make_video: MakeVideo, fake_model: FakeModel) -> None:
    lmms_model.task_dict["task"] = {"test": [{"path": str(make_video(22)), "when": 9.0}]}

    def messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
        return user({"type": "video", "url": doc["path"]}, TEXT)

    def whole(doc: dict[str, Any]) -> list[dict[str, Any]]:
        return user({"type": "video", "url": doc["path"], "end_time": 22.0}, TEXT)

    assert lmms_model.generate_until([request(whole), request(messages)]) == ["I was given 6", "I was given 2"]
    assert fake_model.calls[0].max_new_tokens == 9


@inside
def test_rounds_are_asked_until_the_task_ends_them(lmms_model: Any, make_video: MakeVideo) -> None:
    lmms_model.task_dict["task"] = {"test": [{"path": str(make_video(22)), "when": 4.0}]}
    seen: list[tuple[int, list[str], object]] = []

    def messages(
        doc: dict[str, Any],
        round_idx: int | None = None,
        previous_output: list[str] | None = None,
        previous_round_info: object = None,
    ) -> Any:
        number = round_idx or 0
        asked = user({"type": "video", "url": doc["path"], "end_time": 4.0 * (number + 1)}, TEXT)
        if round_idx is None:
            return asked
        seen.append((number, list(previous_output or []), previous_round_info))
        return (None if number == 3 else asked, number == 3, previous_output, f"after {number}")

    (rounds,) = lmms_model.generate_until_multi_round([request(messages)])
    assert rounds == ["I was given 1", "I was given 2", "I was given 3"]
    assert seen == [(1, rounds[:1], None), (2, rounds[:2], "after 1"), (3, rounds, "after 2")]


@inside
def test_what_the_model_does_not_offer_is_an_error(lmms_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="loglikelihood"):
        lmms_model.loglikelihood([object()])
    lmms_model.task_dict["task"] = {"test": [{"other": 1}]}
    with pytest.raises(SettingError, match=r"ask_time_field must be one of .*, got 'when'"):
        lmms_model.generate_until([request(lambda _: user(VIDEO, TEXT))])
    with pytest.raises(SettingError, match="batch_size must be 1"):
        type(lmms_model)(batch_size=8)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingError, match="one process"):
        type(lmms_model)()


@inside
def test_lmms_eval_makes_the_task_of_its_file(
    ego_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_lmms_eval()
    monkeypatch.setenv("LMMS_EVAL_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MODEL_VERSION", raising=False)
    from lmms_eval.tasks import TaskManager

    manager = TaskManager("ERROR", include_path=str(TASKS), include_defaults=False)
    task = manager.load_task_or_group(["rvs_ego"], "chat")["rvs_ego"]
    first, second = task.test_docs()
    assert [part["type"] for part in task.doc_to_messages(first)[0]["content"]] == ["video", "text"]
    assert task.doc_to_visual(first)[0]["video_end"] == 5.5
    assert set(task.process_results(second, ["yes"])) == {"token_f1", "unjudged", "exact_yes_no"}
    assert set(task.aggregation()) >= {"judge_accuracy", "judge_rating", "judge_accuracy_open", "judge_accuracy_yes_no"}


@pytest.fixture
def judge_server() -> Iterator[tuple[str, list[str]]]:
    """An OpenAI-compatible judge that plays back replies, the last one over and over."""
    replies = ["I cannot say.", "{'pred': 'yes', 'score': 4}", "no dictionary"]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": replies.pop(0) if len(replies) > 1 else replies[0]}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            head = {"id": "1", "object": "chat.completion", "created": 0, "model": "words"}
            body = json.dumps({**head, "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", replies
    server.shutdown()
    server.server_close()


@inside
def test_the_judge_that_lmms_eval_is_set_up_with_is_asked(
    judge_server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_lmms_eval()
    from keepsight.lmms_plugin.judging import judge_from_environment

    monkeypatch.setenv("OPENAI_API_URL", judge_server[0])
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("API_TYPE", "openai")
    monkeypatch.delenv("MODEL_VERSION", raising=False)
    assert judge_from_environment() is None
    monkeypatch.setenv("MODEL_VERSION", "words")
    judge = judge_from_environment()
    assert judge is not None
    assert judge.judge("Q?", "a cup", "cup") == Verdict(right=True, rating=4)  # asked again after a malformed reply
    with pytest.raises(MalformedVerdictError):
        judge.judge("Q?", "a cup", "cup")
