"""Questions over HTTP: whole or in pieces, cited, stored, and so many at a time."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from keepsight.asking.answering import Ask
from keepsight.hub.questions import QuestionService
from keepsight.server.http.events.answer_events import answer_events
from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo


def ended_stream(client: Client, video: Path) -> str:
    stream_id = client.begin(video)
    client.wait_for_state(stream_id, "complete")
    return stream_id


def test_an_answer_with_its_citations_is_stored(client: Client, make_video: MakeVideo) -> None:
    stream_id = ended_stream(client, make_video(10))
    reply = client("POST", "/v1/questions", {"stream_id": stream_id, "question": "What comes?", "at_seconds": 6.5})
    assert reply.data["answer"] == "I was given 3 lines [99:00-99:32]."
    assert [citation["clip_index"] for citation in reply.data["citations"]] == [0, 1, 2]
    (past,) = client("GET", f"/v1/streams/{stream_id}/questions").data
    assert (past["question"], past["cited_clips"], past["ask_seconds"]) == ("What comes?", [0, 1, 2], 6.5)


def test_an_answer_in_pieces(served: Served, make_video: MakeVideo) -> None:
    stream_id = ended_stream(served.client, make_video(10))
    served.model.answer_gate.clear()
    asked = {"stream_id": stream_id, "question": "What?", "stream": True}
    with closing(served.client.events("/v1/questions", "POST", asked)) as events:
        first = next(events)  # before the model has said anything
        assert (first.name, len(first.data["citations"])) == ("citations", 5)
        served.model.answer_gate.set()
        rest = list(events)
    assert [event.name for event in rest] == ["piece", "piece", "piece", "answer"]
    assert "".join(event.data["text"] for event in rest[:-1]).strip() == rest[-1].data["answer"]
    assert rest[-1].data["citations"] == first.data["citations"]


def test_an_asker_who_goes_away_finds_the_answer_later(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    stream_id = ended_stream(client, make_video(4))
    served.model.answer_gate.clear()
    with closing(
        client.events("/v1/questions", "POST", {"stream_id": stream_id, "question": "?", "stream": True})
    ) as e:
        next(e)
    served.model.answer_gate.set()
    wait_for(lambda: client("GET", f"/v1/streams/{stream_id}/questions").data, "the answer is stored")


def test_an_asker_who_goes_at_once_keeps_no_place(served: Served, make_video: MakeVideo) -> None:
    stream_id = ended_stream(served.client, make_video(4))
    questions = QuestionService(served.service, max_in_flight=1)

    async def ask_and_go() -> None:
        await answer_events(questions, *questions.begin(stream_id, Ask("What?"))).aclose()

    for _ in range(3):
        asyncio.run(ask_and_go())
        wait_for(lambda: not questions.num_in_flight, "the place is given back")


def test_a_question_is_answered_while_the_stream_is_watched(served: Served, make_video: MakeVideo) -> None:
    client = served.client
    stream_id = client.begin(make_video(20))
    client.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
    served.model.gate.clear()
    reply = client("POST", "/v1/questions", {"stream_id": stream_id, "question": "What?"})
    assert reply.status == 200
    assert reply.data["num_captions_given"] >= 1


def test_no_more_questions_than_allowed(server_settings: ServerSettings, make_video: MakeVideo) -> None:
    with serve(replace(server_settings, max_questions_in_flight=2), ServedModel()) as served:
        client = served.client
        asked = {"stream_id": ended_stream(client, make_video(4)), "question": "What?"}
        served.model.answer_gate.clear()
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(client, "POST", "/v1/questions", asked) for _ in range(2)]
            wait_for(
                lambda: b"keepsight_questions_in_flight 2.0" in client("GET", "/metrics").content, "both are asked"
            )
            refused = client("POST", "/v1/questions", asked)
            assert (refused.status, refused.headers["retry-after"]) == (429, "5")
            served.model.answer_gate.set()
            assert [reply.result().status for reply in waiting] == [200, 200]
        assert client("POST", "/v1/questions", asked).status == 200


def test_there_must_be_something_to_answer_from(served: Served, make_video: MakeVideo) -> None:
    served.model.gate.clear()
    stream_id = served.client.begin(make_video(10))
    for more in ({}, {"stream": True}):
        reply = served.client("POST", "/v1/questions", {"stream_id": stream_id, "question": "What?", **more})
        assert reply.status == 409
        assert "nothing" in reply.message
