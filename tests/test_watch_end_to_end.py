"""The whole loop with a real, random LLaVA-OneVision; the journal holds when the process is killed."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keepsight
from keepsight.journal import ClipRecord, EndReason, Journal
from keepsight.method.prompts import caption_line, captions_context
from keepsight.method.protocol import AnswerRequest, VideoModel, VisualInput
from keepsight.settings import SELECTOR_NAMES, Settings
from tests.models.random_model import RandomShape, write_random_model

MakeVideo = Callable[..., Path]
QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=12)

WATCH = textwrap.dedent(
    """
    import sys
    import keepsight

    folder, journal, video, settings = sys.argv[1:]
    watcher = keepsight.Watcher(
        keepsight.load_model(folder, device="cpu"), journal, keepsight.Settings.from_json(settings)
    )
    for moment in watcher.watch(video):
        print(moment.clip_index, moment.caption.encode().hex(), flush=True)
    """
)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("random"), RandomShape(num_layers=2, grid=4))


@pytest.fixture(scope="module")
def model(model_folder: Path) -> VideoModel:
    return keepsight.load_model(model_folder, device="cpu")


def content_of(path: Path) -> tuple[list[ClipRecord], list[tuple[int, bytes]]]:
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        return list(journal.clips.of(stream.id)), journal.memory.of(stream.id)


def assert_same_content(left: Path, right: Path) -> None:
    (left_clips, left_memory), (right_clips, right_memory) = content_of(left), content_of(right)
    assert left_memory == right_memory
    for one, other in zip(left_clips, right_clips, strict=True):
        assert (one.clip_index, one.span, one.caption) == (other.clip_index, other.span, other.caption)
        for name in ("kept_indices", "scores", "embedding"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_killed_and_run_again_gives_the_journal_of_one_run(
    model_folder: Path, model: VideoModel, tmp_path: Path, make_video: MakeVideo
) -> None:
    video = make_video(seconds=12)
    with keepsight.Watcher(model, tmp_path / "whole.db", QUICK) as watcher:
        whole = {moment.clip_index: moment.caption for moment in watcher.watch(video)}
    assert len(set(whole.values())) > 1  # a random model babbles, but of what it is shown
    announced: dict[int, str] = {}
    command = [sys.executable, "-c", WATCH, str(model_folder), str(tmp_path / "parts.db"), str(video), QUICK.to_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            index, caption = line.split(" ")
            announced[int(index)] = bytes.fromhex(caption).decode()
            if len(announced) == 2:
                process.kill()
    assert process.returncode != 0
    with keepsight.Watcher(model, tmp_path / "parts.db", QUICK) as watcher:
        resumed = {moment.clip_index: moment.caption for moment in watcher.watch(video)}
    assert not announced.keys() & resumed.keys()
    assert resumed
    announced |= resumed
    assert announced.items() <= whole.items()
    assert_same_content(tmp_path / "parts.db", tmp_path / "whole.db")
    with Journal.open(tmp_path / "parts.db") as journal:
        assert [stream.end_reason for stream in journal.streams.all()] == [EndReason.COMPLETE]


@pytest.mark.parametrize("selector", SELECTOR_NAMES)
def test_every_selector_can_be_resumed(model: VideoModel, tmp_path: Path, make_video: MakeVideo, selector: str) -> None:
    settings = replace(QUICK, selector=selector)
    video = make_video(seconds=8)
    with keepsight.Watcher(model, tmp_path / "whole.db", settings) as watcher:
        list(watcher.watch(video))
    for _ in range(5):
        with keepsight.Watcher(model, tmp_path / "parts.db", settings) as watcher:
            next(watcher.watch(video), None)
    assert_same_content(tmp_path / "parts.db", tmp_path / "whole.db")


def test_the_answer_is_what_the_model_says_of_the_cited_captions(
    model: VideoModel, tmp_path: Path, make_video: MakeVideo
) -> None:
    question, settings = "where is the dog now?", replace(QUICK, max_answer_tokens=20)
    with keepsight.Watcher(model, tmp_path / "journal.db", settings) as watcher:
        list(watcher.watch(make_video(seconds=8)))
        answer = watcher.ask(question)
    assert answer.num_captions_given == 4
    context = captions_context(caption_line(citation.span, citation.caption) for citation in answer.citations)
    assert answer.text == "".join(model.answer(AnswerRequest(context, question, max_new_tokens=20))).strip()


def test_a_live_answer_is_what_the_model_says_of_the_frames(
    model: VideoModel, tmp_path: Path, make_video: MakeVideo
) -> None:
    question, settings = "what is happening now?", replace(QUICK, max_answer_tokens=20)
    with keepsight.open_video(make_video(seconds=8)) as video:
        frames = list(video.sampled_frames(2.0))[:3]
    with keepsight.Watcher(model, tmp_path / "journal.db", settings) as watcher:
        session = watcher.begin("camera")
        for frame in frames:
            session.push(frame)
        answer = watcher.ask(question, live=True)
    assert (answer.num_captions_given, answer.num_live_frames) == (0, 3)
    tokens = model.encode([frame.image for frame in frames])
    shown = VisualInput(tokens[:0], tokens)
    assert answer.text == "".join(model.answer(AnswerRequest("", question, shown, max_new_tokens=20))).strip()


@pytest.mark.parametrize("budget", [30, 60, 120, 10_000])
def test_the_stated_prompt_length_is_exact_for_a_real_tokenizer(
    model: VideoModel, tmp_path: Path, make_video: MakeVideo, budget: int
) -> None:
    settings = replace(QUICK, retrieval_budget_tokens=budget)
    with keepsight.Watcher(model, tmp_path / "journal.db", settings) as watcher:
        list(watcher.watch(make_video(seconds=12)))
        answer = watcher.ask("dog ?")
        lines = [f"{caption_line(citation.span, citation.caption)}\n" for citation in answer.citations]
    assert answer.num_captions_given + answer.num_captions_left_out == 6
    assert sum(model.count_tokens(line) for line in lines) <= budget


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the size of a process is read from /proc")
def test_two_thousand_clips_take_no_more_memory_than_a_few_hundred(model: VideoModel, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (24, 32, 3), dtype=np.uint8) for _ in range(50)]
    sizes_bytes, memory_tokens = [], set()
    with keepsight.Watcher(model, tmp_path / "journal.db", replace(QUICK, max_caption_tokens=4)) as watcher:
        session = watcher.begin("camera")
        for number in range(4 * 2_000):
            moment = session.push(keepsight.Frame(pictures[number % 50], number / 2))
            if moment is not None and moment.clip_index >= 400:
                sizes_bytes.append(resident_bytes())
                memory_tokens.add(moment.num_memory_tokens)
    assert len(memory_tokens) == 1
    slope_bytes_per_clip = np.polyfit(np.arange(len(sizes_bytes)), sizes_bytes, 1)[0]
    # Keeping a clip's visual tokens (16 x 32 float32) or its picture would cost 2 kB or more each.
    assert abs(slope_bytes_per_clip) < 1_000
    with Journal.open(tmp_path / "journal.db") as journal:
        (stream,) = journal.streams.all()
        assert journal.clips.count(stream.id) == 2_000
        assert journal.memory.held(stream.id) == [1997, 1998, 1999]


def resident_bytes() -> int:
    """Memory that this process has in use now (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
