"""The toy world as a data set: always the same, never what was trained on, and true."""

import hashlib
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.datasets.toyworld import SPLITS, ToySource, ToyWorldSettings, make_toyworld
from keepsight.bench.records import Question, Video
from keepsight.errors import SettingError
from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.toyworld.questions import QUESTION_KINDS, Past
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.vocabulary import article
from keepsight.toyworld.worlds import WORLDS
from training.reading import FIRST_SEED


def one_video(**settings: object) -> Video:
    (video,) = make_toyworld(ToyWorldSettings(num_videos=1, **settings)).videos  # type: ignore[arg-type]
    return video


@pytest.mark.parametrize(
    ("difficulty", "digest"),
    [("easy", "d99ff1ebf75264fc"), ("default", "11f057439bfb6935"), ("hard", "7338932679ddf88c")],
)
def test_the_test_split_never_changes(difficulty: str, digest: str) -> None:
    """Published figures are of these questions: where this fails, they are to be measured again."""
    questions = one_video(difficulty=difficulty).questions
    lines = [f"{q.question_id}|{q.task}|{q.question}|{q.answer}|{q.ask_seconds}|{q.evidence}" for q in questions]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


def test_the_pictures_of_the_test_split_never_change() -> None:
    """Mean brightness minute by minute, so that another version of the drawing library does not matter."""
    brightness = [frame.image.mean() for frame in one_video().source.frames(1 / 60)]
    np.testing.assert_allclose(brightness, [219.5, 207.7, 209.5, 200.4, 194.5, 163.4, 195.1, 196.3], atol=0.5)


def test_splits_and_training_do_not_overlap() -> None:
    seeds = {split: seeds_of(split) for split in SPLITS}
    assert seeds["validation"] == set(range(50_000, 51_000))
    assert seeds["test"] == set(range(60_000, 61_000))
    assert max(max(listed) for listed in seeds.values()) < FIRST_SEED


def seeds_of(split: str) -> set[int]:
    data = make_toyworld(ToyWorldSettings(num_videos=1000, minutes=0.5, split=split))
    return {video.source.seed for video in data.videos}  # type: ignore[attr-defined]


def test_more_videos_begin_with_the_same_ones() -> None:
    few, many = (make_toyworld(ToyWorldSettings(num_videos=number, minutes=3)) for number in (2, 5))
    assert many.videos[:2] == few.videos
    later = make_toyworld(ToyWorldSettings(num_videos=3, first_video=2, minutes=3))
    assert later.videos == many.videos[2:]
    assert len({video.video_id for video in many.videos}) == 5
    ids = [question.question_id for video in many.videos for question in video.questions]
    assert len(set(ids)) == len(ids) == many.num_questions


@pytest.mark.parametrize("difficulty", WORLDS)
def test_every_difficulty_has_its_own_stories(difficulty: str) -> None:
    video = one_video(difficulty=difficulty)
    assert video.source.story == make_story(60_000, 15, WORLDS[difficulty])  # type: ignore[attr-defined]
    assert make_toyworld(ToyWorldSettings(difficulty=difficulty)).name == f"toyworld-{difficulty}"
    assert video.video_id == f"{difficulty}-60000"


@pytest.mark.parametrize("fps", [0.5, 2.0, 0.3])
def test_frames_are_pictures_of_the_story(fps: float) -> None:
    source = ToySource(60_000, 1.5, "default")
    frames = list(source.frames(fps))
    assert len(frames) == {0.5: 48, 2.0: 192, 0.3: 29}[fps]
    for number, frame in enumerate(frames):
        assert frame.pts_seconds == pytest.approx(number / fps)
        if number % 9 == 0:
            np.testing.assert_array_equal(frame.image, render_frame(source.story, frame.pts_seconds))


@pytest.mark.parametrize("fps", [0.5, 0.3, 0.7, 1 / 3])
def test_a_made_video_has_the_frames_of_its_file(fps: float, toy_file: Path) -> None:
    source = ToySource(60_003, 0.5, "easy")
    made, read = list(source.frames(fps)), list(FileSource(toy_file).frames(fps))
    assert [frame.pts_seconds for frame in made] == [frame.pts_seconds for frame in read]
    for ours, theirs in zip(made, read, strict=True):
        if ours.pts_seconds % 0.25 == 0:  # between its pictures the file shows the one before
            assert np.abs(ours.image.astype(int) - theirs.image).mean() < 4  # it is compressed


@pytest.fixture(scope="module")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.mp4"
    make_video(path, ToyVideoSettings(60_003, 0.5, "easy", fps=4))
    return path


