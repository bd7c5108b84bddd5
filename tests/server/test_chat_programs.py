"""Prompts that chat programs send of their own are neither asked nor stored; nor is what should not be stored."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from keepsight.server.http.openai.tasks import LONGEST_TITLE, reply_to_task
from keepsight.server.settings import ServerSettings
from tests.server.openai_replies import grounds_of
from tests.server.served import Reply, Served, ServedModel, serve
from tests.small_videos import MakeVideo

HISTORY = """### Chat History:
<chat_history>
USER: Where did the
 dog go?
ASSISTANT: the garden
</chat_history>"""


def open_webui(task: str, form: str, history: str = HISTORY) -> str:
    """A prompt in the shape of Open WebUI's templates."""
    return f"### Task:\n{task}\n### Guidelines:\n- Be short.\n### Output:\nJSON format: {form}\n{history}"


TITLE = open_webui("Generate a concise, 3-5 word title with an emoji.", '{ "title": "your concise title here" }')
TASKS = [
    (TITLE, '{"title": "Where did the"}'),
    (open_webui("Generate 1-3 broad tags.", '{ "tags": ["tag1", "tag2"] }'), '{"tags": []}'),
    (open_webui("Suggest 3-5 follow-ups.", '{ "follow_ups": ["Question 1?"] }'), '{"follow_ups": []}'),
    (open_webui("Find search queries.", 'Strictly\n{\n  "queries": ["query1"]\n}'), '{"queries": []}'),
    (open_webui("You are an autocompletion system.", '`{ "text": "<your_completion>" }`'), '{"text": ""}'),
    (open_webui("Something that no version has yet.", '{ "surprise": 1 }'), ""),
    (open_webui("Give an emoji.", "One emoji."), ""),
    (
        "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the "
        "title itself.\n\nConversation:\nUser: Who came to the door?\nAI: a cat",
        "Who came to the door?",
    ),
    (
        "Please generate a concise title (max 40 characters) for a conversation that starts with:\n"
        "User: Who came?\nAssistant: a cat\nTitle:",
        "Who came?",
    ),
]
QUESTIONS = [
    "What is this?",
    "### Task: find the dog. Where is it?",
    "### Task:\nRespond to the user query using the context.\n<context>notes</context>\n\nWhere did the dog go?",
    "Generate a concise, 3-5 word title for what you saw.",
    "Provide a concise title for the conversation in the kitchen",
    'Is "<chat_history>USER: x</chat_history>" on the screen?',
    f"He said: {TITLE}",
]


@pytest.mark.parametrize(("prompt", "reply"), TASKS, ids=[prompt[10:40] for prompt, _ in TASKS])
def test_a_prompt_of_a_program_is_answered_by_rule(prompt: str, reply: str) -> None:
    assert reply_to_task(prompt, "/videos/kitchen.mp4") == reply


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_never_taken_for_one(question: str) -> None:
    assert reply_to_task(question, "/videos/kitchen.mp4") is None


@pytest.mark.parametrize(
    ("said", "title"),
    [("USER: " + "word " * 40, "word"), ("ASSISTANT: hello", "kitchen.mp4"), ('USER: "quoted" \\ é', '"quoted" \\ é')],
)
def test_a_title_is_short_and_on_one_line(said: str, title: str) -> None:
    history = f"<chat_history>\n{said}\n</chat_history>"
    found = json.loads(reply_to_task(open_webui("A title.", '{ "title": "x" }', history), "/videos/kitchen.mp4") or "")
    assert found["title"].startswith(title)
    assert len(found["title"]) <= LONGEST_TITLE


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Iterator[Served]:
    settings = ServerSettings(tmp_path_factory.mktemp("programs") / "journal.db", roots=(make_video(4).parent,), port=0)
    with serve(settings, ServedModel()) as running:
        running.client.wait_for_state(running.client.begin(make_video(4)), "complete")
        yield running


@pytest.fixture
def stream_id(served: Served) -> str:
    (stream,) = served.service.journal.streams.all()
    return stream.id


def stored(served: Served, stream_id: str) -> list[str]:
    return [record.question for record in served.service.journal.answers.of(stream_id)]


def test_openai_client_gets_a_title_and_nothing_is_stored(served: Served, stream_id: str) -> None:
    before = stored(served, stream_id)
    long = open_webui("A title.", '{ "title": "x" }', HISTORY.replace("garden", "garden " * 2000))
    with openai.OpenAI(base_url=f"http://127.0.0.1:{served.client.port}/v1", api_key="none", max_retries=0) as client:
        for prompt in (TITLE, long):
            messages: list[Any] = [{"role": "user", "content": prompt}]
            whole = client.chat.completions.create(model=stream_id, messages=messages)
            assert whole.choices[0].message.content == '{"title": "Where did the"}'
            assert grounds_of(whole)["is_by_rule"]
            assert whole.usage is not None
            assert whole.usage.total_tokens == 0
            chunks = list(
                client.chat.completions.create(
                    model=stream_id, messages=messages, stream=True, stream_options={"include_usage": True}
                )
            )
            told = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert told == '{"title": "Where did the"}'
            assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
            assert chunks[-1].usage is not None
    assert stored(served, stream_id) == before


def ask(served: Served, face: str, stream_id: str, store: bool | None, header: str | None, stream: bool) -> Reply:
    body: dict[str, object] = {"stream": stream} if store is None else {"stream": stream, "store": store}
    headers = {"X-Keepsight-Store": header}
    if face == "openai":
        body |= {"model": stream_id, "messages": [{"role": "user", "content": "Where is it?"}]}
        return served.client("POST", "/v1/chat/completions", body, headers)
    return served.client("POST", "/v1/questions", {**body, "stream_id": stream_id, "question": "Where is it?"}, headers)


@pytest.mark.parametrize("face", ["openai", "api"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("store", "header", "is_stored"),
    [
        (None, None, True),
        (True, None, True),
        (False, None, False),
        (None, "false", False),
        (None, " FALSE ", False),
        (None, "0", False),
        (True, "no", False),
        (False, "true", False),
        (None, "true", True),
    ],
)
def test_what_should_not_be_stored_is_not(
    served: Served, stream_id: str, face: str, stream: bool, store: bool | None, header: str | None, is_stored: bool
) -> None:
    before = len(stored(served, stream_id))
    reply = ask(served, face, stream_id, store, header, stream)
    assert reply.status == 200
    assert reply.content
    assert len(stored(served, stream_id)) == before + is_stored


@pytest.mark.parametrize(("face", "status"), [("openai", 400), ("api", 422)])
def test_a_header_that_says_neither_is_refused(served: Served, stream_id: str, face: str, status: int) -> None:
    before = stored(served, stream_id)
    assert ask(served, face, stream_id, None, "perhaps", False).status == status
    assert stored(served, stream_id) == before
