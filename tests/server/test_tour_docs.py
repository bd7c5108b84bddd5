"""docs/tour.md: its pictures are there and small, its commands exist, and what it sends is answered."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from typer.main import get_command

from keepsight.cli.app import app
from keepsight.server.settings import ServerSettings
from tests.server.served import Client, ServedModel, serve

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
TEXT = (DOCS / "tour.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
LINES = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) for line in block.splitlines()]
CURLS = [shlex.split(line) for line in LINES if line.startswith("curl ")]
VIDEO = "toy-world-11-10min.mp4"
MOST_PICTURE_BYTES = 200_000


@pytest.fixture
def toy(server_settings: ServerSettings, tmp_path: Path) -> Iterator[Client]:
    """A server that has the tour's toy video, shorter, under the tour's name."""
    with serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served:
        made = served.client("POST", "/v1/toy", {"minutes": 0.2, "seed": 11}).data
        video = Path(made["source"])
        served.client.wait_for_state(made["id"], "complete")
        served.client("DELETE", f"/v1/streams/{made['id']}")
        stream_id = served.client.begin(video.rename(tmp_path / VIDEO))
        served.client.wait_for_state(stream_id, "complete")
        yield served.client


def send(client: Client, words: list[str]) -> tuple[str, str]:
    """Where a curl command goes, and what comes back when this server is sent the same."""
    url = urlsplit(next(word for word in words if word.startswith("http")))
    assert url.netloc == "127.0.0.1:8765"
    headers = dict(words[place + 1].split(": ") for place, word in enumerate(words) if word == "-H")
    reply = client("POST", url.path, words[words.index("-d") + 1].encode(), headers)
    assert reply.status in (200, 201), reply.content
    return url.path, reply.content.decode()


@pytest.mark.parametrize("picture", PICTURES)
def test_each_picture_is_there_and_small(picture: str) -> None:
    path = DOCS / picture
    assert path.stat().st_size < MOST_PICTURE_BYTES
    with Image.open(path) as opened:
        opened.load()
        assert min(opened.size) > 100


def test_each_picture_of_the_tour_is_shown() -> None:
    assert {path.name for path in (DOCS / "images").glob("tour-*.png")} <= {Path(picture).name for picture in PICTURES}


@pytest.mark.parametrize("line", [line for line in LINES if "keepsight" in line])
def test_each_command_exists_with_its_options(line: str) -> None:
    program, name, *rest = shlex.split(line)
    assert Path(program).name == "keepsight"
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= known


def test_all_other_commands_are_known_ones() -> None:
    others = [line for line in LINES if "keepsight" not in line and not line.startswith("curl ")]
    assert others == ["python3 -m venv .venv", '.venv/bin/pip install -c constraints.txt ".[serve]"']
    assert (ROOT / "constraints.txt").is_file()


def test_what_curl_sends_is_answered(toy: Client) -> None:
    replies = dict(send(toy, words) for words in CURLS if not words[2].endswith("/v1/toy"))
    assert set(replies) == {"/v1/chat/completions", "/mcp"}
    said = json.loads(replies["/v1/chat/completions"])["choices"][0]["message"]["content"]
    (message,) = re.findall(r"^data: (\{.*\})\r?$", replies["/mcp"], flags=re.MULTILINE)
    assert json.loads(message)["result"]["structuredContent"]["answer"] == said.strip()


def test_the_toy_video_has_the_name_by_which_it_is_asked(
    server_settings: ServerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def note(_: object, made: object) -> Path:
        asked.append(made)
        return tmp_path

    monkeypatch.setattr("keepsight.server.http.routes.toys.toy_video", note)
    (words,) = (words for words in CURLS if words[2].endswith("/v1/toy"))
    with serve(replace(server_settings, roots=(tmp_path,)), ServedModel()) as served:
        served.client("POST", "/v1/toy", words[words.index("-d") + 1].encode())
    assert f"toy-world-{asked[0].seed}-{asked[0].minutes:g}min.mp4" == VIDEO
    assert TEXT.count(VIDEO) == 3


def test_the_program_gets_the_same_answer(toy: Client, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(program.replace(":8765/", f":{toy.port}/"), "tour.md", "exec"), {})
    (words,) = (words for words in CURLS if words[2].endswith("/v1/chat/completions"))
    _, reply = send(toy, words)
    assert capsys.readouterr().out.strip() == json.loads(reply)["choices"][0]["message"]["content"].strip()


@pytest.mark.parametrize("document", [*DOCS.glob("*.md"), ROOT / "README.md"], ids=lambda path: path.name)
def test_no_link_is_broken(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = document if not target else document.parent / target
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{target}#{anchor}"
