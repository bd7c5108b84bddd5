"""Verdicts on disk: nobody is asked twice, and nothing damaged is believed."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from keepsight.bench.scoring.endpoint import Endpoint
from keepsight.bench.scoring.judge import Judge, JudgeScorer, LocalJudge
from keepsight.bench.scoring.judge_settings import JUDGE_SETTINGS, TEMPLATE, JudgeSetting
from keepsight.bench.scoring.verdict import Verdict
from keepsight.bench.scoring.verdict_cache import VerdictCache
from keepsight.errors import JudgeError, KeepsightError
from tests.fake_model import FakeModel

ASKED = [("What?", "dog", "a dog"), ("What?", "dog", "a cat"), ("Who?", "dog", "a dog"), ("What?", "cat", "a dog")]
VERDICTS = [Verdict(True, 5), Verdict(False, 0), Verdict(True, 5), Verdict(False, 0)]


@dataclass
class Counting:
    """A judge that goes by the words, keeps what it was asked, and fails while `fails` is true."""

    identity: str = "judge 1"
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    fails: bool = False
    may_reply: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_reply.set()

    def judge(self, question: str, answer: str, prediction: str) -> Verdict:
        self.asked.append((question, answer, prediction))
        self.may_reply.wait()
        if self.fails:
            raise JudgeError("the judge is away")
        return Verdict(answer in prediction, 5 * (answer in prediction))


def test_equal_questions_are_asked_once_in_a_run_and_never_in_the_next(tmp_path: Path) -> None:
    judge = Counting()
    cache = VerdictCache(judge, tmp_path / "verdicts")
    assert not (tmp_path / "verdicts").exists()
    assert [cache.judge(*one) for one in [*ASKED, *ASKED]] == [*VERDICTS, *VERDICTS]
    assert judge.asked == ASKED
    later = VerdictCache(judge, tmp_path / "verdicts")
    assert [later.judge(*one) for one in ASKED] == VERDICTS
    assert judge.asked == ASKED


def test_an_interrupted_run_asks_only_what_it_does_not_know(tmp_path: Path) -> None:
    judge = Counting()
    cache = VerdictCache(judge, tmp_path)
    cache.judge(*ASKED[0])
    judge.fails = True
    for _ in range(2):
        with pytest.raises(JudgeError, match="away"):
            cache.judge(*ASKED[1])
    judge.fails, judge.asked = False, []
    assert [VerdictCache(judge, tmp_path).judge(*one) for one in ASKED[:2]] == VERDICTS[:2]
    assert cache.judge(*ASKED[1]) == VERDICTS[1]  # and the run itself has not given the question up
    assert judge.asked == [ASKED[1], ASKED[1]]


def test_threads_that_ask_the_same_wait_for_one_verdict(tmp_path: Path) -> None:
    judge = Counting()
    judge.may_reply.clear()
    cache = VerdictCache(judge, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(cache.judge, *ASKED[number % 2]) for number in range(16)]
        judge.may_reply.set()
        assert [reply.result() for reply in replies] == VERDICTS[:2] * 8
    assert sorted(judge.asked) == sorted(ASKED[:2])


def damage_line(change: Callable[[dict[str, object]], object]) -> Callable[[str], str]:
    def damage(content: str) -> str:
        lines = content.splitlines()
        lines[2] = json.dumps(change(json.loads(lines[2])))
        return "\n".join(lines) + "\n"

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-3],
        lambda content: "",
        lambda content: content.replace("true", "false"),
        lambda content: content.replace('"rating": 5', '"rating": 4'),
        lambda content: content.replace('"rating": 5', '"rating": 50'),
        lambda content: content.replace("true", "1"),
        lambda content: "[" * 100_000 + "\n" + content.replace("check", "chick"),
        damage_line(lambda line: {**line, "key": "0" * 32}),
        damage_line(lambda line: {**line, "key": ["x"]}),
        damage_line(lambda line: [line]),
        damage_line(lambda line: {name: line[name] for name in ("key", "right", "rating")}),
    ],
)
def test_a_damaged_verdict_is_asked_for_again(damage: Callable[[str], str], tmp_path: Path) -> None:
    judge = Counting()
    VerdictCache(judge, tmp_path).judge(*ASKED[0])
    (path,) = tmp_path.iterdir()
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    again = VerdictCache(judge, tmp_path)
    assert [again.judge(*one) for one in ASKED] == VERDICTS
    assert judge.asked == [ASKED[0], *ASKED]
    assert [VerdictCache(judge, tmp_path).judge(*one) for one in ASKED] == VERDICTS  # the file is whole from here on
    assert judge.asked == [ASKED[0], *ASKED]


def test_a_file_that_is_no_text_is_replaced(tmp_path: Path) -> None:
    judge = Counting()
    VerdictCache(judge, tmp_path).judge(*ASKED[0])
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"\xff\x00\xfe")
    VerdictCache(judge, tmp_path).judge(*ASKED[0])
    VerdictCache(judge, tmp_path).judge(*ASKED[0])
    assert judge.asked == [ASKED[0]] * 2


def judges() -> list[Judge | LocalJudge]:
    """Judges of which no two have the same verdicts for sure."""
    endpoint, rekv = Endpoint("http://localhost:1/v1"), JUDGE_SETTINGS["rekv"]
    first = Judge(endpoint, "grader")
    return [
        first,
        replace(first, model="other"),
        replace(first, temperature=None),
        replace(first, temperature=1.0),
        replace(first, endpoint=Endpoint("http://localhost:2/v1")),
        replace(first, setting=rekv),
        replace(first, setting=replace(rekv, system="")),
        replace(first, setting=replace(rekv, max_reply_tokens=299)),
        replace(first, setting=replace(rekv, reading="strict")),
        replace(first, setting=JudgeSetting(TEMPLATE + " ")),
        LocalJudge(FakeModel(name="small")),
        LocalJudge(FakeModel(name="large")),
        LocalJudge(FakeModel(name="small"), rekv),
        LocalJudge(FakeModel(name="small"), max_new_tokens=64),
    ]


def test_another_judge_prompt_or_setting_is_another_file(tmp_path: Path) -> None:
    made = judges()
    assert len({judge.identity for judge in made}) == len(made)
    assert [judge.identity for judge in judges()] == [judge.identity for judge in made]
    patient = Judge(Endpoint("http://localhost:1/v1", timeout_seconds=9, retries=9), "grader")
    assert patient.identity == made[0].identity  # how often it is asked changes no verdict
    counting = [Counting(judge.identity) for judge in made]
    for judge in counting:
        assert VerdictCache(judge, tmp_path).judge(*ASKED[0]) == VERDICTS[0]
        assert judge.asked == ASKED[:1]
    assert len(list(tmp_path.iterdir())) == len(made)


def test_results_record_the_judge_and_its_prompt(tmp_path: Path) -> None:
    judge = Judge(Endpoint("http://localhost:1/v1"), "grader", JudgeSetting("Grade {question} {answer} {prediction}"))
    assert repr(JudgeScorer(VerdictCache(judge, tmp_path))) == repr(JudgeScorer(judge))
    assert "model='grader'" in repr(judge)
    assert "Grade {question}" in repr(judge)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(KeepsightError, match=r"cannot store verdicts in .*taken"):
        VerdictCache(Counting(), tmp_path / "taken").judge(*ASKED[0])
