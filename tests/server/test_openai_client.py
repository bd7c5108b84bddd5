"""OpenAI's own client against a server with a token: models, answers whole and in chunks, and its exceptions."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from keepsight.asking.evidence import longest_reply
from keepsight.method.prompts import caption_line, captions_context
from keepsight.server.settings import ServerSettings
from keepsight.spans import Span
from tests.server.openai_replies import grounds_of
from tests.server.served import Served, ServedModel, serve
from tests.small_videos import MakeVideo

TOKEN = "a-token-for-tests-only"
ANSWER = "I was given 5 lines [99:00-99:32]."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    folder = make_video(10).parent
    make_video(4)
    journal = tmp_path_factory.mktemp("openai") / "journal.db"
    settings = ServerSettings(journal, roots=(folder,), port=0, token=TOKEN, max_questions_in_flight=1)
    with serve(settings, ServedModel()) as running:
        yield running


@pytest.fixture(scope="module")
def stream_id(served: Served, make_video: MakeVideo) -> str:
    begun = served.client.begin(make_video(10))
    served.client.wait_for_state(begun, "complete")
    return begun


def connect(served: Served, token: str = TOKEN) -> openai.OpenAI:
    # Retries would hide what the server says.
    return openai.OpenAI(base_url=f"http://127.0.0.1:{served.client.port}/v1", api_key=token, max_retries=0)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with connect(served) as connected:
        yield connected


def asked(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_each_stream_is_a_model(client: openai.OpenAI, stream_id: str, make_video: MakeVideo) -> None:
    (listed,) = [model for model in client.models.list() if model.id == stream_id]
    video = make_video(10)
    for name in (stream_id, str(video), video.name):
        assert client.models.retrieve(name) == listed
    assert grounds_of(listed)["source"] == str(video)
    assert (grounds_of(listed)["state"], grounds_of(listed)["num_clips"]) == ("complete", 5)
    assert abs(listed.created - time.time()) < 600


def test_an_answer_is_that_of_the_other_route_with_its_tokens_counted(
    served: Served, client: openai.OpenAI, stream_id: str
) -> None:
    question = {"stream_id": stream_id, "question": "What comes?"}
    expected = served.client("POST", "/v1/questions", question).data
    completion = client.chat.completions.create(model=stream_id, messages=asked("What comes?"), temperature=0.9)
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == (expected["answer"], "stop")
    assert (completion.model, completion.object) == (stream_id, "chat.completion")
    grounds = grounds_of(completion)
    assert {name: grounds[name] for name in grounds if name in expected} == {
        name: expected[name] for name in expected if name in grounds
    }
    assert grounds["num_messages_not_shown"] == 0
    assert completion.usage is not None
    lines = [caption_line(Span(c["start_seconds"], c["end_seconds"]), c["caption"]) for c in grounds["citations"]]
    prompt_tokens = served.model.count_prompt_tokens(captions_context(lines), "What comes?")
    assert completion.usage.prompt_tokens == prompt_tokens
    assert completion.usage.completion_tokens == served.model.count_tokens(ANSWER)
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_a_streamed_answer_ends_with_what_it_rests_on_and_its_tokens(client: openai.OpenAI, stream_id: str) -> None:
    whole = client.chat.completions.create(model=stream_id, messages=asked("What?"))
    chunks = list(
        client.chat.completions.create(
            model=stream_id, messages=asked("What?"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert grounds_of(chunks[-2]) == grounds_of(whole)
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_pieces_come_as_the_model_writes_and_no_usage_unless_asked_for(
    served: Served, client: openai.OpenAI, stream_id: str
) -> None:
    served.model.answer_gate.clear()
    chunks = iter(client.chat.completions.create(model=stream_id, messages=asked("What?"), stream=True))
    assert next(chunks).choices[0].delta.content == ""  # before the model has written anything
    served.model.answer_gate.set()
    rest = list(chunks)
    assert [chunk.choices[0].delta.content for chunk in rest] == ["I was", " given", ANSWER[11:], None]
    assert grounds_of(rest[-1])["num_captions_given"] == 5
    assert "usage" not in rest[-1].model_fields_set


@pytest.mark.anyio
async def test_the_client_for_asyncio(served: Served, stream_id: str) -> None:
    base = f"http://127.0.0.1:{served.client.port}/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key=TOKEN, max_retries=0) as client:
        stream = await client.chat.completions.create(model=stream_id, messages=asked("What?"), stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said) == ANSWER
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-4o")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_earlier_messages_are_not_shown_and_that_is_said(served: Served, client: openai.OpenAI, stream_id: str) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Say nothing but yes."},
        {"role": "user", "content": "Is there a dog?"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "a cat?"}]},
    ]
    completion = client.chat.completions.create(model=stream_id, messages=messages)
    assert grounds_of(completion)["num_messages_not_shown"] == 3
    call = served.model.calls[-1]
    assert call.question == "And a cat?"
    assert "yes" not in call.context


def test_longest_answer_and_time_of_asking(served: Served, client: openai.OpenAI, stream_id: str) -> None:
    fits = longest_reply(served.service.model, served.service.settings)
    limits: list[tuple[dict[str, Any], int]] = [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9}, 9),
        ({"max_tokens": 10**6}, fits),
    ]
    for wanted, expected in limits:
        client.chat.completions.create(model=stream_id, messages=asked("What?"), **wanted)
        assert served.model.calls[-1].max_new_tokens == expected
    completion = client.chat.completions.create(
        model=stream_id, messages=asked("What?"), max_tokens=5, extra_body={"keepsight": {"at_seconds": 6.5}}
    )
    assert completion.choices[0].finish_reason == "length"  # the stand-in writes on
    assert [citation["clip_index"] for citation in grounds_of(completion)["citations"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"extra_body": {"keepsight": 7}}, "keepsight"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["."]}, "stop"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"keepsight": {"at": 1}}}, "keepsight"),
    ],
)
def test_what_would_change_the_answer_is_refused(
    client: openai.OpenAI, stream_id: str, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=stream_id, messages=asked("What?"), **more)
    body = refused.value.body
    assert isinstance(body, dict)
    assert set(body) == {"message", "type", "param", "code"}
    assert (body["type"], body["param"]) == ("invalid_request_error", param)
    assert body["message"]
    assert "\n" not in body["message"]


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 1.7, "top_p": 0.1, "seed": 3, "presence_penalty": 1, "frequency_penalty": -1},
        {"n": 1, "stop": None, "logprobs": False, "response_format": {"type": "text"}, "tool_choice": "none"},
        {"user": "me", "metadata": {"a": "b"}, "store": False, "extra_body": {"top_k": 40}},
    ],
)
def test_what_would_not_is_ignored(client: openai.OpenAI, stream_id: str, more: dict[str, Any]) -> None:
    completion = client.chat.completions.create(model=stream_id, messages=asked("What?"), **more)
    assert completion.choices[0].message.content == ANSWER


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}], "text parts only"),
        ([{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B"}], "last message"),
        ([{"role": "user", "content": "  \n"}], "must have at least one visible character, got only white space"),
        ([{"role": "user", "content": []}], "must have at least one visible character, got an empty text"),
        ([{"role": "user", "content": "x" * 4001}], "4000"),
        (
            [{"role": "king", "content": "x"}],
            "messages.0.role must be one of system, developer, user, assistant, tool, function, got 'king'",
        ),
        ([{"content": "x"}], "messages.0.role is required"),
        ([{"role": "user", "content": 7}], "messages.0.content must be text, got a number"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages.0.content.0.type is required"),
        ([], "messages must have at least 1 item, got 0"),
    ],
)
def test_what_is_no_question_is_refused(client: openai.OpenAI, stream_id: str, messages: list[Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words) as refused:
        client.chat.completions.create(model=stream_id, messages=messages)
    body: Any = refused.value.body
    assert "\n" not in body["message"]


def test_without_the_token(served: Served, stream_id: str) -> None:
    with connect(served, "another-token-that-is-wrong") as stranger:
        with pytest.raises(openai.AuthenticationError, match="token"):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError, match="token"):
            stranger.chat.completions.create(model=stream_id, messages=asked("What?"))


@pytest.mark.parametrize("name", ["gpt-4o", "0123456789abcdef", "a/b", "...", "\0", "x" * 500])
def test_models_that_are_not_there(client: openai.OpenAI, stream_id: str, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model=name, messages=asked("What?"))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(name)


def test_too_many_questions(served: Served, client: openai.OpenAI, stream_id: str) -> None:
    served.model.answer_gate.clear()
    chunks = client.chat.completions.create(model=stream_id, messages=asked("What?"), stream=True)
    try:
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model=stream_id, messages=asked("What?"))
        assert refused.value.response.headers["retry-after"] == "5"
        assert (refused.value.type, refused.value.code) == ("rate_limit_error", "rate_limit_exceeded")
    finally:
        served.model.answer_gate.set()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER


def test_a_name_of_several_streams_means_the_newest_which_has_nothing_to_answer_from(
    served: Served, client: openai.OpenAI, stream_id: str, make_video: MakeVideo
) -> None:
    served.model.gate.clear()
    try:
        again = served.client.begin(make_video(10), restart=True)
        by_name: list[tuple[str, dict[str, Any]]] = [
            (name, {}) for name in (again, str(make_video(10)), make_video(10).stem)
        ]
        for name, more in (*by_name, (again, {"stream": True})):
            with pytest.raises(openai.ConflictError) as refused:
                client.chat.completions.create(model=name, messages=asked("What?"), **more)
            assert refused.value.code == "nothing_captioned"
            assert refused.value.response.headers["x-should-retry"] == "false"
    finally:
        served.model.gate.set()
    served.client.wait_for_state(again, "complete")
    assert served.client("DELETE", f"/v1/streams/{again}").status == 204


def test_a_failure_midway_is_raised_by_the_client(
    served: Served, client: openai.OpenAI, stream_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(served.service.journal.answers, "add", fail)
    with pytest.raises(openai.APIError) as failed:
        list(client.chat.completions.create(model=stream_id, messages=asked("What?"), stream=True))
    assert failed.value.type == "server_error"
    assert "secret" not in str(failed.value)
