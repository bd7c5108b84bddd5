"""Search by meaning over HTTP, against comparing every caption by hand."""

import math
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from tests.journal.clip_records import make_clip
from tests.server.served import Client, Served

CAPTIONS = (
    "a red ball rolls to the left",
    "a dog waits at the door",
    "the red ball is gone",
    "",
    "a dog plays with a red ball",
    "an empty room",
    "a dog waits at the door",
)


@pytest.fixture
def stream_ids(served: Served) -> list[str]:
    """One of the server's model, one of another model, whose embeddings mean nothing here, and one without clips."""
    journal, model = served.service.journal, served.model
    ids: list[str] = []
    for name, captions in (("fake", CAPTIONS), ("other", CAPTIONS[:3]), ("fake", ())):
        stream = journal.streams.begin(f"/videos/{len(ids)}.mp4", name, served.service.settings.to_json())
        for index, caption in enumerate(captions):
            embedding = model.embed(caption if name == "fake" else "something else").numpy()
            journal.clips.add(replace(make_clip(stream.id, index, caption=caption), embedding=embedding))
        ids.append(stream.id)
    return ids


def by_hand(served: Served, ids: list[str], query: str) -> list[tuple[str, int, float]]:
    """Cosine similarities in plain Python, in double precision."""
    wanted = served.model.embed(query).tolist()
    found = []
    for stream_id, captions in zip(ids, (CAPTIONS, CAPTIONS[:3], ()), strict=False):
        for index, caption in enumerate(captions):
            row = stored(served, stream_id, index, caption)
            lengths = math.hypot(*row) * math.hypot(*wanted)
            score = sum(a * b for a, b in zip(row, wanted, strict=True)) / lengths if lengths else 0.0
            if any(wanted):
                found.append((stream_id, index, score))
    return sorted(found, key=lambda one: -one[2])


def stored(served: Served, stream_id: str, index: int, caption: str) -> list[float]:
    """The embedding that counts: the journal's, or of another model's captions what the server's makes of them now."""
    clip = next(served.service.journal.clips.of(stream_id, from_index=index))
    is_own = served.service.journal.streams.get(stream_id).model == "fake"
    return clip.embedding.tolist() if is_own else served.model.embed(caption).tolist()


def search(client: Client, path: str, query: str, **more: object) -> list[dict[str, Any]]:
    words = "".join(f"&{name}={value}" for name, value in more.items())
    reply = client("GET", f"{path}?method=meaning&query={quote(query)}{words}")
    assert reply.status == 200, reply.content
    found: list[dict[str, Any]] = reply.data
    return found


def check(found: list[dict[str, Any]], expected: list[tuple[str, int, float]]) -> None:
    assert [(clip["stream_id"], clip["clip_index"]) for clip in found] == [one[:2] for one in expected]
    assert [clip["score"] for clip in found] == pytest.approx([one[2] for one in expected], abs=1e-5)


@pytest.mark.parametrize("query", ["red ball", "where did the dog go?", "door", "empty", "ball ball ball", "zebra"])
def test_the_most_alike_come_first(served: Served, stream_ids: list[str], query: str) -> None:
    check(search(served.client, f"/v1/streams/{stream_ids[0]}/moments", query), by_hand(served, stream_ids[:1], query))
    everywhere = by_hand(served, stream_ids, query)
    found = search(served.client, "/v1/moments", query)
    assert [clip["score"] for clip in found] == pytest.approx([one[2] for one in everywhere], abs=1e-5)
    assert sorted((clip["stream_id"], clip["clip_index"]) for clip in found) == sorted(one[:2] for one in everywhere)
    check(search(served.client, "/v1/moments", query, limit=1), everywhere[:1])


def test_a_caption_finds_itself(served: Served, stream_ids: list[str]) -> None:
    first, second, *_ = search(served.client, f"/v1/streams/{stream_ids[0]}/moments", CAPTIONS[1])
    assert (first["clip_index"], second["clip_index"]) == (1, 6)  # equals, the earlier first
    assert first["score"] == second["score"] == pytest.approx(1.0)
    assert first["score"] <= 1.0


@pytest.mark.parametrize("query", ["?!", " ", "\0"])
def test_words_without_meaning_are_like_nothing(served: Served, stream_ids: list[str], query: str) -> None:
    assert search(served.client, "/v1/moments", query) == []
    assert search(served.client, f"/v1/streams/{stream_ids[2]}/moments", "red ball") == []


def test_words_have_no_score(served: Served, stream_ids: list[str]) -> None:
    found = served.client("GET", f"/v1/streams/{stream_ids[0]}/moments?query=balls+red").data
    assert {clip["clip_index"] for clip in found} == {0, 2, 4}
    assert {clip["score"] for clip in found} == {None}
    assert served.client("GET", "/v1/moments?query=a&method=feeling").status == 422
    assert served.client("GET", "/v1/streams/nothing/moments?query=a&method=meaning").status == 404


def test_the_closest_are_found_though_they_are_far(
    served: Served, stream_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With some models even captions that have the word are below 0: order counts, not the sign."""
    embed = served.model.embed
    monkeypatch.setattr(served.model, "embed", lambda text: -embed(text))
    query = "a red ball"
    expected = by_hand(served, stream_ids[:1], query)
    assert min(score for *_, score in expected) < -0.5
    check(search(served.client, f"/v1/streams/{stream_ids[0]}/moments", query), expected)
