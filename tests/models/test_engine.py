"""An answering server that works, and every way in which one does not, over real connections."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from keepsight.errors import EngineBusyError, EngineError, EngineTimeoutError, SettingError, WorkCancelledError
from keepsight.method.model_info import AnswerAuthor
from keepsight.models.cancellation import Cancellation, cancellable
from keepsight.models.engines.answers import INSTRUCTION, EngineAnswers
from keepsight.models.engines.engine import Engine, EngineLimits
from tests.engine_server import DONE, KEY, EngineServer, Sent, delta, engine_server, event, refuses, says
from tests.fake_model import FakeModel
from tests.patience import DEADLINE_SECONDS, wait_for

HELLO = [{"role": "user", "content": "Where is the dog?"}]
QUICK = EngineLimits(wait_seconds=DEADLINE_SECONDS, total_seconds=DEADLINE_SECONDS, retries=0)
NEVER = threading.Event()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineServer]:
    monkeypatch.setenv("no_proxy", "*")
    with engine_server() as played:
        yield played


def engine(server: EngineServer, **limits: Any) -> Engine:
    return Engine(server.url, "writer", key=KEY, limits=replace(QUICK, **limits))


def reply(server: EngineServer, *sent: Sent, max_new_tokens: int = 64, **limits: Any) -> list[str]:
    server.will(*sent)
    return list(engine(server, **limits).ask(HELLO, max_new_tokens))


def refusal(server: EngineServer, *sent: Sent, **limits: Any) -> EngineError:
    """The error that a question ends with: one line, without the key."""
    with pytest.raises(EngineError) as caught:
        reply(server, *sent, **limits)
    assert "\n" not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_the_pieces_come_as_they_are_sent(server: EngineServer) -> None:
    assert reply(server, says("In the", " kitchen", ".")) == ["In the", " kitchen", "."]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.bodies == [{"model": "writer", "messages": HELLO, "max_tokens": 64, "temperature": 0, "stream": True}]


def test_a_piece_is_there_before_the_next_is_sent(server: EngineServer) -> None:
    gate = threading.Event()
    server.will(Sent([delta("In the"), delta(" kitchen.", "stop")], gate=gate))
    pieces = engine(server).ask(HELLO, 64)
    assert next(pieces) == "In the"
    gate.set()
    assert list(pieces) == [" kitchen."]


def test_options_replace_and_remove_fields(server: EngineServer) -> None:
    server.will(says("yes"))
    options = {"reasoning_effort": "none", "max_tokens": None, "max_completion_tokens": 9}
    list(Engine(server.url, "writer", options=options).ask(HELLO, 64))
    assert server.bodies[0]["reasoning_effort"] == "none"
    assert server.bodies[0]["max_completion_tokens"] == 9
    assert "max_tokens" not in server.bodies[0]
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_whole_route_is_taken_for_its_base(server: EngineServer, ending: str) -> None:
    server.will(says("yes"))
    given = Engine(server.url + ending, "writer")
    assert list(given.ask(HELLO, 64)) == ["yes"]
    assert server.paths == ["/v1/chat/completions"]
    assert given.author == AnswerAuthor("writer", server.url)


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>", "He may be", " there.</th", "ink>", "\n\n", "In the kitchen."],
        ["  <thi", "nk>x</think>In the", " kitchen."],
        ["\n", " In the kitchen."],
    ],
)
def test_thoughts_and_leading_blanks_are_left_out(server: EngineServer, pieces: list[str]) -> None:
    assert "".join(reply(server, says(*pieces))) == "In the kitchen."


@pytest.mark.parametrize("text", ["<b>bold</b>", "<", "<thin", "a <think> b </think> c"])
def test_what_only_looks_like_thoughts_is_kept(server: EngineServer, text: str) -> None:
    assert "".join(reply(server, says(*text))) == text


def test_thoughts_in_a_field_of_their_own_are_left_out(server: EngineServer) -> None:
    thought = delta(None, reasoning_content="He may be there.")
    assert reply(server, Sent([thought, delta("yes", "stop"), DONE])) == ["yes"]


def test_half_of_a_surrogate_pair_becomes_a_replacement_character(server: EngineServer) -> None:
    assert "".join(reply(server, says("a\ud83d b"))) == "a\ufffd b"


def test_other_events_comments_and_counts_are_passed_over(server: EngineServer) -> None:
    counts = event({"choices": [], "usage": {"prompt_tokens": 1}})
    parts = [b": still there\n\n", b"retry: 10\r\n\r\n", delta("yes"), delta(None, "stop"), counts, DONE]
    assert reply(server, Sent(parts)) == ["yes"]


def test_letters_cut_by_packets_are_put_together(server: EngineServer) -> None:
    whole = json.dumps({"choices": [{"delta": {"content": "Küche 🐕"}, "finish_reason": "stop"}]}, ensure_ascii=False)
    sent = f"data: {whole}\n\n".encode()
    assert reply(server, Sent([sent[place : place + 1] for place in range(len(sent))])) == ["Küche 🐕"]


@pytest.mark.parametrize("ending", [[DONE], [delta(None, "stop")], [delta(None, "length")]])
def test_an_answer_is_whole_with_a_reason_or_the_last_event(server: EngineServer, ending: list[bytes]) -> None:
    assert reply(server, Sent([delta("yes"), *ending])) == ["yes"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (Sent([delta("In the")]), "broke off its answer"),
        (Sent([delta("In the")], is_whole=False), "broke off its answer"),
        (Sent([delta("In the"), b"data: {\"choi"], is_whole=False), "broke off its answer"),
        (Sent([delta("In the"), delta(None, "content_filter"), DONE]), "withheld its answer (content_filter)"),
        (Sent([delta("In the"), event({"error": {"message": "out of memory"}})]), "reported an error: out of memory"),
        (Sent([delta("In the"), event("garbage")]), "must stream chat completion chunks, got 'garbage'"),
        (Sent([event([1, 2])]), "must stream chat completion chunks, got '[1, 2]'"),
        (Sent([event({"choices": [{"delta": {"content": 5}}]})]), "must stream chat completion chunks"),
        (Sent([event({"choices": [7]})]), "must stream chat completion chunks"),
        (Sent([event("[" * 100_000)]), "must stream chat completion chunks"),
        (Sent([b"\xff\xfe\x00garbage\n\n"]), "broke off its answer"),
        (Sent([b""]), "broke off its answer"),
        (Sent([DONE]), "sent an empty answer"),
        (Sent([delta("<think>hm"), delta(None, "length"), DONE]), "spent 64 tokens without an answer"),
        (Sent([delta("x" * 99_999), DONE]), "sent more than 64 tokens: it ignores max_tokens"),
        (Sent([b"data: " + b"x" * (2 << 20)]), "sent a reply that cannot be decoded"),
        (Sent([b"<html>Hi</html>"], headers={"Content-Type": "text/html"}), "stream text/event-stream, got text/html"),
        (Sent([b"{}"], headers={"Content-Type": "application/json"}), "got application/json"),
        (refuses(302, b"", Location="http://127.0.0.1:1/"), "redirects (status 302), which is not followed"),
        (refuses(401, {"error": {"message": f"wrong key {KEY}"}}), "status 401: wrong key ***; check its key"),
        (refuses(404, {"error": "model 'writer' not found"}), "status 404: model 'writer' not found; check answer_url"),
        (refuses(400, {"detail": "too many tokens"}), "refused with status 400: too many tokens"),
        (refuses(500, b"<h1>Oops</h1>\n" * 99_999), "refused with status 500: <h1>Oops</h1> <h1>Oops</h1>"),
        (refuses(500), "refused with status 500: no reason given"),
    ],
)  # fmt: skip
def test_what_is_not_a_whole_answer_is_an_error(server: EngineServer, sent: Sent, said: str) -> None:
    error = refusal(server, sent)
    assert said in str(error)
    assert server.url in str(error)
    assert not isinstance(error, EngineBusyError)


def test_more_bytes_than_allowed(server: EngineServer) -> None:
    thoughts = [delta(None, reasoning_content="x" * 500) for _ in range(9)]
    assert "sent more than 2000 bytes" in str(refusal(server, Sent([*thoughts, DONE]), max_bytes=2000))


def test_a_busy_server_is_asked_again(server: EngineServer) -> None:
    busy = refuses(503, {"error": {"message": "loading model"}}, Retry_After="0")
    assert reply(server, busy, busy, says("yes"), retries=2) == ["yes"]
    assert "status 503: loading model" in str(refusal(server, busy, retries=2))
    assert len(server.bodies) == 6


def test_a_busy_server_is_waited_for_as_it_asks(server: EngineServer) -> None:
    started = time.monotonic()
    assert reply(server, refuses(429, Retry_After="1"), says("yes"), retries=1) == ["yes"]
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("as_date", [False, True])
def test_a_busy_server_that_asks_for_too_long_a_wait_is_given_up(server: EngineServer, as_date: bool) -> None:
    day = 86_400
    wait = format_datetime(datetime.now(UTC) + timedelta(days=10), usegmt=True) if as_date else str(10 * day)
    error = refusal(server, refuses(429, {"error": {"message": "slow down"}}, Retry_After=wait), retries=2)
    assert isinstance(error, EngineBusyError)
    assert error.wait_seconds is not None
    assert 9 * day < error.wait_seconds <= 10 * day
    assert "slow down; it asks to wait 8" in str(error)
    assert len(server.bodies) == 1


def test_a_connection_that_breaks_before_the_first_piece_is_made_again(server: EngineServer) -> None:
    assert reply(server, Sent([], is_whole=False), says("yes"), retries=1) == ["yes"]


@pytest.mark.parametrize("is_whole", [False, True])
def test_nothing_is_asked_again_once_there_is_a_piece(server: EngineServer, is_whole: bool) -> None:
    server.will(Sent([delta("In the")], is_whole=is_whole))
    pieces = engine(server, retries=2).ask(HELLO, 64)
    assert next(pieces) == "In the"
    with pytest.raises(EngineError, match="broke off its answer"):
        next(pieces)
    assert len(server.bodies) == 1


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(EngineBusyError, match=f"cannot reach the answering server {url}"):
        list(Engine(url, "writer", limits=QUICK).ask(HELLO, 64))


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(EngineBusyError, match=r"cannot reach the answering server http://nowhere\.invalid/v1"):
        list(Engine("http://nowhere.invalid/v1", "writer", limits=QUICK).ask(HELLO, 64))


@pytest.mark.parametrize(
    "sent",
    [
        Sent([DONE], head_gate=NEVER),
        Sent([b": still there\n\n", DONE], gate=NEVER),
        Sent([delta("In the"), DONE], gate=NEVER),
    ],
    ids=["head", "first piece", "next piece"],
)
def test_a_silent_server_is_given_up_and_hung_up_on(server: EngineServer, sent: Sent) -> None:
    error = refusal(server, sent, wait_seconds=0.2, retries=2)
    assert isinstance(error, EngineTimeoutError)
    assert "sent nothing for 0.2 s (answer_wait_seconds)" in str(error)
    assert server.left.wait(DEADLINE_SECONDS)
    assert len(server.bodies) == 1


def test_an_answer_that_takes_too_long_in_all_is_given_up(server: EngineServer) -> None:
    error = refusal(server, Sent([delta("In the"), DONE], gate=NEVER), total_seconds=0.3)
    assert isinstance(error, EngineTimeoutError)
    assert "took more than 0.3 s (answer_seconds)" in str(error)
    assert server.left.wait(DEADLINE_SECONDS)


def test_pauses_count_in_the_time_of_an_answer(server: EngineServer) -> None:
    error = refusal(server, refuses(503, Retry_After="20"), retries=2, total_seconds=0.3)
    assert isinstance(error, EngineTimeoutError)


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_cancelled_question_hangs_up(server: EngineServer, has_begun: bool) -> None:
    gate = None if has_begun else NEVER
    server.will(Sent([delta("In the"), DONE], gate=NEVER, head_gate=gate))
    wanted = Cancellation()
    is_shown = threading.Event()

    def cancel() -> None:
        wait_for(lambda: server.bodies)
        assert not has_begun or is_shown.wait(DEADLINE_SECONDS)
        wanted.cancel()

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    with cancellable(wanted):
        pieces = engine(server).ask(HELLO, 64)
        if has_begun:
            assert next(pieces) == "In the"
            is_shown.set()
        with pytest.raises(WorkCancelledError):
            next(pieces)
    cancelling.join()
    assert server.left.wait(DEADLINE_SECONDS)


def test_a_question_that_was_cancelled_before_is_not_asked(server: EngineServer) -> None:
    server.will(says("yes"))
    wanted = Cancellation()
    wanted.cancel()
    with cancellable(wanted), pytest.raises(WorkCancelledError):
        list(engine(server).ask(HELLO, 64))


def test_a_reader_that_leaves_hangs_up(server: EngineServer) -> None:
    server.will(Sent([delta("In the"), DONE], gate=NEVER))
    pieces = engine(server).ask(HELLO, 64)
    assert next(pieces) == "In the"
    pieces.close()
    assert server.left.wait(DEADLINE_SECONDS)


def test_the_key_is_in_no_repr(server: EngineServer) -> None:
    assert KEY not in repr(engine(server))


@pytest.mark.parametrize("url", ["http://user:hunter2@h/v1", "http://h/v1?key=hunter2", "ftp://hunter2", "hunter2", ""])
def test_addresses_with_secrets_are_refused_unseen(url: str) -> None:
    with pytest.raises(SettingError, match="http or https") as caught:
        Engine(url, "writer")
    assert "hunter2" not in str(caught.value)


def test_a_key_that_cannot_be_sent_is_refused_unseen() -> None:
    with pytest.raises(SettingError, match="one ASCII word") as caught:
        Engine("http://h/v1", "writer", key="two words")
    assert "two" not in str(caught.value)


@pytest.mark.parametrize("limits", [{"wait_seconds": 0}, {"total_seconds": float("inf")}, {"retries": -1}])
def test_limits_have_ranges(limits: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(limits))):
        EngineLimits(**limits)


def test_a_prompt_is_as_long_as_the_finder_counts_with_the_instruction(server: EngineServer) -> None:
    finder = FakeModel()
    answers = EngineAnswers(finder, Engine(server.url, "m"))
    counted = answers.count_prompt_tokens("00:00 a dog", "Where is the dog?")
    expected = finder.count_prompt_tokens("00:00 a dog", "Where is the dog?") + finder.count_tokens(INSTRUCTION)
    assert counted == expected > finder.count_prompt_tokens("00:00 a dog", "Where is the dog?")
