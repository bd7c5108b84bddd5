"""The log says what happened and to which stream, and nothing that somebody wrote or keeps secret."""

import io
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keepsight.server.settings import ServerSettings
from keepsight.server.telemetry.logs import FIELDS, JsonLines, log_to
from tests.server.served import Client, ServedModel, serve
from tests.small_videos import MakeVideo

TOKEN = "a-token-for-tests-only"
SECRETS = (TOKEN, "hunter2-the-password", "whereismysecretparrot", "searchedforprivately")


def visit(client: Client, video: Path) -> str:
    """Everything that has a secret in it: a token, a camera's password, a question, a search."""
    stream_id = client.begin(video)
    client.wait_for_state(stream_id, "complete")
    client("POST", "/v1/questions", {"stream_id": stream_id, "question": SECRETS[2]})
    list(client.events("/v1/questions", "POST", {"stream_id": stream_id, "question": SECRETS[2], "stream": True}))
    client("GET", f"/v1/moments?query={SECRETS[3]}")
    camera = f"rtsp://admin:{SECRETS[1]}@127.0.0.1:9/{SECRETS[1]}?password={SECRETS[1]}"
    begun = client("POST", "/v1/streams", {"source": camera})
    assert begun.status == 201
    client.wait_for(begun.data["id"], lambda view: view["state"] == "offline")
    client("POST", "/v1/streams", {"source": f"http://admin:{SECRETS[1]}@127.0.0.1:9/x?key={SECRETS[1]}"})
    client("GET", f"/{SECRETS[1]}/{TOKEN}?{SECRETS[3]}")
    client("GET", f"/v1/streams/{SECRETS[1]}/clips")
    Client(client.port)("GET", f"/v1/streams?token={TOKEN}")
    client("POST", f"/v1/streams/{begun.data['id']}/pause")
    return stream_id


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_logged(server_settings: ServerSettings, make_video: MakeVideo, form: Any) -> None:
    log = io.StringIO()
    log_to(log, form, "debug")
    with serve(replace(server_settings, token=TOKEN, allow_private=True), ServedModel()) as served:
        stream_id = visit(served.client, make_video(4))
        answer, caption = served.model.calls[0].question, served.client("GET", f"/v1/streams/{stream_id}/clips")
        metrics = served.client("GET", "/metrics").content.decode()
    written = log.getvalue()
    captions = [clip["caption"] for clip in caption.data["clips"]]
    for secret in (*SECRETS, answer, *captions, "I was given"):
        assert secret not in written
        assert secret not in metrics
    assert f"stream {stream_id}: clip 1 in " in written
    assert f"stream {stream_id}: complete" in written
    assert f"stream {stream_id}: a question was answered in " in written
    assert "GET /v1/streams/{stream_id}/clips 404 in " in written
    assert "GET /v1/moments 200 in " in written
    assert "GET - 401 in " in written
    if form == "json":
        check_lines([json.loads(line) for line in written.splitlines()], stream_id)


def check_lines(lines: list[dict[str, Any]], stream_id: str) -> None:
    for line in lines:
        assert {"time", "level", "logger", "message"} <= set(line) <= {*FIELDS, "time", "level", "logger", "message"}
    clips = [line for line in lines if "clip_index" in line]
    assert [(line["stream_id"], line["clip_index"]) for line in clips] == [(stream_id, 0), (stream_id, 1)]
    assert all(line["seconds"] >= 0 and line["level"] == "info" for line in clips)
    states = [line["state"] for line in lines if line.get("stream_id") == stream_id and "state" in line]
    assert states == ["complete"]
    lost = [line for line in lines if line.get("state") == "offline"]
    assert {line["level"] for line in lost} == {"warning"}


def test_a_failure_has_its_traceback_and_a_line_stays_a_line() -> None:
    log = io.StringIO()
    log_to(log, "json", "info")
    ours = logging.getLogger("keepsight.somewhere")
    ours.debug("not this")
    logging.getLogger("other").info("nor this")
    try:
        raise ValueError("in two\nlines")
    except ValueError:
        ours.exception("it\nfailed \x1b[31m")
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["message"] == "it\nfailed \x1b[31m"
    assert "ValueError" in json.loads(line)["traceback"]
    assert isinstance(logging.getLogger().handlers[-1].formatter, JsonLines)
    text = io.StringIO()
    log_to(text, "text", "warning")
    ours.info("not this")
    ours.warning("it\nfailed \x1b[31m")
    assert text.getvalue() == "keepsight: it failed  [31m\n"


def test_clients_that_hang_up_fill_no_log() -> None:
    """asyncio warns of each piece for them (`selector_events`), hundreds a minute where viewers come and go."""
    log = io.StringIO()
    log_to(log, "text", "info")
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    assert log.getvalue() == ""
    logging.getLogger("asyncio").warning("Executing <Task> took 3.0 seconds")
    assert log.getvalue() == "keepsight: Executing <Task> took 3.0 seconds\n"