def test_a_frame_rate_is_above_0() -> None:
    with pytest.raises(SettingError, match="sample_fps"):
        next(ToySource(1, 1, "easy").frames(0))


def test_questions_are_of_all_kinds_and_in_order() -> None:
    data = make_toyworld(ToyWorldSettings(num_videos=12))
    tasks = Counter(question.task for video in data.videos for question in video.questions)
    assert set(tasks) == {*QUESTION_KINDS, "right now"}
    assert min(tasks.values()) >= 8  # a kind is left out where a story gives no cause for it
    for video in data.videos:
        times = [question.ask_seconds for question in video.questions]
        assert times == sorted(times)
        assert len({(question.question, question.ask_seconds) for question in video.questions}) == len(times)


def test_answers_follow_from_what_came_before() -> None:
    """Questions about the past end a clip, and evidence lies before the asking."""
    for video in make_toyworld(ToyWorldSettings(num_videos=8, difficulty="hard")).videos:
        source = video.source
        assert isinstance(source, ToySource)
        for question in video.questions:
            if question.task == "right now":
                continue
            assert question.ask_seconds % 32 == 0
            assert 96 <= question.ask_seconds <= source.story.duration_seconds
            assert all(span.end_seconds <= question.ask_seconds for span in question.evidence)
            past = Past([caption for caption in source.captions if caption.span.end_seconds <= question.ask_seconds])
            assert answer_again(question, past)


def answer_again(question: Question, past: Past) -> bool:
    """Whether the answer is what the clips before the time of asking say, for the kinds that are easily read off."""
    noun = question.question.rstrip("?").split()[-1]
    if question.task == "seen":
        return question.answer == ("yes" if noun in past.mentions else "no")
    if question.task in ("what last", "what first"):
        noun = question.question.split()[3]
        return question.answer == past.mentions[noun][-1 if question.task == "what last" else 0].clause.verb
    if question.task == "colour":
        return past.mentions[noun][-1].clause.subject == f"{question.answer} {noun}"
    return True


def test_right_now_questions_are_true_of_the_newest_frame() -> None:
    """A thing that is named shows in the picture: without it the picture is another one. One that is not does not."""
    data = make_toyworld(ToyWorldSettings(num_videos=12, difficulty="hard", questions_per_kind=0, present_questions=5))
    num_named = 0
    for video in data.videos:
        source = video.source
        assert isinstance(source, ToySource)
        for question in video.questions:
            newest = max(time for time in np.arange(0, source.story.duration_seconds, 2) if time < question.ask_seconds)
            assert newest == question.ask_seconds - 1
            assert newest % 32 >= 6  # the clip has begun, and is not over: no caption tells
            assert newest % 32 <= 26
            assert question.age_seconds == 0
            named = set(question.answer.split(" and ")) - {"nothing"}
            num_named += len(named)
            whole = render_frame(source.story, newest, 96)
            for thing in {shown.thing for shown in source.story.appearances if shown.thing}:
                others = tuple(shown for shown in source.story.appearances if shown.thing != thing)
                without = render_frame(replace(source.story, appearances=others), newest, 96)
                num_pixels = int((whole != without).any(axis=2).sum())
                if article(thing.phrase) in named:
                    named.discard(article(thing.phrase))
                    assert num_pixels > 100
                else:
                    assert num_pixels < 130  # a sliver at the edge, of the 360 or more that a whole thing has
            assert named == set()
    assert num_named > 50


def test_questions_at_given_minutes_only() -> None:
    video = one_video(minutes=40, ask_minutes=(8.0, 20.0, 39.9), questions_per_kind=3)
    assert {question.ask_seconds for question in video.questions} == {480.0, 1184.0, 2368.0}
    per_time = Counter((question.ask_seconds, question.task) for question in video.questions)
    assert max(per_time.values()) <= 3
    assert {task for _, task in per_time} == set(QUESTION_KINDS)


def test_minutes_before_the_first_clip_ends_ask_at_its_end() -> None:
    assert {question.ask_seconds for question in one_video(ask_minutes=(0.1,)).questions} == {32.0}


def test_numbers_of_questions() -> None:
    few, many = one_video(questions_per_kind=1, present_questions=0), one_video(questions_per_kind=4)
    assert all(number == 1 for number in Counter(question.task for question in few.questions).values())
    assert len(many.questions) > 2 * len(few.questions)
    only_now = one_video(questions_per_kind=0, present_questions=3)
    assert {question.task for question in only_now.questions} == {"right now"}


