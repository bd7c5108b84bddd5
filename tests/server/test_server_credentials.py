"""A camera's password over HTTP: given apart from its address, shown nowhere, and attached again after a restart."""

from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.hub.sources import ServedSources
from keepsight.server.settings import ServerSettings
from tests.patience import wait_for
from tests.server.served import Client, ServedModel, serve

PASSWORD = "Z9-hunter-Q7"
CAMERA = "rtsp://127.0.0.1:9/main"


def shown(client: Client, stream_id: str) -> bytes:
    """All that a client is shown of a stream."""
    paths = ("/v1/streams", f"/v1/streams/{stream_id}", "/metrics", "/", "/v1/about", f"/v1/streams/{stream_id}/clips")
    return b"".join(client("GET", path).content for path in paths)


def test_a_password_given_apart_is_shown_nowhere(
    server_settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = replace(server_settings, allow_private=True)
    with serve(settings, ServedModel()) as served:
        reply = served.client("POST", "/v1/streams", {"source": CAMERA, "user": "admin", "password": PASSWORD})
        assert reply.status == 201
        stream_id = reply.data["id"]
        run = served.service.runs.of(stream_id)
        assert run is not None
        assert PASSWORD in run.source.text  # type: ignore[union-attr]
        wait_for(lambda: served.client("GET", f"/v1/streams/{stream_id}").data["state"] == "offline")
        assert reply.data["source"] == CAMERA
        assert b"hunter" not in reply.content + shown(served.client, stream_id)
    assert b"hunter" not in b"".join(file.read_bytes() for file in settings.journal.parent.glob("*") if file.is_file())
    assert "hunter" not in caplog.text


@pytest.mark.parametrize(
    "asked",
    [
        {"source": CAMERA, "user": "admin"},
        {"source": CAMERA, "password": 12345},
        {"source": "file:///x", "user": "admin", "password": PASSWORD},
        {"source": CAMERA, "user": "admin", "password": PASSWORD, "odd": 1},
        {"source": f"rtsp://admin:{PASSWORD}/Q@127.0.0.1:9/main"},
        {"source": f"admin:{PASSWORD}@127.0.0.1"},
        {"source": f"http:/admin:{PASSWORD}@127.0.0.1"},
    ],
)
def test_no_refusal_repeats_a_password(client: Client, asked: dict[str, object]) -> None:
    reply = client("POST", "/v1/streams", asked)
    assert 400 <= reply.status < 500
    assert b"hunter" not in reply.content
    assert b"12345" not in reply.content


def test_a_file_of_credentials_is_good_after_a_restart(server_settings: ServerSettings, tmp_path: Path) -> None:
    file = tmp_path / "cameras.netrc"
    file.write_text(f"machine 127.0.0.1 login admin password {PASSWORD}\n")
    sources = ServedSources(replace(server_settings, credentials=file), None, lambda _: False)
    address = sources.address_of(CAMERA)  # as the journal has it
    assert address.text == f"rtsp://admin:{PASSWORD}@127.0.0.1:9/main"
    assert address.name == CAMERA
    sources.close()
