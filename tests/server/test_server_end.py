"""The server's end while videos are being sent: who reads gets all of it, who has stopped reading holds nobody up."""

import asyncio
import logging
import os
import socket
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from keepsight.hub.service import StreamService
from keepsight.server.http.app import make_app
from keepsight.server.http.running import HttpServer, listen
from keepsight.server.settings import ServerSettings
from tests.patience import DEADLINE_SECONDS
from tests.server.served import PATIENCE_SECONDS, ServedModel, serve
from tests.small_videos import MakeVideo

NUM_BYTES = 64 << 20


@pytest.fixture
def long_video(server_settings: ServerSettings, make_video: MakeVideo) -> Path:
    """More than any socket holds."""
    path = server_settings.roots[0] / "long.mp4"
    path.write_bytes(make_video(4).read_bytes().ljust(NUM_BYTES, b"\0"))
    return path


def ask(port: int, path: str) -> socket.socket:
    """Ask for a video, and read the first bytes of it."""
    connection = socket.socket()
    connection.settimeout(PATIENCE_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def is_open(path: Path) -> bool:
    """Whether this process, and so the server, has the file open."""
    descriptors = Path("/proc/self/fd")
    return any(os.path.realpath(one) == str(path) for one in descriptors.iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux")
def test_a_paused_player_holds_nobody_up(
    server_settings: ServerSettings, long_video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack, caplog.at_level(logging.INFO, "uvicorn"):
        with serve(server_settings, ServedModel()) as served:
            stream_id = served.client.begin(long_video)
            served.client.wait_for_state(stream_id, "complete")
            path = f"/v1/streams/{stream_id}/video"
            for _ in range(3):
                stack.enter_context(closing(ask(served.client.port, path)))
        said = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert said == []  # nothing had to be cut off when the time for last answers was over
    assert not is_open(long_video)


def test_who_reads_gets_the_whole_video(server_settings: ServerSettings, long_video: Path) -> None:
    num_bytes, is_ending = 0, threading.Event()

    def read(connection: socket.socket) -> None:
        nonlocal num_bytes
        is_ending.wait(PATIENCE_SECONDS)
        while piece := connection.recv(1 << 16):
            num_bytes += len(piece)

    with serve(server_settings, ServedModel()) as served:
        stream_id = served.client.begin(long_video)
        served.client.wait_for_state(stream_id, "complete")
        connection = ask(served.client.port, f"/v1/streams/{stream_id}/video")
        reader = threading.Thread(target=read, args=(connection,))
        reader.start()
        served.service.end_event_streams()
        is_ending.set()
    reader.join(PATIENCE_SECONDS)
    connection.close()
    assert not reader.is_alive()
    assert num_bytes > NUM_BYTES


HALF_REQUESTS = [b"", b"GET / HT", b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\nX: "]


@pytest.mark.parametrize("sent", HALF_REQUESTS)
@pytest.mark.parametrize("asks_first", [False, True])
def test_who_connects_and_asks_nothing_is_cut_off(
    server_settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, sent: bytes, asks_first: bool
) -> None:
    monkeypatch.setattr("keepsight.server.http.running.SILENT_SECONDS", DEADLINE_SECONDS)
    monkeypatch.setattr("keepsight.server.http.running.LOOK_SECONDS", 0.1)
    with serve(server_settings, ServedModel()) as served, socket.socket() as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(("127.0.0.1", served.client.port))
        if asks_first:
            connection.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            while b"true}" not in connection.recv(1000):
                pass
        connection.sendall(sent)
        monkeypatch.setattr("keepsight.server.http.running.SILENT_SECONDS", 0.3)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_who_waits_for_events_is_not_cut_off(server_settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepsight.server.http.running.LOOK_SECONDS", 0.02)
    settings = replace(server_settings, heartbeat_seconds=0.3)
    with serve(settings, ServedModel()) as served, closing(served.client.connect()) as connection:
        connection.request("GET", "/v1/events", headers={"Host": served.client.netloc})
        response, heartbeats = connection.getresponse(), 0
        monkeypatch.setattr("keepsight.server.http.running.SILENT_SECONDS", 0.05)
        while heartbeats < 3:
            line = response.readline()
            assert line, "it was cut off"
            heartbeats += line == b": still here\n"


@pytest.mark.parametrize("sent", [b"", b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_connection_that_was_being_accepted_when_the_end_began_is_closed(
    server_settings: ServerSettings, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async def end(listening: socket.socket, service: StreamService, accepted: socket.socket) -> None:
        server = HttpServer(make_app(service, server_settings), service)
        loop, accepting = asyncio.get_running_loop(), set()

        def announce() -> None:
            """The last half of an accept: uvicorn has already gone through the connections that it knew."""
            del service.end_event_streams
            service.end_event_streams()
            protocol = H11Protocol(server.config, server.server_state, {})
            accepting.add(loop.create_task(loop.connect_accepted_socket(lambda: protocol, accepted)))

        service.end_event_streams = announce  # type: ignore[method-assign]  # until it is called
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        server.should_exit = True
        await serving
        assert accepting

    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, listen(server_settings) as listening, StreamService(ServedModel(), server_settings) as service:
        ours.settimeout(PATIENCE_SECONDS)
        ours.sendall(sent)
        asyncio.run(end(listening, service, theirs))
        while ours.recv(1 << 16):
            pass
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
