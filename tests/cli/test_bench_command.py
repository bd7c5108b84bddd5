"""`keepsight bench`: a folder with all there is to know of a run, or one line that says what is wrong."""

import csv
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keepsight.bench import runner
from keepsight.bench.datasets import DATASETS
from keepsight.bench.experiments import EXPERIMENTS
from keepsight.bench.methods import METHODS
from keepsight.bench.results import Results
from keepsight.method.protocol import AnswerRequest
from keepsight.models import loading
from tests.cli.ended import Keepsight, MakeVideo
from tests.fake_model import FakeModel

TOY = ("bench", "run", "--videos", 1, "--minutes", 1.5, "--processes", 1)


@dataclass
class SignallingModel(FakeModel):
    """A stand-in that sends this process a signal at its n-th answer."""

    signals_at: int = -1
    signal_number: int = signal.SIGINT

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        if len(self.calls) == self.signals_at:
            os.kill(os.getpid(), self.signal_number)
        return super().answer(request)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SignallingModel:
    """Answers in place of the model that a run asks for."""
    model = SignallingModel()
    monkeypatch.setattr(runner, "_load", lambda *_: model)
    return model


def test_without_matplotlib_nothing_is_begun(
    keepsight: Keepsight, stand_in: SignallingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = keepsight(*TOY, "--method", "captions", "--out", "out")
    assert (ended.code, ended.complaint.count("\n")) == (2, 0)
    assert ended.complaint == 'keepsight bench run needs matplotlib: pip install "keepsight[bench]"'
    assert not stand_in.calls
    assert not Path("out").exists()


def test_a_run_with_the_bundled_model(keepsight: Keepsight) -> None:
    words = (*TOY, "--questions", 1, "--method", "captions", "--method", "blind", "--out", "out")
    ended = keepsight(*words, "--json")
    assert ended.code == 0
    assert ended.complaint == (
        "1 video is too few for any difference in answers to have a corrected p below 0.05: "
        "methods needs 6 (1 comparison)"
    )
    assert ended.events == [{"event": "results", "path": "out/results.json", "report_path": "out/report.md"}]
    results = Results.load(Path("out/results.json"))
    assert list(results.methods) == ["captions", "blind"]
    assert results.environment["model"] == "tiny"
    assert len(results.of("captions")) == len(results.of("blind")) > 5
    assert [clip.end_seconds for clip in results.captions_of("captions")] == [32, 64, 96]
    assert all(one.score in (0, 1) for one in results.predictions)
    page = Path("out/report.md").read_text(encoding="utf-8")
    assert page.startswith("# toyworld-default")
    assert "captions" in page
    with Path("out/methods.csv").open(encoding="utf-8", newline="") as file:
        shares = {line["method"]: line["value"] for line in csv.DictReader(file) if line["column"] == "all"}
    assert set(shares) == {"captions", "blind"}
    assert json.loads(Path("out/methods.json").read_text(encoding="utf-8"))

    again = keepsight(*words, "--no-json")
    assert again.code == 0
    assert "Methods" in again.out
    assert "blind" in again.out
    assert "tables, plots and all answers: out/report.md" in again.out
    assert Results.load(Path("out/results.json")).predictions == results.predictions  # times too: nothing ran again


def test_data_sets_experiments_and_methods_are_listed(keepsight: Keepsight) -> None:
    out = keepsight("bench", "list").out
    for name in ("paper-toy", *DATASETS, *EXPERIMENTS, *METHODS):
        assert name in out


def letter(number: int, task: str, response: str, right: str) -> dict[str, object]:
    return {"id": number, "video": "a.mp4", "task": task, "question": "?", "response": response, "ground_truth": right}


def test_a_results_file_is_scored_again(keepsight: Keepsight) -> None:
    """(1/2 + 1) / 2 for the past, 0 for the present: 37.5 %."""
    past = [letter(1, "EPM", "B", "B"), letter(2, "EPM", "A", "B"), letter(3, "HLD", "It is C", "C")]
    whole = {"backward": past, "realtime": [letter(4, "OCR", "D", "A")], "forward": []}
    Path("ovo.json").write_text(json.dumps(whole), encoding="utf-8")
    ended = keepsight("bench", "score", "ovobench", "ovo.json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.of("score") == [
        {"event": "score", "group": "backward", "task": "EPM", "accuracy": 0.5, "num_questions": 2},
        {"event": "score", "group": "backward", "task": "HLD", "accuracy": 1.0, "num_questions": 1},
        {"event": "score", "group": "realtime", "task": "OCR", "accuracy": 0.0, "num_questions": 1},
    ]
    assert ended.of("group") == [
        {"event": "group", "group": "backward", "accuracy": 0.75, "num_questions": 3},
        {"event": "group", "group": "realtime", "accuracy": 0.0, "num_questions": 1},
    ]
    (overall,) = ended.of("overall")
    assert (overall["accuracy"], overall["num_questions"]) == (0.375, 4)
    assert overall["notes"] == [
        "no answers for ASI, ACR, ATR, STU, FPD, OJR, REC, SSR, CRR; the averages leave them out"
    ]
    text = keepsight("bench", "score", "ovobench", "ovo.json", "--no-json").out
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "backward EPM 50.00% 2",
        "backward HLD 100.00% 1",
        "backward mean of tasks 75.00% 3",
        "realtime OCR 0.00% 1",
        "realtime mean of tasks 0.00% 1",
        "overall, mean of groups 37.50% 4",
        f"note: {overall['notes'][0]}",
    ]


