"""`keepsight ask` and `watch` with a server that answers: by flag, variable and file, and when it does not."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepsight.journal import Journal
from tests.cli.ended import Keepsight, MakeVideo
from tests.engine_server import KEY, EngineServer, Sent, delta, engine_server, refuses, says

WATCH = ("--model", "fake", "--sample-fps", 2, "--journal", "a.db")


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineServer]:
    monkeypatch.setenv("no_proxy", "*")
    with engine_server() as played:
        played.will(says("A dog", " comes."))
        yield played


@pytest.fixture
def watched(keepsight: Keepsight, make_video: MakeVideo) -> None:
    assert keepsight("watch", make_video(seconds=16), *WATCH).code == 0


def stored() -> list[tuple[str, str | None, str | None]]:
    with Journal.open("a.db", read_only=True) as journal:
        (stream,) = journal.streams.all()
        return [(one.answer, one.answer_model, one.answer_url) for one in journal.answers.of(stream.id)]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("door", ["flags", "variables", "file"])
def test_the_server_answers_a_journals_question(
    keepsight: Keepsight, writer: EngineServer, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    words: list[str] = []
    if door == "flags":
        words = ["--answer-url", writer.url, "--answer-model", "qwen3"]
    elif door == "variables":
        monkeypatch.setenv("KEEPSIGHT_ANSWER_URL", writer.url)
        monkeypatch.setenv("KEEPSIGHT_ANSWER_MODEL", "qwen3")
    else:
        Path("keepsight.toml").write_text(f'answer_url = "{writer.url}"\nanswer_model = "qwen3"\nport = 9000\n')
        words = ["--config", "keepsight.toml"]
    monkeypatch.setenv("KEEPSIGHT_ANSWER_KEY", KEY)
    ended = keepsight("ask", "a.db", "What comes?", *words)
    assert ended.code == 0, ended.err
    (answer,) = ended.of("answer")
    assert (answer["answer"], answer["answer_model"], answer["answer_url"]) == ("A dog comes.", "qwen3", writer.url)
    assert stored() == [("A dog comes.", "qwen3", writer.url)]
    assert all(citation["caption"] in writer.asked() for citation in answer["citations"])
    assert writer.bodies[0]["model"] == "qwen3"
    assert writer.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in ended.out + ended.err
    assert KEY.encode() not in Path("a.db").read_bytes()


@pytest.mark.usefixtures("watched")
def test_text_says_who_answered(keepsight: Keepsight, writer: EngineServer) -> None:
    ended = keepsight("ask", "a.db", "What?", "--answer-url", writer.url, "--answer-model", "qwen3", "--no-json")
    assert "  A dog comes." in ended.out.splitlines()
    assert ended.out.splitlines()[-1] == f"    (2 captions, answered by qwen3 at {writer.url})"


@pytest.mark.usefixtures("watched")
def test_without_a_server_the_model_answers_and_is_named(keepsight: Keepsight) -> None:
    (answer,) = keepsight("ask", "a.db", "What comes?").of("answer")
    assert (answer["answer_model"], answer["answer_url"]) == ("fake", None)
    assert stored() == [(answer["answer"], "fake", None)]


def test_watch_asks_the_server_at_the_end(keepsight: Keepsight, writer: EngineServer, make_video: MakeVideo) -> None:
    Path("key").write_text(f"{KEY}\n")
    ended = keepsight(
        *("watch", make_video(seconds=16), *WATCH, "--ask", "What comes?"),
        *("--answer-url", writer.url, "--answer-model", "qwen3", "--answer-key-file", "key"),
    )
    assert ended.of("answer")[0]["answer_url"] == writer.url
    assert writer.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in ended.out + ended.err


@pytest.mark.usefixtures("watched")
def test_captions_fit_the_servers_window(keepsight: Keepsight, writer: EngineServer, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=160), *WATCH)
    words = ("ask", "a.db", "What?", "--answer-url", writer.url, "--answer-model", "qwen3")
    (whole,) = keepsight(*words).of("answer")
    (small,) = keepsight(*words, "--answer-context-tokens", 256).of("answer")
    assert whole["num_captions_left_out"] == 0
    assert 0 < small["num_captions_given"] < whole["num_captions_given"]
    assert writer.bodies[1]["max_tokens"] == 64


@pytest.mark.usefixtures("watched")
def test_a_server_that_is_gone_is_one_line(keepsight: Keepsight) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    ended = keepsight("ask", "a.db", "What?", "--answer-url", url, "--answer-model", "qwen3")
    assert ended.code == 2
    assert ended.complaint.startswith(f"cannot reach the answering server {url}: ")
    assert stored() == []


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("form", ["--json", "--no-json"])
def test_half_an_answer_is_an_error_and_not_stored(keepsight: Keepsight, writer: EngineServer, form: str) -> None:
    writer.will(Sent([delta("A dog")], is_whole=False))
    ended = keepsight("ask", "a.db", "What?", "--answer-url", writer.url, "--answer-model", "qwen3", form)
    assert ended.code == 2
    assert "broke off its answer" in ended.complaint
    assert "captions" not in ended.out
    assert stored() == []


@pytest.mark.usefixtures("watched")
def test_a_model_that_the_server_lacks(keepsight: Keepsight, writer: EngineServer) -> None:
    writer.will(refuses(404, {"error": {"message": 'model "qwen4" not found, try pulling it first'}}))
    ended = keepsight("ask", "a.db", "What?", "--answer-url", writer.url, "--answer-model", "qwen4")
    assert ended.complaint == (
        f'the answering server {writer.url} refused with status 404: model "qwen4" not found, try pulling it first; '
        "check answer_url, which mostly ends in /v1, and answer_model"
    )


@pytest.mark.parametrize(
    "command", [("ask", "gone.db", "What?"), ("watch", "gone.mp4"), ("serve",), ("mcp", "gone.db")]
)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--answer-url", "http://h/v1"], "--answer-url needs the name of its model: give answer_model, too"),
        (["--answer-model", "qwen3"], "--answer-model needs the address of its server: give answer_url, too"),
        (["--answer-url", "http://me:hunter2@h/v1", "--answer-model", "m"], "--answer-url must be an address such as"),
        (["--answer-options", "[]"], "--answer-options must be a JSON object such as"),
        (["--answer-wait-seconds", "0"], "--answer-wait-seconds must be a number over 0"),
    ],
)
def test_bad_settings_are_refused_before_anything_else(
    keepsight: Keepsight, command: tuple[str, ...], words: list[str], said: str
) -> None:
    ended = keepsight(*command, *words)
    assert ended.code == 2
    assert ended.complaint.startswith(said)
    assert "hunter2" not in ended.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read key: No such file or directory"),
        ("\n", "the first line of key must be an API key, got an empty line"),
        ("two words", "the first line of key must be an API key: one ASCII word"),
    ],
)
def test_a_key_that_is_none_is_refused_unseen(keepsight: Keepsight, content: str | None, said: str) -> None:
    if content is not None:
        Path("key").write_text(content)
    named = ("--answer-url", "http://h/v1", "--answer-model", "m", "--answer-key-file", "key")
    ended = keepsight("ask", "gone.db", "What?", *named)
    assert (ended.code, ended.complaint) == (2, said)


def test_a_misspelled_key_variable_is_said(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPSIGHT_ANSWER_KEYS", KEY)
    said, _ = keepsight("ask", "gone.db", "What?").err.splitlines()
    assert said.endswith("the variable KEEPSIGHT_ANSWER_KEYS is ignored; did you mean KEEPSIGHT_ANSWER_KEY?")


def test_printed_settings_have_the_address_and_no_key(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPSIGHT_ANSWER_KEY", KEY)
    monkeypatch.setenv("KEEPSIGHT_ANSWER_URL", "http://h/v1")
    monkeypatch.setenv("KEEPSIGHT_ANSWER_MODEL", "m")
    ended = keepsight("serve", "--print-settings")
    assert 'answer_url = "http://h/v1"  # KEEPSIGHT_ANSWER_URL' in ended.out
    assert KEY not in ended.out + ended.err
