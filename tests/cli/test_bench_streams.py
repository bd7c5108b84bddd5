"""X-Stream and StreamArena from folder to score: real videos, the bundled model, and a judge that counts words."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest

from keepsight.bench.results import Prediction, Results
from keepsight.toyworld.files import ToyTruth, ToyVideoSettings, make_truth, make_video
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.render import render_frame
from tests.cli.ended import Keepsight

MINUTES = 1.6


def mark(right: str, answer: str) -> int:
    """5 for the right words, else one for each of them that is there, at most 4."""
    if answer == right:
        return 5
    return min(4, len(set(right.split()) & set(answer.split())))


class WordJudge(BaseHTTPRequestHandler):
    """Marks of a prompt `right answer / prediction`; 5 alone is right."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, right, answer = body["messages"][0]["content"].split(" / ")
        marks = mark(right, answer)
        verdict = json.dumps({"pred": "yes" if marks == 5 else "no", "score": marks})
        reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": verdict}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def judge_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    with ThreadingHTTPServer(("127.0.0.1", 0), WordJudge) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        server.shutdown()
        thread.join()


def questions_of(truth: ToyTruth) -> list[ToyQuestion]:
    """The first of each kind."""
    return list({question.task: question for question in truth.questions}.values())


def write_lines(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def make_streamarena(folder: Path) -> int:
    """Two videos; returns the number of questions that are read."""
    lines: list[dict[str, object]] = []
    for seed in (70_001, 70_002):
        name = f"toy_{seed}"
        (folder / "videos" / name).mkdir(parents=True)
        truth = make_video(folder / "videos" / name / f"{name}.mp4", ToyVideoSettings(seed, MINUTES))
        for qid, question in enumerate(questions_of(truth)):
            lines.append(
                {
                    "video_id": name,
                    "qid": qid,
                    "qtype": "RTP" if qid % 2 else "HR",
                    "ask_sec": question.ask_seconds,
                    "question": question.question,
                    "answer": question.answer,
                    "evidence_ts_sec": [question.ask_seconds - 5],
                }
            )
        lines.append({**lines[-1], "qid": 99, "qtype": "Tool", "question": "Who made it?"})
    write_lines(folder / "question.en.jsonl", lines)
    return len(lines) - 2


def make_xstream(folder: Path) -> int:
    """Two streams side by side, twice; returns the number of questions that are read."""
    (folder / "data/eval/merged").mkdir(parents=True)
    lines: list[dict[str, object]] = []
    num_questions = 0
    for seed in (70_003, 70_005):
        pair = [make_truth(ToyVideoSettings(one, MINUTES)) for one in (seed, seed + 1)]
        write_merged(folder / f"data/eval/merged/{seed}.mp4", pair)
        asked = questions_of(pair[0])
        fields: dict[str, object] = {}
        for place, question in enumerate(asked, 1):
            fields |= {
                f"qa_{place}_type": "Backward",
                f"qa_{place}_question": question.question,
                f"qa_{place}_response": question.answer,
                f"qa_{place}_resposne_timesec" if place == 1 else f"qa_{place}_response_timesec": question.ask_seconds,
            }
        unasked = {"type": "Proactive", "question": "Say when.", "response": "now", "response_timesec": 9}
        fields |= {f"qa_99_{name}": value for name, value in unasked.items()}
        shown = f"{{{{video:data/eval/merged/{seed}.mp4,start=0,end=1}}}}"
        lines.append({"vars": fields, "rounds": [{"messages": [{"role": "user", "content": shown}]}]})
        num_questions += len(asked)
    write_lines(folder / "eval_relative_merged_phostream_type.jsonl", lines)
    return num_questions


def write_merged(path: Path, pair: list[ToyTruth]) -> None:
    """One frame a second, 192 x 96."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 192, 96, "yuv420p"
        for second in range(int(pair[0].story.duration_seconds)):
            picture = np.hstack([render_frame(truth.story, float(second), 96) for truth in pair])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@dataclass(frozen=True)
class Published:
    """A data set in its published form, and what its score is made of."""

    name: str
    make: Callable[[Path], int]
    score_of: Callable[[Prediction], float]


@pytest.mark.parametrize(
    "data_set",
    [
        Published("streamarena", make_streamarena, lambda one: float(one.answer == one.right_answer)),
        Published("xstream", make_xstream, lambda one: mark(one.right_answer, one.answer) / 5),
    ],
    ids=lambda data_set: data_set.name,
)
def test_the_published_folder_is_run_judged_and_scored(
    keepsight: Keepsight, judge_url: str, data_set: Published
) -> None:
    num_questions = data_set.make(Path("published"))
    Path("prompt.txt").write_text("{question} / {answer} / {prediction}", encoding="utf-8")
    judge = ("--judge-url", judge_url, "--judge-model", "words", "--judge-prompt", "prompt.txt")
    methods = ("--method", "captions", "--method", "blind", "--processes", 1)
    ended = keepsight("bench", "run", data_set.name, "--folder", "published", *judge, *methods, "--json")
    assert ended.code == 0
    results = Results.load(Path("bench/results.json"))
    scored = keepsight("bench", "score", "keepsight", "bench/results.json")
    assert scored.code == 0
    shares = {group["group"]: group["accuracy"] for group in scored.of("group")}
    for method in ("captions", "blind"):
        answers = results.of(method)
        assert len(answers) == num_questions >= 10
        assert [one.rating for one in answers] == [mark(one.right_answer, one.answer) for one in answers]
        assert [one.score for one in answers] == [float(one.answer == one.right_answer) for one in answers]
        assert shares[method] == pytest.approx(sum(map(data_set.score_of, answers)) / num_questions)
    assert 0 < shares["captions"] < 1
    assert len({one.rating for one in results.predictions}) > 2
    (overall,) = scored.of("overall")
    assert overall["accuracy"] == pytest.approx(sum(map(data_set.score_of, results.predictions)) / num_questions / 2)