def test_a_folder_of_results_files_is_scored_with_its_annotations(keepsight: Keepsight) -> None:
    Path("parts").mkdir()
    for qid, choice in enumerate((0, 1)):
        whole = {f"7_{qid}": {"prediction": choice, "answer": 0}}
        Path(f"parts/{qid}.json").write_text(json.dumps(whole), encoding="utf-8")
    rows = ["video,question,answer,qid,type", "7,why,0,0,CW", "7,when,0,1,TP"]
    Path("val.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    text = keepsight("bench", "score", "nextqa", "parts", "--annotations", "val.csv", "--no-json").out
    assert [" ".join(line.split()) for line in text.splitlines()[:5]] == [
        "C CW 100.00% 1",
        "C all questions 100.00% 1",
        "T TN 0.00% 1",
        "T all questions 0.00% 1",
        "overall 50.00% 2",
    ]


def test_our_own_results_are_scored_again(keepsight: Keepsight, stand_in: FakeModel) -> None:
    keepsight(*TOY, "--method", "blind")
    ended = keepsight("bench", "score", "keepsight", "bench/results.json")
    assert ended.code == 0
    assert ended.of("overall")[0]["accuracy"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing command"),
        (("frobnicate",), "frobnicate"),
        (("run", "kitchens"), "got 'kitchens'"),
        (("run", "rvs-ego"), "give it with --folder"),
        (("run", "rvs-ego", "--folder", "nowhere"), "nowhere"),
        (("run", "rvs-ego", "--folder", "."), "ego4d_oe.json"),
        (("run", "--folder", "."), "leave --folder out"),
        (("run", "paper-toi"), "got 'paper-toi'; did you mean paper-toy?"),
        (("run", "--experiment", "memroy", "--model", "tiny"), "got 'memroy'; did you mean memory?"),
        (("run", "--experiment", "everything"), "experiment must be one of overview"),
        (("run", "--experiment", ""), "experiment must be one of overview"),
        (("run", "--experiment", "memory", "--method", "blind"), "either --experiment or --method"),
        (("run", "--method", "magic"), "method must be one of captions"),
        (("run", "--method", ""), "method must be one of captions"),
        (("run", "--method", "captions:magic=1"), "the setting 'magic' of captions is unknown; known settings: "),
        (
            ("run", "--method", "captions:retension=1"),
            "the setting 'retension' of captions is unknown; did you mean retention?",
        ),
        (("run", "--method", "capitons"), "got 'capitons'; did you mean captions?"),
        (("run", "--difficulty", "eazy"), "got 'eazy'; did you mean easy?"),
        (("run", "--method", "captions:retention=2"), "retention must be"),
        (("run", "--method", "last-frames:num_frames=few"), "num_frames must be"),
        (("run", "--method", "captions:retention"), "name:setting=value"),
        (("run", "--difficulty", "silly"), "difficulty must be one of"),
        (
            ("run", "--question-set", "memroy"),
            "questions must be one of general, memory, space, got 'memroy'; did you mean",
        ),
        (("run", "--videos", 0), "videos"),
        (("run", "--videos", -3), "videos"),
        (("run", "--videos", 1001), "1000 videos"),
        (("run", "--first-video", 999), "1000 videos"),
        (("run", "--first-video", -1), "1000 videos"),
        (("run", "--split", "tset"), "got 'tset'; did you mean test?"),
        (("run", "--videos", "many"), "--videos"),
        (("run", "--minutes", 0), "minutes"),
        (("run", "--minutes", -1), "minutes"),
        (("run", "--minutes", "nan"), "minutes"),
        (("run", "--questions", -1), "numbers of questions"),
        (("run", "--questions", 0), "must be above 0, got 0 for both"),
        (("run", "--ask-minutes", "soon"), "ask_minutes must be numbers"),
        (("run", "--ask-minutes", "1,,x"), "ask_minutes must be numbers"),
        (("run", "--ask-minutes", "1:30"), "ask_minutes must be numbers"),
        (("run", "--ask-minutes", "-2"), "ask_minutes must lie within"),
        (("run", "--ask-minutes", "2,99"), "ask_minutes must lie within"),
        (("run", "--ask-minutes", "nan"), "ask_minutes must lie within"),
        (("run", "--processes", 0), "processes must be at least 1"),
        (("run", "--processes", -2), "processes must be at least 1"),
        (("run", "--device", "tpu"), "device"),
        (("run", "--model", "hugest", "--method", "blind"), "no such model: 'hugest'"),
        (
            (
                "run",
                "--frobnicate",
            ),
            "No such option",
        ),
        (("score", "ovobench"), "RESULTS"),
        (("score", "ovobench", "none.json"), "none.json"),
        (("score", "ovobench", "."), "must hold results files"),
        (("score", "cgbench", "none.json", "--annotations", "val.csv"), "only nextqa reads them"),
        (("score", "magic", "none.json"), "magic"),
    ],
    ids=str,
)
def test_nonsense_is_one_line(keepsight: Keepsight, words: tuple[object, ...], says: str) -> None:
    ended = keepsight("bench", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.complaint
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"backward": [3]}', "\x00"])
def test_a_results_file_of_another_form(keepsight: Keepsight, content: str) -> None:
    Path("ovo.json").write_text(content, encoding="utf-8")
    ended = keepsight("bench", "score", "ovobench", "ovo.json")
    assert (ended.code, ended.out) == (2, "")
    assert "ovo.json" in ended.complaint


