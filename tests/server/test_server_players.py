"""Players that stop reading: how many there may be, who goes for whom, and that all others are answered meanwhile."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keepsight.errors import BusyError
from keepsight.server.http.access.players import IDLE_SECONDS, Player, Players
from keepsight.server.http.access.standstill import Standstill
from keepsight.server.http.failures import headers_of
from keepsight.server.settings import ServerSettings
from keepsight.server.tokens import ScopedToken, TokenScope
from tests.patience import DEADLINE_SECONDS, wait_for
from tests.server.open_files import needs_proc, num_open
from tests.server.served import Client, Served, ServedModel, serve
from tests.small_videos import MakeVideo

NUM_BYTES = 16 << 20
"""More than the sockets of a connection hold."""

TOKENS = tuple(f"a-read-token-of-tests-{number}" for number in range(5))
BEARERS = tuple(f"Authorization: Bearer {token}" for token in TOKENS)
MOST, SHARE = 64, 16


@pytest.fixture
def long_video(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = tmp_path / "long.mp4"
    path.write_bytes((make_video(4).read_bytes() + os.urandom(1 << 20)).ljust(NUM_BYTES, b"\7"))
    return path


@pytest.fixture
def watched(tmp_path: Path, long_video: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Served, str]]:
    """A server with tokens to read, and the path of a long video. However slow the machine, nobody is cut off."""
    monkeypatch.setattr("keepsight.server.http.access.players.IDLE_SECONDS", 10 * DEADLINE_SECONDS)
    monkeypatch.setattr("keepsight.server.http.running.NOT_READING_SECONDS", 10 * DEADLINE_SECONDS)
    readers = tuple(ScopedToken(TokenScope.READ, token) for token in TOKENS)
    settings = ServerSettings(
        tmp_path / "a.db", roots=(tmp_path,), port=0, token="a-token-for-tests-only", tokens=readers
    )
    with serve(settings, ServedModel()) as served:
        stream_id = served.client.begin(long_video)
        served.client.wait_for_state(stream_id, "complete")
        yield served, f"/v1/streams/{stream_id}/video"


def play(client: Client, path: str, credentials: str) -> socket.socket:
    """Ask for a video with small buffers, and read nothing."""
    connection = socket.socket()
    connection.settimeout(DEADLINE_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    connection.connect(("127.0.0.1", client.port))
    head = f"GET {path} HTTP/1.1\r\nHost: {client.netloc}\r\n{credentials}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(12, socket.MSG_WAITALL).split()[1])


@needs_proc
def test_everybody_else_is_answered_beside_400_stuck_players(watched: tuple[Served, str], long_video: Path) -> None:
    served, path = watched
    client = served.client
    with ExitStack() as stack:
        stuck = [stack.enter_context(closing(play(client, path, BEARERS[0]))) for _ in range(400)]
        for page in ("/", "/v1/streams", "/v1/about", "/v1/health/ready", path.replace("/video", "/clips")):
            assert client("GET", page).status == 200
        assert Counter(map(status_of, stuck)) == {200: SHARE, 429: 400 - SHARE}
        assert num_open(long_video) == SHARE
        # The page of somebody else plays the same video.
        other = client("GET", path, headers={"Range": "bytes=0-99999"})
        assert (other.status, other.content) == (206, long_video.read_bytes()[:100_000])
        refused = client("GET", path, headers={"Authorization": f"Bearer {TOKENS[0]}"})
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert "limit reached (16 videos to this client)" in refused.message
        assert client("HEAD", path, headers={"Authorization": f"Bearer {TOKENS[0]}"}).status == 200
    wait_for(lambda: num_open(long_video) == 0, "the files of players that went away are closed")
    assert client("GET", path, headers={"Authorization": f"Bearer {TOKENS[0]}"}).status == 200


@needs_proc
def test_whoever_has_read_nothing_for_longest_goes(
    watched: tuple[Served, str], long_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, path = watched
    with ExitStack() as stack:
        stuck = []
        for bearer in BEARERS[:4]:
            mine = [stack.enter_context(closing(play(served.client, path, bearer))) for _ in range(SHARE)]
            assert [status_of(one) for one in mine] == [200] * SHARE
            stuck += mine
        assert status_of(stack.enter_context(closing(play(served.client, path, BEARERS[4])))) == 429
        monkeypatch.setattr("keepsight.server.http.access.players.IDLE_SECONDS", 0.0)
        assert status_of(stack.enter_context(closing(play(served.client, path, BEARERS[4])))) == 200
        wait_for(lambda: num_open(long_video) == MOST, "one player of 65 is cut off")
        assert sum(was_cut_off(one) for one in stuck) == 1


def was_cut_off(connection: socket.socket) -> bool:
    """Whether the other end of a connection is gone, without reading what waits on it."""
    connection.settimeout(0)
    try:
        connection.send(b"G")  # of a next request, which the server reads once this one is answered
        connection.send(b"E")
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


@needs_proc
def test_a_player_that_was_cut_off_goes_on_with_the_next_range(
    watched: tuple[Served, str], long_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepsight.server.http.running.NOT_READING_SECONDS", 0.2)
    monkeypatch.setattr("keepsight.server.http.running.LOOK_SECONDS", 0.05)
    served, path = watched
    content = long_video.read_bytes()
    played = b""
    with closing(play(served.client, path, BEARERS[0])) as paused:
        assert status_of(paused) == 200
        wait_for(lambda: num_open(long_video) == 0, "a player that reads nothing is cut off")
        with suppress(ConnectionResetError):
            while piece := paused.recv(1 << 16):
                played += piece
    played = played.partition(b"\r\n\r\n")[2]
    assert len(played) < NUM_BYTES
    monkeypatch.setattr("keepsight.server.http.running.NOT_READING_SECONDS", 10 * DEADLINE_SECONDS)
    rest = served.client("GET", path, headers={"Range": f"bytes={len(played)}-"})
    assert (rest.status, played + rest.content == content) == (206, True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_places_and_who_gets_them() -> None:
    clock = Clock()
    cut_off: list[Any] = []
    players = Players(8, clock)

    def begin(client: str, port: int) -> Player:
        clock.now += 1
        return players.begin(client, ("10.0.0.1", port))

    first, second = begin("a", 1), begin("a", 2)
    clock.now += IDLE_SECONDS
    with pytest.raises(BusyError, match="2 videos to this client"):
        begin("a", 3)  # nobody could cut anybody off
    players.cut_off_by(cut_off.append)
    players.took(first)
    third = begin("a", 3)
    assert cut_off == [("10.0.0.1", 2)]
    with pytest.raises(BusyError) as refused:
        begin("a", 4)  # both read
    assert headers_of(refused.value) == {"Retry-After": "5"}
    players.end(second)  # its end is told late
    others = [begin(client, port) for port, client in enumerate("bbccdd", 5)]
    assert len(players) == 8
    for one in (*others, first, third):
        players.took(one)
    with pytest.raises(BusyError, match="8 videos\\)"):
        begin("e", 20)
    clock.now += IDLE_SECONDS
    for one in (*others[1:], first, third):
        players.took(one)
    begin("e", 20)
    assert cut_off[1:] == [others[0].address]
    players.end(first)
    players.end(first)
    assert len(players) == 7
    assert players.begin("f", None) in players._players
    assert Players(1).begin("a", None).address is None


class Waiting(asyncio.Transport):
    """A transport on which bytes wait."""

    def __init__(self, num_bytes: int) -> None:
        super().__init__()
        self.num_bytes = num_bytes

    def get_write_buffer_size(self) -> int:
        return self.num_bytes


def test_what_stands_still() -> None:
    standstill = Standstill()
    stuck, reads, has_read = Waiting(7), Waiting(7), Waiting(0)
    every = [stuck, reads, has_read]
    for now in range(11):
        reads.num_bytes += 1
        assert standstill.longer_than(10, every, now) == []
    assert standstill.longer_than(10, [stuck, has_read], 11) == [stuck]
    assert standstill.longer_than(10, every, 12) == [stuck]
    stuck.num_bytes = 6
    assert standstill.longer_than(10, every, 13) == []


def test_a_client_is_a_token_or_a_session(watched: tuple[Served, str]) -> None:
    served, path = watched
    client = replace(served.client, token=None)
    sessions = [client("POST", "/v1/session", {"token": TOKENS[1]}).headers["set-cookie"] for _ in range(2)]
    first, second = (session.partition(";")[0] for session in sessions)
    with ExitStack() as stack:

        def status(credentials: str) -> int:
            return status_of(stack.enter_context(closing(play(client, path, credentials))))

        cookies = (f"Cookie: {first}", f"Cookie: a=1; keepsight_session=none; {first}")
        assert [status(one) for one in cookies * (SHARE // 2)] == [200] * SHARE
        assert [status(one) for one in cookies] == [429, 429]
        assert status(f"Cookie: {second}") == 200
        bearers = (f"Authorization: Bearer {TOKENS[1]}", f"Authorization: bearer  {TOKENS[1]}\r\nCookie: {second}")
        assert [status(one) for one in bearers * (SHARE // 2)] == [200] * SHARE
        assert [status(one) for one in bearers] == [429, 429]
        assert status("Cookie: keepsight_session=none") == 401