def test_memory_questions_are_asked_where_a_clip_ends() -> None:
    data = make_toyworld(ToyWorldSettings("long-gaps", 2, 64, questions_per_kind=3, questions="memory"))
    assert data.name == "toyworld-long-gaps-memory"
    for video in data.videos:
        assert isinstance(video.source, ToySource)
        tasks = Counter(question.task for question in video.questions)
        assert tasks["here before"] == 6
        assert set(tasks) == {"here before", "in the box", "how often"}
        assert max(tasks.values()) <= 9
        for question in video.questions:
            assert question.ask_seconds % 32 == 0
            assert question.age_seconds is None or question.age_seconds >= 32
    ages = [question.age_seconds for video in data.videos for question in video.questions if question.age_seconds]
    assert max(ages) > 17 * 32


def test_a_video_in_which_nothing_comes_twice_has_no_memory_questions() -> None:
    with pytest.raises(SettingError, match="nothing comes twice in video long-gaps-60000: give it more than 4 minutes"):
        one_video(difficulty="long-gaps", minutes=4, questions="memory")


def test_space_questions_are_asked_where_a_clip_ends() -> None:
    data = make_toyworld(ToyWorldSettings("default", 30, 1.6, questions="space"))
    assert data.name == "toyworld-default-space"
    tasks = Counter(question.task for video in data.videos for question in video.questions)
    assert set(tasks) == {"where in the picture", "left of", "which way"}
    for video in data.videos:
        assert max(Counter(question.task for question in video.questions).values()) <= 2
        assert {question.ask_seconds for question in video.questions} <= {32.0, 64.0, 96.0}


def test_videos_without_a_place_to_ask_about_are_left_out() -> None:
    data = make_toyworld(ToyWorldSettings("easy", 40, 0.5, questions="space"))
    assert 0 < len(data.videos) < 40
    assert all(video.questions for video in data.videos)
    missing = set(range(60_000, 60_040)) - {video.source.seed for video in data.videos}  # type: ignore[attr-defined]
    with pytest.raises(SettingError, match="nothing to ask about places in the picture: give the videos more"):
        one_video(difficulty="easy", minutes=0.5, questions="space", first_video=min(missing) - 60_000)


@pytest.mark.parametrize("questions", ["memory", "space"])
def test_questions_with_times_of_their_own_take_no_others(questions: str) -> None:
    with pytest.raises(SettingError, match=f"questions of {questions} have times of their own: leave ask_minutes out"):
        ToyWorldSettings(questions=questions, ask_minutes=(1.0,))


def test_ages_count_from_the_latest_evidence() -> None:
    for question in one_video().questions:
        if not question.evidence:
            assert question.age_seconds is None
        else:
            assert question.age_seconds == question.ask_seconds - max(span.end_seconds for span in question.evidence)


def test_the_shortest_video_can_be_asked_about() -> None:
    video = one_video(minutes=0.01)
    assert {question.ask_seconds for question in video.questions} == {32.0}
    assert video.source.story.duration_seconds == 32  # type: ignore[attr-defined]


def test_true_captions_are_those_of_the_story() -> None:
    source = ToySource(60_001, 8, "hard")
    assert source.captions == tuple(true_captions(source.story, clip_spans(480, 32)))


def test_a_source_is_a_small_record_that_another_process_can_use() -> None:
    source = ToySource(60_001, 4, "easy")
    assert repr(source) == "ToySource(seed=60001, minutes=4, difficulty='easy')"
    first = next(source.frames(0.5)).image
    sent = pickle.loads(pickle.dumps(source))
    assert (sent, repr(sent)) == (source, repr(source))
    np.testing.assert_array_equal(next(sent.frames(0.5)).image, first)


@pytest.mark.parametrize(
    "settings",
    [
        {"difficulty": "silly"},
        {"split": "train"},
        {"num_videos": 0},
        {"num_videos": -1},
        {"num_videos": 1001},
        {"first_video": 990, "num_videos": 11},
        {"first_video": -1},
        {"questions_per_kind": -1},
        {"present_questions": -1},
        {"ask_minutes": (9.0,)},
        {"ask_minutes": (0.0,)},
        {"ask_minutes": (-1.0,)},
        {"ask_minutes": (float("nan"),)},
        {"ask_minutes": (float("inf"),)},
        {"minutes": 0},
        {"minutes": -3},
        {"minutes": float("nan")},
        {"minutes": 1e9},
        {"questions_per_kind": 0, "present_questions": 0},
        {"questions_per_kind": 0, "ask_minutes": (2.0,)},
        {"questions": "memroy"},
        {"questions": "memory", "ask_minutes": (2.0,)},
    ],
    ids=str,
)
def test_settings_outside_what_is_allowed(settings: dict[str, object]) -> None:
    with pytest.raises(SettingError) as raised:
        make_toyworld(ToyWorldSettings(**settings))  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