def test_a_place_that_cannot_be_written_to(keepsight: Keepsight, stand_in: FakeModel) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    ended = keepsight(*TOY, "--method", "blind", "--out", "taken")
    assert ended.code == 2
    assert "taken" in ended.complaint
    assert stand_in.calls == []  # it is found out before the work begins
    Path("out").mkdir()
    Path("out/report.md").mkdir()
    ended = keepsight(*TOY, "--method", "blind", "--out", "out")
    assert ended.code == 2
    assert "cannot write into out" in ended.complaint


def make_rvs(folder: Path, video: Path) -> None:
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / "a.mp4").write_bytes(video.read_bytes())
    turns = [{"question": "Where is it?", "answer": "in the sink", "start_time": 2.0, "end_time": 6.0}]
    entry = {"video_id": "a", "video_path": "a.mp4", "duration": 10.0, "conversations": turns}
    (folder / "ego4d_oe.json").write_text(json.dumps([entry]), encoding="utf-8")


JUDGE = ("--judge-url", "http://localhost:9/v1/chat/completions", "--judge-model", "judge")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give --judge-url and --judge-model"),
        (("--judge-model", "judge"), "give --judge-url and --judge-model"),
        (("--judge-url", "http://localhost:9/v1/chat/completions"), "model name must not be empty"),
        (("--judge-url", "localhost", "--judge-model", "judge"), "a host and a path"),
        (("--judge-url", "http://me:secret@localhost/", "--judge-model", "judge"), "password"),
        ((*JUDGE, "--judge-prompt", "none.txt"), "cannot read the judge's prompt none.txt"),
        ((*JUDGE, "--judge-prompt", "."), "cannot read the judge's prompt"),
        ((*JUDGE, "--judge-prompt", "video.bin"), "no UTF-8 text"),
        ((*JUDGE, "--judge-prompt", "short.txt"), "{answer}"),
        (("--judge-model", "local", "--judge-prompt", "short.txt"), "{answer}"),
        ((*JUDGE, "--judge-setting", "rekw"), "one of keepsight, rekv, got 'rekw'; did you mean rekv?"),
    ],
    ids=str,
)
def test_a_judge_that_is_missing_or_cannot_be(
    keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo, words: tuple[object, ...], says: str
) -> None:
    make_rvs(Path("rvs"), make_video(seconds=8))
    Path("video.bin").write_bytes(b"\xff\xfe\xff")
    Path("short.txt").write_text("Is {prediction} right?", encoding="utf-8")
    ended = keepsight("bench", "run", "rvs-ego", "--folder", "rvs", "--method", "blind", "--model", "fake", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.complaint
    assert "secret" not in ended.complaint
    assert stand_in.calls == []


def test_a_judge_that_talks_nonsense_leaves_the_answers(
    keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo
) -> None:
    make_rvs(Path("rvs"), make_video(seconds=8))
    words = ("bench", "run", "rvs-ego", "--folder", "rvs", "--method", "captions", "--model", "fake", "--processes", 1)
    ended = keepsight(*words, "--judge-model", "local")
    assert ended.code == 2
    early, no_verdict = ended.err.splitlines()
    assert "1 of 1 questions come before the first caption: they see the frames so far" in early
    assert "the judge must reply" in no_verdict
    answering, judging = stand_in.calls
    assert (answering.question, "Where is it?" in judging.question) == ("Where is it?", True)
    assert len(list(Path("bench/cache").iterdir())) == 1
    keepsight(*words, "--judge-model", "local")
    assert stand_in.calls[2:] == [judging]  # what was answered is not asked again


class Grader(FakeModel):
    """Says yes to every answer that it judges, and otherwise what a stand-in says."""

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        pieces = super().answer(request)
        return iter(("{'pred': 'yes', 'score': 4}",)) if "'pred'" in request.question else pieces


def test_a_judge_is_asked_once_and_remembered(
    keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, make_video: MakeVideo
) -> None:
    """Two methods with equal answers, a run that is repeated, and another prompt."""
    model = Grader()
    monkeypatch.setattr(runner, "_load", lambda *_: model)
    monkeypatch.setattr(loading, "load_model", lambda *_, **__: model)
    make_rvs(Path("rvs"), make_video(seconds=8))
    words = ("bench", "run", "rvs-ego", "--folder", "rvs", "--method", "captions", "--method", "blind")
    judged = (*words, "--model", "fake", "--processes", 1, "--judge-model", "local")

    def num_judged() -> int:
        return sum("'pred'" in call.question for call in model.calls)

    assert keepsight(*judged).code == 0
    results = Results.load(Path("bench/results.json"))
    assert {one.answer for one in results.predictions} == {"I was given 0 lines [99:00-99:32]."}
    assert [(one.score, one.rating) for one in results.predictions] == [(1, 4), (1, 4)]
    assert num_judged() == 1
    assert "model_name='fake'" in results.scoring
    assert "trust the correct answer" in results.scoring
    keepsight(*judged)
    assert num_judged() == 1
    assert keepsight(*judged, "--judge-setting", "rekv").code == 0
    assert num_judged() == 2
    assert len(list(Path("bench/cache/verdicts").iterdir())) == 2


def make_nextqa(folder: Path, whole: Path) -> None:
    (folder / "NExTVideo").mkdir(parents=True)
    rows = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    for name, content in (("1", whole.read_bytes()), ("2", b"no video"), ("3", whole.read_bytes())):
        (folder / "NExTVideo" / f"{name}.mp4").write_bytes(content)
        rows.append(f"{name},10,64,48,what is it,0,0,CW,a dog,a cat,a cup,a ball,a lamp")
    (folder / "val.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "map_vid_vidorID.json").write_text(json.dumps({name: name for name in "123"}), encoding="utf-8")


def test_a_video_that_fails_is_one_line_and_the_others_are_kept(
    keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo
) -> None:
    make_nextqa(Path("nextqa"), make_video(seconds=8))
    words = ("bench", "run", "nextqa-mc", "--folder", "nextqa", "--method", "last-frames", "--model", "fake")
    ended = keepsight(*words, "--processes", 1)
    assert ended.code == 1
    assert ended.complaint.startswith("no answers about 2: ")
    results = Results.load(Path("bench/results.json"))
    assert [one.video_id for one in results.predictions] == ["1", "3"]
    assert "a dog" in stand_in.calls[0].question


def make_toy_nextqa(folder: Path, seconds: tuple[int, ...], make_video: MakeVideo) -> None:
    """Videos of several lengths, each with one question."""
    (folder / "NExTVideo").mkdir(parents=True)
    rows = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    for number, length in enumerate(seconds):
        (folder / "NExTVideo" / f"{number}.mp4").write_bytes(make_video(seconds=length).read_bytes())
        rows.append(f"{number},10,64,48,what is it,0,0,CW,a dog,a cat,a cup,a ball,a lamp")
    (folder / "val.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    names = {str(number): str(number) for number in range(len(seconds))}
    (folder / "map_vid_vidorID.json").write_text(json.dumps(names), encoding="utf-8")


def test_the_papers_table_2_by_one_command(keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo) -> None:
    """Each video is two clips of 16 frames, whatever its length; of 64 tokens a clip a selector keeps its share."""
    make_toy_nextqa(Path("nextqa"), (3, 10, 40), make_video)
    ended = keepsight(
        *("bench", "run", "nextqa-mc", "--folder", "nextqa", "--paper", "--model", "fake", "--processes", 1)
    )
    assert ended.code == 0
    assert ended.complaint.startswith("3 videos are too few ")
    assert ended.complaint.endswith(": paper-selection needs 9 (12 comparisons)")
    results = Results.load(Path("bench/results.json"))
    kept = {
        tuple(re.search(r"selector='(.+?)', retention=([0-9.]+)", record).groups())  # type: ignore[union-attr]
        for record in results.methods.values()
        if record.startswith("SelectedTokens")
    }
    rest = {(selector, share) for selector in ("k-means", "uniform", "mean-pool") for share in ("0.0625", "0.12")}
    assert kept == rest | {("all", "0.0625")} | {("attention", x) for x in ("0.01", "0.0625", "0.12", "0.19", "0.25")}
    assert all("caption_partial_clip=False" in record for record in results.methods.values())
    for name in results.methods:
        if name != "blind":
            spans = [(clip.start_seconds, clip.end_seconds, clip.num_frames) for clip in results.captions_of(name)]
            expected = [(0, x / 2, 16) if half == 0 else (x / 2, x, 16) for x in (3, 10, 40) for half in (0, 1)]
            assert spans == [pytest.approx(span) for span in expected]
    shown = {name: sum(len(clip.kept_indices) for clip in results.captions_of(name)) // 3 for name in results.methods}
    assert shown["selected-tokens:selector=attention,retention=0.0625"] == 2 * 4
    assert shown["selected-tokens:selector=all"] == 2 * 64
    page = Path("bench/report.md").read_text(encoding="utf-8")
    assert "Answers from the kept tokens alone" in page
    assert "PaperRun" in page


def test_questions_about_short_videos_are_counted_before_the_run(
    keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo
) -> None:
    make_toy_nextqa(Path("nextqa"), (3, 10, 40), make_video)
    words = ("bench", "run", "nextqa-mc", "--folder", "nextqa", "--model", "fake", "--processes", 1)
    ended = keepsight(*words, "--method", "captions:caption_partial_clip=false")
    assert ended.complaint.startswith("2 of 3 questions are about 2 of 3 videos shorter than a clip")
    assert "2 of 3 questions are about 2 of 3 videos" in Path("bench/report.md").read_text(encoding="utf-8")
    assert [call.context == "" for call in stand_in.calls] == [True, True, False]
    assert keepsight(*words, "--method", "captions").err == ""


def test_a_part_of_the_videos(keepsight: Keepsight, stand_in: FakeModel, make_video: MakeVideo) -> None:
    make_toy_nextqa(Path("nextqa"), (1, 2, 3), make_video)
    words = (
        "bench",
        "run",
        "nextqa-mc",
        "--folder",
        "nextqa",
        "--model",
        "fake",
        "--processes",
        1,
        "--method",
        "blind",
    )
    for options, ids in (
        (("--first-video", 1), ["1", "2"]),
        (("--videos", 2), ["0", "1"]),
        (("--first-video", 2, "--videos", 1), ["2"]),
    ):
        assert keepsight(*words, *options).code == 0
        results = Results.load(Path("bench/results.json"))
        assert [one.video_id for one in results.predictions] == ids
        assert f"videos {ids[0]} to {ids[-1]} of 3" in results.data_settings
    for options in (("--first-video", 3), ("--videos", 0), ("--first-video", -1), ("--first-video", 2, "--videos", 2)):
        assert "among the 3 of nextqa-mc" in keepsight(*words, *options).complaint
    toys = ("bench", "run", "--method", "blind", "--minutes", 1.5, "--processes", 1, "--videos", 1, "--first-video", 7)
    assert keepsight(*toys, "--split", "validation").code == 0
    assert {one.video_id for one in Results.load(Path("bench/results.json")).predictions} == {"default-50007"}


def test_toy_videos_are_twelve_unless_told_otherwise(keepsight: Keepsight, stand_in: FakeModel) -> None:
    """Enough for two methods, of which five videos show nothing."""
    short = ("--minutes", 1.5, "--questions", 1, "--processes", 1)
    words = ("bench", "run", *short, "--method", "blind", "--method", "last-frames")
    ended = keepsight(*words)
    assert (ended.code, ended.err) == (0, "")
    assert len({one.video_id for one in Results.load(Path("bench/results.json")).predictions}) == 12
    assert keepsight(*words, "--videos", 5).complaint.endswith(": methods needs 6 (1 comparison)")


def test_a_run_loads_its_model_once(
    keepsight: Keepsight, fake_model: FakeModel, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked which experiments it can do, watches, answers and judges."""
    from keepsight.models import loading

    loads: list[str] = []

    def load(name: str, **_: object) -> FakeModel:
        loads.append(name)
        return fake_model

    monkeypatch.setattr(runner, "load_model", load)
    monkeypatch.setattr(loading, "load_model", load)
    runner._load.cache_clear()
    make_rvs(Path("rvs"), make_video(seconds=8))
    words = ("bench", "run", "rvs-ego", "--folder", "rvs", "--experiment", "memory", "--processes", 1)
    ended = keepsight(*words, "--model", "fake", "--judge-model", "local")
    runner._load.cache_clear()
    assert "the judge must reply" in ended.err
    assert loads == ["fake"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_keeps_the_videos_that_were_done(
    keepsight: Keepsight, stand_in: SignallingModel, number: int, code: int
) -> None:
    words = ("bench", "run", "--videos", 3, "--minutes", 1.5, "--processes", 1, "--method", "blind")
    stand_in.signals_at, stand_in.signal_number = 20, number
    ended = keepsight(*words)
    assert ended.code == code
    assert "run the same command to resume" in ended.complaint
    assert ended.out == ""
    done = {json.loads(path.read_text(encoding="utf-8"))["predictions"][0]["video_id"] for path in cached()}
    assert done == {"default-60000"}
    stand_in.calls.clear()
    stand_in.signals_at = -1
    assert keepsight(*words).code == 0
    results = Results.load(Path("bench/results.json"))
    again = {one.video_id for one in results.predictions if one.question in {call.question for call in stand_in.calls}}
    assert {"default-60001", "default-60002"} <= again
    assert len(stand_in.calls) <= sum(one.video_id != "default-60000" for one in results.predictions)


def cached() -> list[Path]:
    return list(Path("bench/cache").glob("*.json"))


def test_methods_that_the_model_cannot_do(keepsight: Keepsight, stand_in: FakeModel) -> None:
    ended = keepsight(*TOY, "--method", "kv-retrieval")
    assert ended.code == 2
    assert "kv-retrieval needs a model that exposes keys and values; fake does not" in ended.complaint


def test_help_of_every_command(keepsight: Keepsight) -> None:
    for words in (("bench",), ("bench", "run"), ("bench", "score"), ("bench", "power"), ("bench", "list")):
        ended = keepsight(*words, "--help")
        assert ended.code == 0
        assert "Usage: keepsight bench" in ended.out
