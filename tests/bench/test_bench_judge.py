"""The judge against a real server on this machine, and against a model in this process."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from keepsight.bench.records import Question
from keepsight.bench.scoring import make_scorer
from keepsight.bench.scoring.endpoint import Endpoint
from keepsight.bench.scoring.judge import Judge, JudgeScorer, LocalJudge
from keepsight.bench.scoring.judge_settings import JUDGE_SETTINGS, TEMPLATE, JudgeSetting
from keepsight.bench.scoring.verdict import Verdict, read_lenient_verdict, read_verdict
from keepsight.errors import JudgeError, SettingError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest
from keepsight.models.engines.http_rules import seconds_to_wait
from tests.fake_model import FakeModel

SECRET = 'sk-top/"secret"-key'
VARIABLE = "KEEPSIGHT_TEST_JUDGE_KEY"
YES = "{'pred': 'yes', 'score': 4}"


@dataclass
class Answer:
    """What the server sends next."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None


def says(content: object) -> Answer:
    return Answer(json.dumps({"choices": [{"message": {"content": content}}]}).encode())


@dataclass
class Server:
    """A chat endpoint that plays back answers, the last one over and over, and keeps what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def judge(self, *answers: Answer, **settings: Any) -> Judge:
        self.answers = list(answers)
        setting = settings.pop("setting", JUDGE_SETTINGS["keepsight"])
        temperature = settings.pop("temperature", 0.0)
        endpoint = Endpoint(**{"url": self.url, "retries": 2, "pause": self.pauses.append, **settings})
        return Judge(endpoint, "grader", setting, temperature)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    played = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            played.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            played.headers.append(dict(self.headers))
            answer = played.answers.pop(0) if len(played.answers) > 1 else played.answers[0]
            time.sleep(answer.seconds)
            self.send_response(answer.status, answer.reason)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the client has given up
                self.wfile.write(answer.body)

        def do_GET(self) -> None:
            played.headers.append(dict(self.headers))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        played.url = f"http://127.0.0.1:{http_server.server_port}/v1/chat/completions"
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        yield played
        http_server.shutdown()
        thread.join()


def ask(judge: Judge) -> Verdict:
    return judge.judge("What is there?", "a dog", "a big dog")


def test_the_judge_sees_all_three_texts_and_its_verdict_is_read(server: Server) -> None:
    assert ask(server.judge(says(YES))) == Verdict(True, 4)
    (body,) = server.bodies
    assert (body["model"], body["temperature"]) == ("grader", 0)
    (message,) = body["messages"]
    assert message["role"] == "user"
    for text in ("What is there?", "a dog\n", "a big dog\n", "{'pred': 'no', 'score': 1}"):
        assert text in message["content"]
    assert "Authorization" not in server.headers[0]


def test_template_and_temperature_are_settings(server: Server) -> None:
    setting = JudgeSetting("{prediction}|{answer}|{question}|{{}}")
    judge = server.judge(says(YES), setting=setting, temperature=None)
    judge.judge("{answer}", "b", "c")
    assert server.bodies[0]["messages"][0]["content"] == "c|b|{answer}|{}"
    assert "temperature" not in server.bodies[0]
    assert "{prediction}|{answer}" in repr(judge)
    assert "grader" in repr(judge)


def test_the_setting_of_rekv_has_two_messages_and_a_limit(server: Server) -> None:
    judge = server.judge(says("{'pred': 'Yes, it does', 'score': 4.8}"), setting=JUDGE_SETTINGS["rekv"])
    assert ask(judge) == Verdict(True, 4)
    (body,) = server.bodies
    assert (body["max_tokens"], body["temperature"]) == (300, 0)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    lines = body["messages"][1]["content"].splitlines()
    wanted = ["Question: What is there?", "Correct Answer: a dog", "Predicted Answer: a big dog"]
    assert [line for line in lines if line in wanted] == wanted
    assert "reading='lenient'" in repr(JudgeScorer(judge))


def test_a_prompt_may_have_a_system_message_of_its_own(server: Server) -> None:
    setting = JUDGE_SETTINGS["rekv"].with_prompt("Grade {it}.\r\n---\r\n{question} {answer} {prediction}\n")
    assert (setting.system, setting.template) == ("Grade {it}.", "{question} {answer} {prediction}")
    assert (setting.reading, setting.max_reply_tokens) == ("lenient", 300)
    assert JUDGE_SETTINGS["rekv"].with_prompt(TEMPLATE).system == ""
    ask(server.judge(says(YES), setting=setting))
    assert [one["content"] for one in server.bodies[0]["messages"]] == ["Grade {it}.", "What is there? a dog a big dog"]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (YES, Verdict(True, 4)),
        ("{'pred': 'no', 'score': 0.9}", Verdict(False, 0)),
        ("{'prev': 'YES', 'score': '3'}", Verdict(True, 3)),
        ("{'pred': 'yes and no', 'score': 5}", Verdict(True, 5)),
        ("{'pred': 'none', 'score': 5}", Verdict(False, 5)),
    ],
)
def test_a_lenient_verdict_is_read_as_the_published_script_does(reply: str, verdict: Verdict) -> None:
    assert read_lenient_verdict(reply) == verdict


@pytest.mark.parametrize(
    "reply",
    [
        "yes",
        "{'pred': 'maybe', 'score': 3}",
        "{'pred': 'yes'}",
        "{'pred': 'yes', 'score': 6}",
        "{'pred': 'yes', 'score': '4.8'}",
        "{'pred': 'yes', 'score': True}",
        "{'pred': 'yes', 'score': None}",
        "{'pred': 1, 'score': 3}",
        '{"pred": "yes", "score": 1e999}',
    ],
)
def test_a_lenient_verdict_is_not_guessed_either(reply: str) -> None:
    with pytest.raises(JudgeError, match="the judge must reply"):
        read_lenient_verdict(reply)


def test_the_key_is_sent_and_never_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{SECRET}\n")
    judge = server.judge(says(YES), api_key_variable=VARIABLE)
    ask(judge)
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(judge)
    assert VARIABLE in repr(judge)


def echoes() -> list[Answer]:
    escaped = json.dumps({"error": SECRET}).encode()
    return [
        Answer(SECRET.encode(), 401),
        Answer(escaped, 403, reason="Forbidden"),
        Answer(escaped.replace(b"/", b"\\/"), 400),
        Answer(SECRET.encode(), 500),
        Answer(b"", 404, reason=SECRET),
        Answer(b"x", 429, {"Retry-After": SECRET}),
        Answer(SECRET.encode()),
        says(SECRET),
        says(f"{{'pred': '{SECRET}', 'score': 1}}"),
    ]


@pytest.mark.parametrize("number", range(len(echoes())))
def test_a_server_that_repeats_the_key_does_not_bring_it_into_an_error(
    number: int, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    with pytest.raises(JudgeError) as caught:
        ask(server.judge(echoes()[number], api_key_variable=VARIABLE))
    error = caught.value
    assert error.__suppress_context__
    assert error.__cause__ is None
    assert "secret" not in repr(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("value", [None, "", "two words", "new\nline", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(
    value: str | None, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(JudgeError, match=VARIABLE) as caught:
        ask(server.judge(says(YES), api_key_variable=VARIABLE))
    assert not value or value not in str(caught.value)
    assert server.bodies == []


def test_a_busy_server_is_asked_again_after_the_time_it_names(server: Server) -> None:
    busy = Answer(b"slow down", 429, {"Retry-After": "7"})
    assert ask(server.judge(busy, busy, says(YES))) == Verdict(True, 4)
    assert server.pauses == [7, 7]


def test_retry_after_is_waited_for_in_earnest(server: Server) -> None:
    started = time.monotonic()
    judge = server.judge(Answer(b"", 429, {"Retry-After": "1"}), says(YES), pause=time.sleep)
    assert ask(judge).right
    assert time.monotonic() - started >= 1


def test_a_failing_server_is_asked_again_after_growing_pauses(server: Server) -> None:
    failing = Answer(b"oops", 500)
    assert ask(server.judge(failing, failing, failing, says(YES), retries=3)).right
    assert server.pauses == [1, 2, 4]


def test_pauses_do_not_grow_beyond_what_is_allowed(server: Server) -> None:
    with pytest.raises(JudgeError, match=r"status 503: oops \(5 attempts\)"):
        ask(server.judge(Answer(b"oops", 503), retries=4, max_wait_seconds=3))
    assert server.pauses == [1, 2, 3, 3]
    assert len(server.bodies) == 5


def test_a_server_that_asks_for_too_long_a_pause_is_given_up(server: Server) -> None:
    with pytest.raises(JudgeError, match="Retry-After is 3600 s, above max_wait_seconds \\(60\\)"):
        ask(server.judge(Answer(b"", 429, {"Retry-After": "3600"})))
    assert (len(server.bodies), server.pauses) == (1, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final_and_tells_the_servers_reason(status: int, server: Server) -> None:
    with pytest.raises(JudgeError, match=f"status {status}: no such model"):
        ask(server.judge(Answer(b"no such\nmodel", status)))
    assert len(server.bodies) == 1


def test_a_refusal_whose_text_breaks_off_is_still_a_refusal(server: Server) -> None:
    with pytest.raises(JudgeError, match="status 400: no reason given"):
        ask(server.judge(Answer(b"zz", 400, {"Transfer-Encoding": "chunked"})))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    with pytest.raises(JudgeError, match=f"status {status}"):
        ask(server.judge(Answer(b"", status, {"Location": server.url + "/else"}), api_key_variable=VARIABLE))
    assert len(server.headers) == 1


MALFORMED = [
    "yes",
    "",
    "{'pred': 'maybe', 'score': 3}",
    "{'pred': 'yes'}",
    "{'score': 3}",
    "{'pred': 'yes', 'score': 6}",
    "{'pred': 'yes', 'score': -1}",
    "{'pred': 'yes', 'score': 4.5}",
    "{'pred': 'yes', 'score': '4'}",
    "{'pred': 'yes', 'score': True}",
    "{'pred': True, 'score': 4}",
    "{'pred': 'yes', 'score': 4",
    "{pred: yes, score: 4}",
    "{'yes', 4}",
    "{} {'pred': 'yes', 'score': 4}",
    "} {",
    "{[]: 1}",
    "{" + "[" * 900 + "}",
    "{'pred': 'yes', 'score': " + "-" * 900 + "4}",
    "{'pred': 'yes', 'score': 4, 'why': '" + "x" * 2000 + "'}",
    "{'pred': 'y\\des', 'score': 4}",
    "{'pred': __import__('os').getcwd(), 'score': 4}",
    "{'pred': 'yes', 'score': 2 + 2}",
    "{'pred': 'yes\0', 'score': 4}",
]


@pytest.mark.parametrize("reply", MALFORMED)
def test_a_malformed_verdict_is_never_guessed(reply: str) -> None:
    with pytest.raises(JudgeError, match=r"must reply \{'pred': 'yes' or 'no', 'score': 0 to 5\}"):
        read_verdict(reply)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (YES, Verdict(True, 4)),
        ('{"pred": "no", "score": 0}', Verdict(False, 0)),
        ("```python\n{'pred': ' Yes', 'score': 5}\n```", Verdict(True, 5)),
        ("Sure: {'score': 1, 'pred': 'NO', 'why': 'another dog'} {'pred': 'yes', 'score': 5}", Verdict(False, 1)),
    ],
)
def test_a_verdict_is_the_first_dictionary(reply: str, verdict: Verdict) -> None:
    assert read_verdict(reply) == verdict


@pytest.mark.parametrize(
    "answer",
    [
        says("I'd say yes"),
        says(None),
        says([YES]),
        Answer(b"{"),
        Answer(b"[]"),
        Answer(b"null"),
        Answer(b'{"choices": []}'),
        Answer(b'{"choices": [{"text": "yes"}]}'),
        Answer(b"\xff\xfe\x00"),
        Answer(b"[" * 100_000),
        Answer(json.dumps({"choices": [{"message": {"content": YES}}]}).encode(), headers={"Content-Length": "9999"}),
    ],
)
def test_a_malformed_reply_is_asked_for_again_and_then_an_error(answer: Answer, server: Server) -> None:
    if answer.headers:  # the connection closes early; the text is whole all the same
        assert ask(server.judge(answer)).right
        return
    assert ask(server.judge(answer, answer, says(YES))).right
    with pytest.raises(JudgeError, match=r"\(3 attempts\)"):
        ask(server.judge(answer))
    assert len(server.bodies) == 6


def test_without_retries_there_is_one_attempt(server: Server) -> None:
    with pytest.raises(JudgeError, match=r"\(1 attempts\)"):
        ask(server.judge(says("no idea"), retries=0))
    assert len(server.bodies) == 1


def test_a_silent_server_is_left_after_the_timeout(server: Server) -> None:
    with pytest.raises(JudgeError, match=r"cannot reach .*timed out"):
        ask(server.judge(Answer(b"", seconds=0.6), timeout_seconds=0.1, retries=1))


def test_a_server_that_is_not_there(server: Server) -> None:
    with pytest.raises(JudgeError, match=r"cannot reach .* \(3 attempts\)"):
        ask(server.judge(says(YES), url="http://127.0.0.1:9/v1/chat/completions"))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/v1",
        "data:,x",
        "localhost:8000/v1",
        "http://",
        "http:///v1",
        "http://user:hidden@host/v1",
        "http://hidden@host/v1",
        "http://host/v1?key=hidden",
        "http://host/v1#hidden",
        "http://host:99999/v1",
        "http://host:x/v1",
        "http://[::1/v1",
        "http://host/v 1",
        "http://host/v1\nhidden: x",
        "",
    ],
)
def test_addresses_that_are_not_plain_http_are_refused_unseen(url: str) -> None:
    with pytest.raises(SettingError, match="http:// or https://") as caught:
        Endpoint(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1]:8000/v1/chat/completions", "https://example.org/v1/chat/completions"])
def test_plain_addresses_are_taken(url: str) -> None:
    assert Endpoint(url).url == url


@pytest.mark.parametrize(
    "settings",
    [{"timeout_seconds": 0}, {"timeout_seconds": float("inf")}, {"retries": -1}, {"max_wait_seconds": -1}],
)
def test_endpoint_settings_have_ranges(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))):
        Endpoint("http://localhost/v1", **settings)


@pytest.mark.parametrize(
    "template",
    ["", "{question} {answer}", TEMPLATE + "{more}", TEMPLATE + "{}", TEMPLATE + "{", TEMPLATE + "{question.x}"],
)
def test_templates_need_exactly_their_three_fields(template: str) -> None:
    with pytest.raises(SettingError, match="fields"):
        JudgeSetting(template)
    with pytest.raises(SettingError, match="fields"):
        JUDGE_SETTINGS["rekv"].with_prompt(template)


def test_a_judge_needs_a_model() -> None:
    with pytest.raises(SettingError, match="name"):
        Judge(Endpoint("http://localhost/v1"), " ")


def test_retry_after_as_seconds_date_or_nonsense() -> None:
    assert seconds_to_wait("12") == 12
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert seconds_to_wait(later) == pytest.approx(30, abs=2)
    assert seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_to_wait("soon") is None
    assert seconds_to_wait(None) is None


class Grader(FakeModel):
    """A model that grades by whether the right answer's words stand in the prediction's line."""

    def answer(self, request: AnswerRequest) -> Any:
        super().answer(request)
        _, right, given = request.question.split("|")
        yield "{'pred': "
        yield f"'{'yes' if right in given else 'no'}', 'score': {5 * (right in given)}}}"


def test_a_local_model_judges() -> None:
    grader = Grader(name="small")
    judge = LocalJudge(grader, JudgeSetting("{question}|{answer}|{prediction}"))
    assert judge.judge("What?", "dog", "a big dog") == Verdict(True, 5)
    assert judge.judge("What?", "dog", "a cat") == Verdict(False, 0)
    assert [(call.context, call.num_visual_tokens) for call in grader.calls] == [("", 0), ("", 0)]
    assert "model_name='small'" in repr(judge)


def test_a_local_model_is_asked_the_whole_prompt_and_nothing_else() -> None:
    grader = Grader()
    setting = JudgeSetting("Is it right?\n{question}|{answer}|{prediction}", system="You grade.", max_reply_tokens=9)
    LocalJudge(grader, setting).judge("What?", "dog", "a big dog")
    (call,) = grader.calls
    assert call.max_new_tokens == 9
    assert question_text("", call.question) == "You grade.\nIs it right?\nWhat?|dog|a big dog"


def test_a_local_model_that_does_not_reply_as_asked_is_an_error(fake_model: FakeModel) -> None:
    with pytest.raises(JudgeError, match="the judge must reply"):
        LocalJudge(fake_model).judge("What?", "dog", "cat")


def test_scoring_with_a_judge_gives_value_rating_and_f1() -> None:
    question = Question("q", "What?", "red dog")
    scorer = make_scorer("judge", LocalJudge(Grader(), JudgeSetting("{question}|{answer}|{prediction}")))
    score = scorer.score(question, "the red dog")
    assert (score.value, score.f1, score.rating) == (1, 1, 5)
    score = scorer.score(question, "dog")
    assert (score.value, score.f1, score.rating) == (0, pytest.approx(2 / 3), 0)


def test_without_a_judge_answers_stay_unscored_but_empty_ones_are_wrong() -> None:
    question = Question("q", "What?", "dog")
    assert JudgeScorer().score(question, "the dog").value is None
    assert JudgeScorer().score(question, "the dog").f1 == 1
    assert JudgeScorer().score(question, " ").value == 0
