"""Settings in the request that begins a stream: recorded with it, used for its captions and its answers."""

from dataclasses import replace
from typing import Any

import pytest

from keepsight.settings import SELECTOR_NAMES, Settings
from tests.server.served import QUICK, Served
from tests.small_videos import MakeVideo


def recorded(served: Served, stream_id: str) -> Settings:
    return Settings.from_json(served.service.journal.streams.get(stream_id).settings_json)


def longest_answer(served: Served, stream_id: str) -> int:
    """Tokens that the model was allowed for an answer about a stream."""
    reply = served.client("POST", "/v1/questions", {"stream_id": stream_id, "question": "Where is the dog?"})
    assert reply.status == 200
    return served.model.calls[-1].max_new_tokens


def test_they_are_recorded_and_decide(served: Served, make_video: MakeVideo) -> None:
    changes: dict[str, Any] = {
        "frames_per_clip": 2,
        "selector": "uniform",
        "memory_tokens": 9,
        "mmr_pool_budgets": None,
    }
    stream_id = served.client.begin(make_video(8), **changes)
    view = served.client.wait_for_state(stream_id, "complete")
    assert (view["frames_per_clip"], view["num_clips"]) == (2, 8)
    assert recorded(served, stream_id) == replace(QUICK, **changes)


def test_answers_are_as_the_stream_was_asked_for(served: Served, make_video: MakeVideo) -> None:
    video = make_video(4)
    stream_id = served.client.begin(video)
    served.client.wait_for_state(stream_id, "complete")
    assert longest_answer(served, stream_id) == QUICK.max_answer_tokens
    # What changes answers only makes no stream of its own, and holds from then on.
    assert served.client.begin(video, max_answer_tokens=7, retriever="recency") == stream_id
    assert recorded(served, stream_id) == replace(QUICK, max_answer_tokens=7, retriever="recency")
    assert longest_answer(served, stream_id) == 7
    assert served.client.begin(video) == stream_id
    assert longest_answer(served, stream_id) == 7


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"selector": "best"},
            f"selector must be one of {', '.join(SELECTOR_NAMES)}, got 'best'",
        ),
        ({"retention": 2}, "retention must be a number over 0 and at most 1, got 2.0"),
        ({"memory_clips": 10**9}, "memory_clips must be a whole number from 0 to 1024, got 1000000000"),
        (
            {"score_layers": {"a": 1}},
            "score_layers must be whole numbers of at least 1, \"all\" or none, got {'a': 1}",
        ),
        ({"score_layers": [0]}, 'score_layers must be whole numbers of at least 1, "all" or none, got [0]'),
        ({"colour": "red"}, "colour is unknown; known fields: caption_partial_clip, describe_prompt, "),
        ({"sample_fp": 1}, "sample_fp is unknown; did you mean sample_fps?"),
    ],
)
def test_what_is_not_allowed_begins_no_stream(
    served: Served, make_video: MakeVideo, changes: dict[str, object], says: str
) -> None:
    reply = served.client("POST", "/v1/streams", {"source": str(make_video(4)), **changes})
    assert (reply.status, reply.message[: len(says)]) == (422, says)
    assert served.client("GET", "/v1/streams").data == []
