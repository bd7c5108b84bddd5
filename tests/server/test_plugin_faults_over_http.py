"""Plug-ins that fail under a server: their stream says why, and other streams go on."""

import sys
from pathlib import Path

import pytest

from tests.plug_in import CENTRE, install
from tests.server.served import Client
from tests.small_videos import MakeVideo

ADVICE = "; use another one, or report it to the author of the package"

CHOOSER = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Odd:
    def choose(self, embeddings, query, costs, budget):
        raise IndexError("odd")
"""


@pytest.fixture(autouse=True)
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package `faulty 1.2` with a selector and a retriever that fail."""
    monkeypatch.delitem(sys.modules, "faulty_parts", raising=False)
    code = CENTRE.replace("return Selected(", "return list(") + CHOOSER
    groups = {"selectors": "centre = faulty_parts:Centre", "retrievers": "odd = faulty_parts:Odd"}
    monkeypatch.syspath_prepend(install(tmp_path / "site", "faulty", "faulty_parts", code, **groups))


def test_a_stream_whose_selector_fails_says_why(client: Client, make_video: MakeVideo) -> None:
    stream_id = client.begin(make_video(4), selector="centre")
    view = client.wait_for_state(stream_id, "failed")
    assert view["reason"] == (
        "selector 'centre' of faulty 1.2 failed in select: TypeError: list expected at most 1 argument, got 2" + ADVICE
    )
    other = client.begin(make_video(4))
    assert client.wait_for_state(other, "complete")["id"] != stream_id


def test_a_question_whose_retriever_fails_says_why(client: Client, make_video: MakeVideo) -> None:
    stream_id = client.begin(make_video(4), retriever="odd")
    client.wait_for_state(stream_id, "complete")
    reply = client("POST", "/v1/questions", {"stream_id": stream_id, "question": "Where is the dog?"})
    assert reply.message == f"retriever 'odd' of faulty 1.2 failed in choose: IndexError: odd{ADVICE}"
    assert reply.status == 500
