"""Loaders of published data sets, on small folders made up in the published shapes."""

import csv
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from keepsight.bench.datasets import DATASETS, load_dataset
from keepsight.bench.records import DataSet, Question, TimeUnit
from keepsight.bench.scoring.nextqa import group_of
from keepsight.bench.scoring.ovobench import group_of as ovo_group_of
from keepsight.errors import DataError, KeepsightError, SettingError
from keepsight.spans import Span

Build = Callable[[Path], None]


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_lines(path: Path, values: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))


def content_of(path: Path) -> Any:
    """Content of a JSON file; of one with an object a line, their list."""
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def rewrite(path: Path, value: Any) -> None:
    (write_lines if path.suffix == ".jsonl" else write)(path, value)


def touch(folder: Path, *names: str) -> None:
    """Loaders look whether videos are there; none is opened before its frames are asked for."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def rvs_ego(folder: Path) -> None:
    turns = [("What is cut?", "onions", 100, 160.5), ("Is the tap on?", "no", 10, 40), ("Who came?", "a child", 90, 80)]
    conversations = [{"question": q, "answer": a, "start_time": s, "end_time": e} for q, a, s, e in turns]
    entry = {"video_id": "v1", "video_path": "data/rvs/ego/videos/v1.mp4", "duration": 3600}
    write(folder / "ego4d_oe.json", [{**entry, "conversations": conversations}])
    touch(folder / "videos", "v1.mp4")


def rvs_movie(folder: Path) -> None:
    turns = [{"question": "Where are they?", "answer": "on a boat", "start_time": 1, "end_time": 3}]
    entry = {"video_id": "tt1", "video_path": "data/rvs/movie/videos/tt1.npy", "duration": 5}
    clip = {"clip_start_time": 100, "clip_end_time": 105, "conversations": turns}
    write(folder / "movienet_oe.json", [{**entry, **clip}])
    (folder / "videos").mkdir()
    np.save(folder / "videos/tt1.npy", np.stack([np.full((4, 6, 3), shot, np.uint8) for shot in range(5)]))


def vstream_ego(folder: Path) -> None:
    common = {"answer_type": "Action", "duration": 600}
    write(
        folder / "test_qa_ego4d.json",
        [
            {"id": "000246_1", "video_id": "000246", "question": "What now?", "answer": "a cup", **common},
            {"id": "000246_0", "video_id": "000246", "question": "What then?", "answer": "a plate", **common}
            | {"start_time": 30, "end_time": 90},
            {"id": "000247_0", "video_id": "000247", "question": "Who?", "answer": "a man", **common},
        ],
    )
    touch(folder / "ego4d_videos", "000246.mp4", "000247.mp4")


def vstream_movie(folder: Path) -> None:
    times = {"start_time": "shot_0386_img_0.jpg", "end_time": "shot_0387_img_0.jpg"}
    entry = {"id": "7", "video_id": "tt2_0385_0388", "question": "What falls?", "answer": "rain", "duration": 4}
    write(folder / "test_qa_movienet.json", [{**entry, "answer_type": "Scene", **times}])
    pictures = folder / "movienet_frames/tt2_0385_0388"
    pictures.mkdir(parents=True)
    for shot in (385, 386, 387, 388):
        Image.new("RGB", (8, 6), (shot - 300, 0, 0)).save(pictures / f"shot_{shot:04d}_img_0.jpg")


def moviechat(folder: Path) -> None:
    info = {"video_path": "AWA-1.mp4", "fps": 25, "num_frame": 10_000}
    after = [{"question": "What is it about?", "answer": "lions"}, {"question": "Day or night?", "answer": "day"}]
    at = [
        {"time": 5000, "question": "What runs?", "answer": "a gnu"},
        {"time": 250, "question": "Who?", "answer": "men"},
    ]
    film = {"info": info, "caption": "Lions.", "global": after, "breakpoint": at}
    write(folder / "annotations/AWA-1.json", film)
    touch(folder / "videos", "AWA-1.mp4")


NEXTQA_HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"


def nextqa(folder: Path) -> None:
    rows = [
        [
            4010069381,
            369,
            640,
            480,
            "how do the two man play",
            0,
            6,
            "CH",
            "handle",
            "feet",
            "string",
            "sticks",
            "hand",
        ],
        [4010069381, 369, 640, 480, 'what, then, is "new"', 4, 7, "TP", "a", "b", "c", "d", "take napkin"],
    ]
    folder.mkdir(exist_ok=True)
    with (folder / "val.csv").open("w", newline="") as file:
        csv.writer(file).writerows([NEXTQA_HEADER.split(","), *rows])
    write(folder / "map_vid_vidorID.json", {"4010069381": "1164/4010069381", "1": "0001/1"})
    touch(folder / "videos", "1164/4010069381.mp4")


def cgbench(folder: Path, file: str = "cgbench.json") -> None:
    entry = {"qid": 17, "video_uid": "-x9_Z", "question": "What colour?", "answer": "red", "duration": 1200}
    more = {"choices": ["blue", "red", "green", "grey", "black"], "right_answer": "B", "domain": "Sport"}
    clues = {"clue_intervals": [[700, 710.5], [30, 20]], "sub_category": "Attribute"}
    write(folder / file, [{**entry, **more, **clues}])
    touch(folder / "cg_videos_720p", "-x9_Z.mp4")


def cgbench_mini(folder: Path) -> None:
    cgbench(folder, "cgbench_mini.json")


OVO_ITEMS: list[dict[str, Any]] = [
    {"id": 0, "task": "EPM", "video": "Ego4D/clips/a.mp4", "realtime": 215, "question": "Whom did I meet?"}
    | {"answer": "a man in blue", "options": ["a woman", "a man with a blue shirt", "nobody"], "gt": 1},
    {"id": 1, "task": "OCR", "video": "Ego4D/clips/a.mp4", "realtime": 30.5, "question": "What does the sign say?"}
    | {"answer": "OPEN", "options": ["OPEN", "SHUT"], "gt": 0},
    {"id": 2, "task": "REC", "video": "PT/b.mp4", "activity": "jump", "start_times": [1, 5], "end_times": [2, 6]}
    | {"test_info": [{"realtime": 3, "count": 1}, {"realtime": 7.5, "count": 2}]},
    {"id": 3, "task": "SSR", "video": "COIN/c.mp4", "tutorial": "tea", "all_steps": ["boil", "pour"], "start_time": [1]}
    | {"end_time": [9], "test_info": [{"realtime": 4, "step": "boil the water", "type": 1}]},
    {"id": 4, "task": "CRR", "video": "PT/b.mp4", "question": "Who wins?", "answer": "Ann", "ask_time": 4}
    | {"clue_time": 9, "test_info": [{"realtime": 5, "type": 0}, {"realtime": 10, "type": 1}]},
]


def ovobench(folder: Path) -> None:
    write(folder / "ovo_bench_new.json", OVO_ITEMS)
    touch(folder / "src_videos", "Ego4D/clips/a.mp4", "PT/b.mp4", "COIN/c.mp4")


def streamingbench(folder: Path) -> None:
    def entry(time: str, stamp: str, answer: str, options: list[str]) -> dict[str, Any]:
        question = {"task_type": "Object Recognition", "question": "What is it?", "time_stamp": stamp, "answer": answer}
        questions = [{**question, "options": options, "required_ability": "working memory"}]
        return {"time": time, "questions": questions, "video_categories": "pov", "video_path": "./videos/s_1_real.mp4"}

    late = entry("[0:07:00 - 0:08:00]", "0:07:40", "B", ["A. A compass.", "B. A map.", "C. A dial.", "D. Radar."])
    early = entry("[0:00:00 - 0:00:10]", "00:00:31", "A", ["A.Black.", "B.Red."])
    write(folder / "questions_real.json", [late, early])
    touch(folder / "videos", "s_1_real.mp4")


def streamarena(folder: Path) -> None:
    def entry(qid: int, qtype: str, ask: float, ref: float, evidence: list[float] | None) -> dict[str, Any]:
        asked = {"video_id": "abc_EFGH-12", "qid": qid, "qtype": qtype, "ask_sec": ask, "question": "What was it?"}
        return asked | {"ref_sec": ref, "horizon_sec": ask - ref, "answer": f"thing {qid}", "evidence_ts_sec": evidence}

    past = entry(9, "HR", 1800.5, 1800.5, [30.0, 1200, 1900])
    write_lines(folder / "question.en.jsonl", [past, entry(1, "RTP", 85, 85, None)])
    touch(folder / "videos", "abc_EFGH-12/abc_EFGH-12.mp4")


def xstream(folder: Path) -> None:
    def fields(place: int, kind: str, question: str, seconds: float) -> dict[str, Any]:
        said = {"type": kind, "question": question, "question_timesec": 3, "response": f"answer {place}"}
        return {f"qa_{place}_{name}": value for name, value in {**said, "response_timesec": seconds}.items()}

    shown = "{{video:data/eval/merged/take/7.mp4,start=%d,end=%d,fps=2}}"
    contents = ["{{file:system_prompt.txt}}", shown % (0, 1), "{{model:m,as=qa_1_model_timesec_1}}", shown % (1, 2)]
    messages = [{"role": "user", "content": content} for content in contents]
    asked = fields(10, "Instant", "Which view is closer? A. left B. right", 44)
    line = {"vars": asked | fields(2, "Backward", "Who?", 12.5), "rounds": [{"round_id": "7", "messages": messages}]}
    write_lines(folder / "eval_relative_merged_phostream_type.jsonl", [line])
    touch(folder / "data/eval/merged", "take/7.mp4")


def videomme(folder: Path) -> None:
    row = {"video_id": "601", "duration": "long", "domain": "Life", "sub_category": "Law", "videoID": "xyz_ABCD-34"}
    options = ["A. Three.", "B. Two.", "C. One.", "D. Four."]
    asked = {"question_id": "601-2", "task_type": "Counting Problem", "question": "How many?", "options": options}
    write_lines(folder / "videomme.jsonl", [{**row, "url": "https://youtu.be/xyz_ABCD-34", **asked, "answer": "C"}])
    touch(folder / "data", "xyz_ABCD-34.mp4")


def lvbench(folder: Path) -> None:
    question = "Which number is on the bus (the red one)?\n(A) 12\n(B) 15\n(C) 51\n(D) none (a poster)"
    qa = {"uid": "0", "question": question, "answer": "D", "question_type": ["key information retrieval", "reasoning"]}
    info = {"duration_minutes": 90, "fps": 29.97, "resolution": {"width": 640, "height": 360}}
    asked = [{**qa, "time_reference": "14:22-1:00:05"}]
    line = {"key": "uvw_KLMN-56", "type": "cartoon", "video_info": info, "qa": asked}
    write_lines(folder / "video_info.meta.jsonl", [line])
    touch(folder / "all_videos", "uvw_KLMN-56.mp4")


def egoschema(folder: Path) -> None:
    options = {f"option {index}": f"C cuts {index} onions." for index in range(5)}
    entry = {"q_uid": "00aa-11bb", "google_drive_id": "1abc", "question": "What does C do?", **options}
    write(folder / "questions.json", [entry])
    write(folder / "subset_answers.json", {"00aa-11bb": 3})
    touch(folder / "videos", "00aa-11bb.mp4")


BUILDERS: dict[str, Build] = {
    "rvs-ego": rvs_ego,
    "rvs-movie": rvs_movie,
    "vstream-qa-ego": vstream_ego,
    "vstream-qa-movie": vstream_movie,
    "moviechat-1k": moviechat,
    "nextqa-mc": nextqa,
    "cgbench": cgbench,
    "cgbench-mini": cgbench_mini,
    "ovobench": ovobench,
    "streamingbench": streamingbench,
    "streamarena": streamarena,
    "xstream": xstream,
    "videomme": videomme,
    "lvbench": lvbench,
    "egoschema": egoschema,
}


ANNOTATIONS = (".json", ".jsonl", ".csv")


def load(name: str, folder: Path) -> DataSet:
    BUILDERS[name](folder)
    return load_dataset(name, folder)


def only_video(read: DataSet) -> tuple[Question, ...]:
    assert len(read.videos) == 1
    return read.videos[0].questions


def annotation_file(folder: Path) -> Path:
    """The first file of annotations that a builder wrote."""
    return sorted(path for path in folder.rglob("*") if path.suffix in ANNOTATIONS and "map_" not in path.name)[0]


def test_every_loader_is_tested() -> None:
    assert set(BUILDERS) <= set(DATASETS)
    assert set(DATASETS) - set(BUILDERS) <= {"toyworld"}


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"data set must be one of rvs-ego, .*, got 'imagenet'"):
        load_dataset("imagenet", tmp_path)


# What is read


def test_rvs_ego(tmp_path: Path) -> None:
    read = load("rvs-ego", tmp_path)
    asked = only_video(read)
    assert read.scoring == "judge"
    assert read.videos[0].time_unit is TimeUnit.SECONDS
    assert [(q.question, q.answer, q.ask_seconds) for q in asked] == [
        ("Is the tap on?", "no", 40),
        ("Who came?", "a child", 80),
        ("What is cut?", "onions", 160.5),
    ]
    assert [q.evidence for q in asked] == [(Span(10, 40),), (), (Span(100, 160.5),)], "one runs backwards"
    assert read.settings.startswith("ego4d_oe.json sha256:")


def test_rvs_movie_counts_shots_and_asks_before_its_end_shot(tmp_path: Path) -> None:
    read = load("rvs-movie", tmp_path)
    video = read.videos[0]
    assert video.time_unit is TimeUnit.SHOTS
    seen = [f.image[0, 0, 0] for f in video.source.frames(0.5) if f.pts_seconds < video.questions[0].ask_seconds]
    assert seen == [0, 1, 2], "end_time 3: the first three shots, whatever the clip's place in the film"
    assert video.questions[0].evidence == (Span(1, 3),)


def test_vstream_ego_with_and_without_times(tmp_path: Path) -> None:
    read = load("vstream-qa-ego", tmp_path)
    assert [video.video_id for video in read.videos] == ["000246", "000247"]
    assert [(q.question_id, q.ask_seconds) for q in read.videos[0].questions] == [
        ("000246_0", 90),
        ("000246_1", math.inf),
    ]
    assert read.videos[0].questions[0].evidence == (Span(30, 90),)
    assert read.videos[0].questions[0].task == "Action"


def test_vstream_movie_sees_the_shot_that_it_ends_with(tmp_path: Path) -> None:
    read = load("vstream-qa-movie", tmp_path)
    video = read.videos[0]
    (question,) = video.questions
    assert video.time_unit is TimeUnit.SHOTS
    assert question.ask_seconds == 387 - 385 + 1
    assert question.evidence == (Span(1, 3),)
    seen = [frame.image[0, 0, 0] for frame in video.source.frames(1) if frame.pts_seconds < question.ask_seconds]
    assert np.allclose(seen, [85, 86, 87], atol=2), "JPEG is not exact"


def test_vstream_movie_counts_from_zero_as_published(tmp_path: Path) -> None:
    vstream_movie(tmp_path)
    pictures = tmp_path / "movienet_frames/tt2_0385_0388"
    shutil.copy(pictures / "shot_0385_img_0.jpg", pictures / "shot_0000_img_0.jpg")
    assert only_video(load_dataset("vstream-qa-movie", tmp_path))[0].ask_seconds == 388


def test_vstream_movie_with_other_numbers_than_its_pictures(tmp_path: Path) -> None:
    vstream_movie(tmp_path)
    pictures = tmp_path / "movienet_frames/tt2_0385_0388"
    for path in pictures.iterdir():
        path.rename(pictures / path.name.replace("shot_0", "shot_9"))
    with pytest.raises(DataError, match=r"question 0 of test_qa_movienet.json ends before .* shot 9385"):
        load_dataset("vstream-qa-movie", tmp_path)


def test_moviechat(tmp_path: Path) -> None:
    read = load("moviechat-1k", tmp_path)
    assert [(q.task, q.answer, q.ask_seconds) for q in only_video(read)] == [
        ("breakpoint", "men", 10),
        ("breakpoint", "a gnu", 200),
        ("global", "lions", math.inf),
        ("global", "day", math.inf),
    ]


def test_moviechat_answers_that_came_later_are_preferred(tmp_path: Path) -> None:
    moviechat(tmp_path)
    film = json.loads((tmp_path / "annotations/AWA-1.json").read_text())
    film["global"][0]["answer"] = "mainly lions"
    write(tmp_path / "gt/gt/AWA-1.json", film)
    assert "mainly lions" in {q.answer for q in only_video(load_dataset("moviechat-1k", tmp_path))}


def test_nextqa(tmp_path: Path) -> None:
    read = load("nextqa-mc", tmp_path)
    first, second = only_video(read)
    assert read.scoring == "choice"
    assert (first.question_id, first.answer, first.answer_index, first.task) == ("4010069381_6", "handle", 0, "CH")
    assert first.choices == ("handle", "feet", "string", "sticks", "hand")
    assert (second.question, second.answer, second.answer_index) == ('what, then, is "new"', "take napkin", 4)
    assert first.ask_seconds == second.ask_seconds == math.inf


def test_nextqa_videos_under_bare_names(tmp_path: Path) -> None:
    nextqa(tmp_path)
    shutil.move(tmp_path / "videos/1164/4010069381.mp4", tmp_path / "videos/4010069381.mkv")
    assert len(only_video(load_dataset("nextqa-mc", tmp_path))) == 2


def test_nextqa_groups() -> None:
    types = ["CW", "CH", "TN", "TC", "TP", "DC", "DL", "DO"]
    assert [group_of(task) for task in types] == list("CCTTTDDD")
    with pytest.raises(DataError, match="got 'XY'"):
        group_of("XY")


@pytest.mark.parametrize("name", ["cgbench", "cgbench-mini"])
def test_cgbench(name: str, tmp_path: Path) -> None:
    read = load(name, tmp_path)
    (question,) = only_video(read)
    assert (read.name, read.scoring) == (name, "choice")
    assert (question.question_id, question.answer, question.answer_index) == ("17", "red", 1)
    assert question.evidence == (Span(700, 710.5),), "the other runs backwards"
    assert question.ask_seconds == math.inf
    assert question.age_seconds is None


def test_ovobench_from_whole_videos(tmp_path: Path) -> None:
    read = load("ovobench", tmp_path)
    asked = {video.video_id: [q.question_id for q in video.questions] for video in read.videos}
    assert asked == {
        "Ego4D/clips/a.mp4": ["1", "0"],
        "PT/b.mp4": ["2_0", "4_0", "2_1", "4_1"],
        "COIN/c.mp4": ["3_0"],
    }
    assert read.scoring == "ovobench"
    assert read.settings.endswith(", src_videos")


def test_ovobench_scores_on_gt_where_the_answer_is_worded_otherwise(tmp_path: Path) -> None:
    question = load("ovobench", tmp_path).videos[0].questions[1]
    assert OVO_ITEMS[0]["answer"] not in OVO_ITEMS[0]["options"]
    assert (question.answer, question.answer_index) == ("a man with a blue shirt", 1)
    assert question.ask_seconds == 215


def test_ovobench_forward_answers(tmp_path: Path) -> None:
    asked = {q.question_id: q for video in load("ovobench", tmp_path).videos for q in video.questions}
    assert {name: (asked[name].answer, asked[name].ask_seconds) for name in asked if "_" in name} == {
        "2_0": ("1", 3),
        "2_1": ("2", 7.5),
        "3_0": ("Yes", 4),
        "4_0": ("No", 5),
        "4_1": ("Yes", 10),
    }
    for name, words in {"2_0": "jump", "3_0": "boil the water", "4_1": "Who wins?"}.items():
        assert words in asked[name].question
    assert "Ann" not in asked["4_1"].question
    assert "digits" in asked["2_0"].instruction
    assert all("Yes or No" in asked[name].instruction for name in ("3_0", "4_0", "4_1"))
    assert asked["1"].instruction == ""
    assert asked["3_0"].choices == ()


def test_ovobench_from_chunks(tmp_path: Path) -> None:
    write(tmp_path / "ovo_bench.json", OVO_ITEMS)
    touch(tmp_path / "chunked_videos", *(f"{name}.mp4" for name in ("0", "1", "2_0", "2_1", "3_0", "4_0", "4_1")))
    read = load_dataset("ovobench", tmp_path)
    assert [video.video_id for video in read.videos] == ["0", "1", "2_0", "2_1", "3_0", "4_0", "4_1"]
    assert all([q.question_id for q in video.questions] == [video.video_id] for video in read.videos)
    assert read.videos[3].questions[0].ask_seconds == 7.5


def test_ovobench_groups() -> None:
    assert [ovo_group_of(item["task"]) for item in OVO_ITEMS] == [
        "backward",
        "realtime",
        "forward",
        "forward",
        "forward",
    ]


def test_streamingbench(tmp_path: Path) -> None:
    read = load("streamingbench", tmp_path)
    first, second = only_video(read)
    assert (read.scoring, read.videos[0].video_id) == ("streamingbench", "s_1_real")
    assert (first.ask_seconds, first.choices, first.answer) == (31, ("Black.", "Red."), "Black.")
    assert (second.ask_seconds, second.answer_index, second.answer) == (460, 1, "A map.")
    assert second.choices == ("A compass.", "A map.", "A dial.", "Radar.")


def test_streamarena_reads_the_two_kinds_that_are_answered_when_asked(tmp_path: Path) -> None:
    streamarena(tmp_path)
    path = tmp_path / "question.en.jsonl"
    others = [{"video_id": video_id, "qtype": kind} for video_id in ("abc_EFGH-12", "x") for kind in ("Tool", "Pro")]
    write_lines(path, [*others, *content_of(path)])
    read = load_dataset("streamarena", tmp_path)
    now, past = only_video(read)
    assert (read.scoring, read.videos[0].video_id) == ("judge", "abc_EFGH-12")
    assert (now.question_id, now.ask_seconds, now.task, now.answer) == ("abc_EFGH-12/1", 85, "RTP", "thing 1")
    assert (now.evidence, now.choices) == ((), ())
    assert (past.question_id, past.ask_seconds, past.task) == ("abc_EFGH-12/9", 1800.5, "HR")
    assert past.evidence == (Span(30, 30), Span(1200, 1200))
    assert past.age_seconds == 600.5


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["Tool", "Pro"], "question.en.jsonl must have questions of 'qtype' RTP or HR, got none"),
        (["RTP", "Mem"], "^'qtype' of question 1 of question.en.jsonl must be one of RTP, HR, Tool, Pro, got 'Mem'$"),
    ],
)
def test_streamarena_kinds(kinds: list[str], message: str, tmp_path: Path) -> None:
    streamarena(tmp_path)
    path = tmp_path / "question.en.jsonl"
    write_lines(path, [{**content_of(path)[0], "qtype": kind, "qid": place} for place, kind in enumerate(kinds)])
    with pytest.raises(DataError, match=message):
        load_dataset("streamarena", tmp_path)


def test_streamarena_videos_without_folders_of_their_own(tmp_path: Path) -> None:
    streamarena(tmp_path)
    (tmp_path / "videos/abc_EFGH-12/abc_EFGH-12.mp4").rename(tmp_path / "videos/abc_EFGH-12.mp4")
    assert load_dataset("streamarena", tmp_path).num_questions == 2


def test_xstream_asks_when_the_published_evaluation_accepts_an_answer(tmp_path: Path) -> None:
    read = load("xstream", tmp_path)
    before, after = only_video(read)
    assert (read.scoring, read.videos[0].video_id) == ("judge", "data/eval/merged/take/7.mp4")
    assert (before.question_id, before.ask_seconds, before.task, before.answer) == ("0_2", 12.5, "Backward", "answer 2")
    assert (after.question_id, after.ask_seconds, after.answer) == ("0_10", 44, "answer 10")
    assert (after.question, after.choices) == ("Which view is closer? A. left B. right", ())


def test_xstream_lines_about_one_video_and_what_is_not_read(tmp_path: Path) -> None:
    xstream(tmp_path)
    path = tmp_path / "eval_relative_merged_phostream_type.jsonl"
    (line,) = content_of(path)
    kept = {name: value for name, value in line["vars"].items() if name.startswith("qa_2_")}
    misspelled = {name.replace("response", "resposne"): value for name, value in kept.items()}
    unasked = {**line, "vars": {**kept, "qa_2_type": "Proactive"}}
    write_lines(path, [line, unasked, {**line, "vars": misspelled}])
    questions = only_video(load_dataset("xstream", tmp_path))
    assert [(question.question_id, question.answer) for question in questions] == [
        ("0_2", "answer 2"),
        ("2_2", "answer 2"),
        ("0_10", "answer 10"),
    ]
    write_lines(path, [unasked])
    with pytest.raises(DataError, match=r"must have questions of a type other than proactive and future, got none$"):
        load_dataset("xstream", tmp_path)


@pytest.mark.parametrize("contents", [[], ["{{video:a.mp4,step=1}} {{video:b.mp4,step=1}}"]])
def test_xstream_streams_apart(contents: list[str], tmp_path: Path) -> None:
    xstream(tmp_path)
    path = tmp_path / "eval_relative_merged_phostream_type.jsonl"
    (line,) = content_of(path)
    write_lines(path, [{**line, "rounds": [{"messages": [{"content": content} for content in contents]}]}])
    with pytest.raises(DataError, match=rf"^line 0 of .* must show one merged video, got {2 * len(contents)} videos; "):
        load_dataset("xstream", tmp_path)


def test_xstream_line_without_questions(tmp_path: Path) -> None:
    xstream(tmp_path)
    path = tmp_path / "eval_relative_merged_phostream_type.jsonl"
    write_lines(path, [{**content_of(path)[0], "vars": {"instruction": "Answer."}}])
    with pytest.raises(DataError, match=r"^'vars' in line 0 of .* must have fields such as 'qa_1_question', got none$"):
        load_dataset("xstream", tmp_path)


def test_videomme(tmp_path: Path) -> None:
    read = load("videomme", tmp_path)
    (question,) = only_video(read)
    assert (read.scoring, read.videos[0].video_id) == ("videomme", "xyz_ABCD-34")
    assert (question.question_id, question.task, question.ask_seconds) == ("601-2", "long", math.inf)
    assert (question.choices, question.answer) == (("Three.", "Two.", "One.", "Four."), "One.")


def test_lvbench(tmp_path: Path) -> None:
    read = load("lvbench", tmp_path)
    (question,) = only_video(read)
    assert (read.scoring, read.videos[0].video_id) == ("lvbench", "uvw_KLMN-56")
    assert question.question == "Which number is on the bus (the red one)?"
    assert (question.choices, question.answer) == (("12", "15", "51", "none (a poster)"), "none (a poster)")
    assert (question.task, question.ask_seconds) == ("key information retrieval, reasoning", math.inf)
    assert question.evidence == (Span(862, 3605),)


@pytest.mark.parametrize("reference", ["14:22", "1:00-0:30", "the end", "1:00-1:10, 2:00-2:10", "0:60-a", None, ""])
def test_lvbench_time_references_of_another_form_are_no_evidence(reference: str | None, tmp_path: Path) -> None:
    lvbench(tmp_path)
    path = tmp_path / "video_info.meta.jsonl"
    (line,) = content_of(path)
    write_lines(path, [{**line, "qa": [{**line["qa"][0], "time_reference": reference}]}])
    assert only_video(load_dataset("lvbench", tmp_path))[0].evidence == ()


@pytest.mark.parametrize("question", ["Which?", "Which?\n(A) 12", "Which?\n(A) a\n(C) b", "Which? (A) a (B) b"])
def test_lvbench_question_without_its_choices(question: str, tmp_path: Path) -> None:
    lvbench(tmp_path)
    path = tmp_path / "video_info.meta.jsonl"
    (line,) = content_of(path)
    write_lines(path, [{**line, "qa": [{**line["qa"][0], "question": question}]}])
    with pytest.raises(DataError, match=r"^'question' of question 0 of video 0 of video_info.meta.jsonl must end "):
        load_dataset("lvbench", tmp_path)


def test_egoschema_reads_the_questions_with_published_answers(tmp_path: Path) -> None:
    egoschema(tmp_path)
    path = tmp_path / "questions.json"
    write(path, [*content_of(path), {"q_uid": "withheld"}])
    data = load_dataset("egoschema", tmp_path)
    (question,) = only_video(data)
    assert (data.scoring, question.question_id, question.ask_seconds) == ("choice", "00aa-11bb", math.inf)
    assert (len(question.choices), question.answer) == (5, "C cuts 3 onions.")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "^subset_answers.json must have at least one answer, got none$"),
        ({"00aa-11bb": 3, "other": 1}, "^every answer of subset_answers.json must have .*, first 'other'$"),
        ({"00aa-11bb": 5}, "^'00aa-11bb' of subset_answers.json must be an index into 5 choices, got 5$"),
        ([3], "^subset_answers.json must be an object with named fields, got "),
    ],
)
def test_egoschema_answers(answers: object, message: str, tmp_path: Path) -> None:
    egoschema(tmp_path)
    write(tmp_path / "subset_answers.json", answers)
    with pytest.raises(DataError, match=message):
        load_dataset("egoschema", tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_questions_are_in_order_of_asking_with_different_ids(name: str, tmp_path: Path) -> None:
    read = load(name, tmp_path)
    assert read.name == name
    for video in read.videos:
        times = [question.ask_seconds for question in video.questions]
        assert times == sorted(times)
    ids = [question.question_id for video in read.videos for question in video.questions]
    assert len(set(ids)) == len(ids) == read.num_questions


def test_loading_twice_gives_the_same(tmp_path: Path) -> None:
    assert load("ovobench", tmp_path) == load_dataset("ovobench", tmp_path)


def test_settings_tell_other_annotations_apart(tmp_path: Path) -> None:
    before = load("cgbench", tmp_path).settings
    path = tmp_path / "cgbench.json"
    path.write_text(path.read_text().replace('"B"', '"C"'))
    assert load_dataset("cgbench", tmp_path).settings != before


# Wrong folders


@pytest.mark.parametrize("name", BUILDERS)
def test_missing_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder: .*nowhere; an? .* folder holds "):
        load_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", BUILDERS)
def test_empty_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no .*; an? .* folder holds "):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("content", ["", "{", "[]", "[1]", "7", "\ufeff[", "\x00", "a,b\n1,2\n", "[" * 100_000])
def test_malformed_annotations(name: str, content: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    path = annotation_file(tmp_path)
    path.write_text(content)
    with pytest.raises(DataError, match=path.name.replace(".", r"\.")):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_annotations_that_are_no_text(name: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    annotation_file(tmp_path).write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(DataError):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_missing_video(name: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in ANNOTATIONS]
    parents = {path.parent for path in kept}
    for path in kept:
        path.unlink()
    for parent in parents if name == "vstream-qa-movie" else ():
        parent.rmdir()
    wanted = 2 if name == "vstream-qa-ego" else 3 if name == "ovobench" else 1
    with pytest.raises(DataError, match=rf"{wanted} of {wanted} videos are missing from .*, first .*folder holds "):
        load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_missing_video_folder(name: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    for path in tmp_path.iterdir():
        if path.is_dir() and path.name != "annotations":
            shutil.rmtree(path)
    with pytest.raises(DataError, match=r"has no .*; an? .* folder holds "):
        load_dataset(name, tmp_path)


UNREAD = {
    *("duration", "clip_start_time", "clip_end_time", "caption", "num_frame", "domain", "time", "required_ability"),
    *("video_categories", "start_times", "end_times", "tutorial", "all_steps", "ask_time", "clue_time"),
}
"""Published fields that no question needs, in any set ..."""
UNREAD_IN = {
    "cgbench": {"answer"},
    "cgbench-mini": {"answer"},
    "ovobench": {"answer", "start_time", "end_time"},
    "vstream-qa-ego": {"end_time"},  # without it a question is asked after the whole video
    "vstream-qa-movie": {"end_time"},
    "streamarena": {"ref_sec", "horizon_sec", "evidence_ts_sec"},
    "xstream": {"round_id", "role", "qa_2_question_timesec", "qa_10_question_timesec"},
    "videomme": {"video_id", "sub_category", "url", "task_type"},
    "lvbench": {"type", "video_info", "duration_minutes", "fps", "resolution", "width", "height", "time_reference"},
    "egoschema": {"google_drive_id"},
}
"""... and in these."""
NEEDED_IN = {"moviechat-1k": {"time"}, "videomme": {"duration"}}
"""Fields of the first list that a question does need in these."""


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of every named field."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        if isinstance(value, dict):
            yield (*path, key)
        yield from paths_of(item, (*path, key))


def is_needed(name: str, field: str) -> bool:
    return field in NEEDED_IN.get(name, set()) or field not in UNREAD | UNREAD_IN.get(name, set())


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "nextqa-mc"])
def test_every_field_is_needed_and_its_error_names_field_and_file(name: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    path = annotation_file(tmp_path)
    whole = content_of(path)
    for keys in list(paths_of(whole)):
        broken = json.loads(json.dumps(whole))
        parent = broken
        for key in keys[:-1]:
            parent = parent[key]
        del parent[keys[-1]]
        rewrite(path, broken)
        if is_needed(name, keys[-1]):
            with pytest.raises(DataError, match=rf"{path.name} has no field '{keys[-1]}'"):
                load_dataset(name, tmp_path)
        else:
            load_dataset(name, tmp_path)


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "nextqa-mc"])
@pytest.mark.parametrize("wrong", [None, True, [], {}, "", "?", -7, 1e300, "NaN", [[1]], ["\ud800"]], ids=repr)
def test_wrong_values_end_in_an_error_of_ours_or_not_at_all(name: str, wrong: Any, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path)
    path = annotation_file(tmp_path)
    whole = content_of(path)
    for keys in list(paths_of(whole)):
        broken = json.loads(json.dumps(whole))
        parent = broken
        for key in keys[:-1]:
            parent = parent[key]
        parent[keys[-1]] = wrong
        rewrite(path, broken)
        message = ""
        try:
            load_dataset(name, tmp_path)
        except KeepsightError as error:
            message = str(error)
        assert "\n" not in message, keys


@pytest.mark.parametrize("column", ["video", "question", "answer", "qid", "type", "a0", "a4"])
def test_nextqa_column_is_missing(column: str, tmp_path: Path) -> None:
    nextqa(tmp_path)
    path = tmp_path / "val.csv"
    header, rest = path.read_text().split("\n", 1)
    path.write_text("\n".join([",".join("x" if name == column else name for name in header.strip().split(",")), rest]))
    with pytest.raises(DataError, match=rf"val.csv has no column '{column}'; columns: "):
        load_dataset("nextqa-mc", tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "4010069381,1,1,1,q,5,6,CH,a,b,c,d,e",
            r"'answer' of question 0 of val.csv must be an index into 5 choices, got 5",
        ),
        ("4010069381,1,1,1,q,A,6,CH,a,b,c,d,e", "'answer' of question 0 of val.csv must be a number, got 'A'"),
        ("4010069381,1,1,1,q,0,6,ZZ,a,b,c,d,e", "got 'ZZ'"),
        ("4010069381,1,1,1,q,0,6,CH,a,b", "question 0 of val.csv has no field 'a2'"),
        ("99,1,1,1,q,0,6,CH,a,b,c,d,e", "map_vid_vidorID.json has no field '99'"),
    ],
)
def test_nextqa_wrong_rows(row: str, message: str, tmp_path: Path) -> None:
    nextqa(tmp_path)
    (tmp_path / "val.csv").write_text(f"{NEXTQA_HEADER}\n{row}\n")
    with pytest.raises(DataError, match=message):
        load_dataset("nextqa-mc", tmp_path)


def test_nextqa_map_is_missing(tmp_path: Path) -> None:
    nextqa(tmp_path)
    (tmp_path / "map_vid_vidorID.json").unlink()
    with pytest.raises(DataError, match=r"has no map_vid_vidorID.json"):
        load_dataset("nextqa-mc", tmp_path)


def test_the_twelfth_question_is_named(tmp_path: Path) -> None:
    vstream_ego(tmp_path)
    path = tmp_path / "test_qa_ego4d.json"
    entry = json.loads(path.read_text())[1]
    entries = [{**entry, "id": str(index)} for index in range(20)]
    del entries[12]["start_time"]
    path.write_text(json.dumps(entries))
    with pytest.raises(DataError, match=r"^question 12 of test_qa_ego4d.json has no field 'start_time'$"):
        load_dataset("vstream-qa-ego", tmp_path)


def test_a_wrong_array_is_found_when_loading(tmp_path: Path) -> None:
    rvs_movie(tmp_path)
    np.save(tmp_path / "videos/tt1.npy", np.zeros((5, 4, 6, 3), np.float32))
    with pytest.raises(DataError, match=r"tt1.npy must hold uint8 frames \[shots, height, width, 3\], got float32"):
        load_dataset("rvs-movie", tmp_path)


def test_the_fifth_line_is_named(tmp_path: Path) -> None:
    videomme(tmp_path)
    path = tmp_path / "videomme.jsonl"
    path.write_text(path.read_text() * 4 + "\n{\n")
    with pytest.raises(DataError, match=r"^question 4 of videomme.jsonl must be JSON on one line: "):
        load_dataset("videomme", tmp_path)


def test_same_question_id_twice(tmp_path: Path) -> None:
    cgbench(tmp_path)
    path = tmp_path / "cgbench.json"
    (entry,) = json.loads(path.read_text())
    path.write_text(json.dumps([entry, {**entry, "video_uid": "other"}]))
    touch(tmp_path / "cg_videos_720p", "other.mp4")
    with pytest.raises(DataError, match="two questions of cgbench have the id '17'"):
        load_dataset("cgbench", tmp_path)


def test_same_video_id_twice(tmp_path: Path) -> None:
    rvs_ego(tmp_path)
    path = tmp_path / "ego4d_oe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    with pytest.raises(DataError, match="two videos of rvs-ego have the id 'v1'"):
        load_dataset("rvs-ego", tmp_path)
