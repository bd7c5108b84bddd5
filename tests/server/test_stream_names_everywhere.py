"""A name means the same stream to the command line, the tools for agents and OpenAI's clients."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepsight.cli.asking import find_stream
from keepsight.errors import UnknownStreamError
from keepsight.server.settings import ServerSettings
from tests.server.mcp_calls import call, connect, refusal
from tests.server.served import Served, ServedModel, serve
from tests.small_videos import MakeVideo

pytestmark = pytest.mark.anyio
NAMES = ("cam1.mp4", "cam1.mp4.old.mp4", "cam10.mp4")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Path:
    folder = tmp_path_factory.mktemp("names").resolve()
    for name in NAMES:
        shutil.copy(make_video(4), folder / name)
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serve(ServerSettings(folder / "journal.db", roots=(folder,), port=0), ServedModel()) as running:
        for name in NAMES:
            running.client.wait_for_state(running.client.begin(folder / name, restart=True), "complete")
        yield running


@pytest.mark.parametrize(
    ("name", "meant"),
    [("cam1", 0), ("cam1.mp4", 0), ("FOLDER/cam1.mp4", 0), ("cam1.mp4.old", 1), ("cam10", 2), ("CAM10.mp4", 2)],
)
async def test_a_name_means_one_stream(served: Served, folder: Path, name: str, meant: int) -> None:
    name = name.replace("FOLDER", str(folder))
    source = str(folder / NAMES[meant])
    found = find_stream(served.service.journal, name)
    assert found is not None
    assert found.source == source
    assert served.client("GET", f"/v1/models/{name}").data["keepsight"]["source"] == source
    body = {"model": name, "messages": [{"role": "user", "content": "What?"}]}
    answered = served.client("POST", "/v1/chat/completions", body)
    assert answered.data["keepsight"]["stream_id"] == found.id
    async with connect(served.client.port) as client:
        assert (await call(client, "ask", stream=name, question="What?"))["stream_id"] == found.id


@pytest.mark.parametrize("name", ["cam", "FOLDERNAME", "rtsp://me:hunter2@cam1/"])
async def test_a_name_that_means_none_or_several_is_refused_with_the_same_words(
    served: Served, folder: Path, name: str
) -> None:
    name = name.replace("FOLDERNAME", folder.name)
    with pytest.raises(UnknownStreamError) as refused:
        find_stream(served.service.journal, name)
    message = str(refused.value)
    assert all(str(folder / one) in message for one in NAMES)
    assert "hunter2" not in message
    body = {"model": name, "messages": [{"role": "user", "content": "What?"}]}
    answered = served.client("POST", "/v1/chat/completions", body)
    assert (answered.status, answered.data["error"]["message"]) == (404, message)
    async with connect(served.client.port) as client:
        assert await refusal(client, "ask", stream=name, question="What?") == message
