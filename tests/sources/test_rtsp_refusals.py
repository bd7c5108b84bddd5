"""RTSP servers that lead elsewhere, talk nonsense or say nothing: no other host is reached, and no secret shown."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread

import av
import pytest
from av.error import FFmpegError

from keepsight.errors import AddressRefusedError, SettingError, SourceUnreachableError
from keepsight.sources.network.guard import Guard, ResolvedAddress
from keepsight.sources.network.urls import parse_url
from keepsight.sources.readers.rtsp import open_rtsp, rtsp_options
from keepsight.sources.readers.rtsp_relay import RtspRelay
from tests.patience import DEADLINE_SECONDS, wait_for

GUARD = Guard(allow_private=True)
Answer = Callable[[str, str], bytes]


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[tuple[int, list[int]]]:
    """A server on loopback for one connection after another; gives its port and a list that grows with each."""
    seen: list[int] = []

    def run() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            seen.append(1)
            with connection:
                try:
                    serve(connection)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)
    thread.join(DEADLINE_SECONDS)


def rtsp(answer: Answer) -> Callable[[socket.socket], object]:
    """Serves RTSP: an answer for each (method, CSeq)."""

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            while (request := lines.readline()).endswith(b" RTSP/1.0\r\n"):
                headers = dict(line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n"))
                connection.sendall(answer(request.split()[0].decode(), headers["CSeq"]))

    return serve


def say(status: str, sequence: str, *headers: str, body: str = "") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"RTSP/1.0 {status}", f"CSeq: {sequence}", *headers, *length, "", body]).encode()


def stay_silent(connection: socket.socket) -> None:
    """Say nothing until the other side hangs up."""
    with suppress(OSError):
        while connection.recv(4096):
            pass


def open_at(port: int, *, user: str = "", path: str = "live", seconds: float = 2.0) -> None:
    open_rtsp(parse_url(f"rtsp://{user}127.0.0.1:{port}/{path}"), GUARD, open_seconds=seconds).close()


@pytest.mark.parametrize("at", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_redirect_is_not_followed(at: str) -> None:
    with listening(lambda connection: None) as (trap, trapped):
        away = f"rtsp://127.0.0.1:{trap}/live"

        def answer(method: str, sequence: str) -> bytes:
            if method == at:
                return say("302 Found", sequence, f"Location: {away}")
            # The description names another host for its track, which is a name only: it is asked for here.
            body = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{away}/track\r\n"
            transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
            return say("200 OK", sequence, "Content-Type: application/sdp", "Session: 1", transport, body=body)

        with listening(rtsp(answer)) as (port, _), pytest.raises(SourceUnreachableError, match="the server redirects"):
            open_at(port)
    assert trapped == []


@pytest.mark.parametrize(("protocols", "is_followed"), [(None, False), ("tcp,rtsp", True)])
def test_ffmpeg_without_the_relay(protocols: str | None, is_followed: bool) -> None:
    """Its list of protocols is a second lock; without either it would follow, so the test above shows something."""
    options = rtsp_options(2.0)
    options["protocol_whitelist"] = protocols or options["protocol_whitelist"]
    with listening(lambda connection: None) as (trap, trapped):
        away = f"Location: rtsp://127.0.0.1:{trap}/live"
        with listening(rtsp(lambda _, sequence: say("302 Found", sequence, away))) as (port, _):
            with pytest.raises(FFmpegError):
                av.open(f"rtsp://127.0.0.1:{port}/live", format="rtsp", container_options=options)
            if is_followed:
                wait_for(lambda: trapped, "it is followed")
            else:
                time.sleep(0.1)
    assert bool(trapped) == is_followed


def test_a_track_over_udp_is_refused() -> None:
    def answer(_: str, sequence: str) -> bytes:
        body = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track\r\n"
        transport = "Transport: RTP/AVP;unicast;destination=127.0.0.1;client_port=9-10;server_port=9-10"
        return say("200 OK", sequence, "Content-Type: application/sdp", "Session: 1", transport, body=body)

    with listening(rtsp(answer)) as (port, _), pytest.raises(SourceUnreachableError) as caught:
        open_at(port)
    reason = "the server offers only UDP, but Keepsight needs RTSP over TCP (it answered 'RTP/AVP')"
    assert str(caught.value) == f"rtsp://127.0.0.1:{port}/live can't be watched: {reason}"


def test_a_server_that_refuses_tcp_is_told_apart() -> None:
    def answer(method: str, sequence: str) -> bytes:
        body = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track\r\n"
        status = "461 Unsupported Transport" if method == "SETUP" else "200 OK"
        return say(status, sequence, "Content-Type: application/sdp", "Session: 1", body=body)

    with listening(rtsp(answer)) as (port, _), pytest.raises(SourceUnreachableError, match="offers only UDP") as caught:
        open_at(port)
    assert "(461 Unsupported Transport)" in str(caught.value)


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        (lambda connection: connection.sendall(b"\0\1\2" * 20_000), "does not speak RTSP"),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), "does not speak RTSP"),
        (lambda connection: connection.sendall(b"$\0\0\1a" * 5000), "does not respond"),
        (lambda connection: None, "closed the connection|connection was lost"),
        (stay_silent, "did not respond for 0.5 s|sent nothing for 0.5 s"),
        (rtsp(lambda _, sequence: say("454 Session Not Found", sequence)), "can't be watched: Server returned 4XX"),
        (rtsp(lambda _, sequence: say("200 OK", sequence)), "can't be watched"),
    ],
    ids=["noise", "http", "endless pictures", "closes", "silent", "refuses", "no description"],
)
def test_a_server_that_is_none(serve: Callable[[socket.socket], object], message: str) -> None:
    with listening(serve) as (port, _), pytest.raises(SourceUnreachableError, match=message) as caught:
        open_at(port, seconds=0.5 if "for 0.5 s" in message or message == "does not respond" else 60)
    assert "\n" not in str(caught.value)


def test_the_guard_decides_where_to_connect() -> None:
    is_refused = pytest.raises(AddressRefusedError, match="loopback")
    with listening(lambda connection: None) as (port, connected), is_refused:
        open_rtsp(parse_url(f"rtsp://127.0.0.1:{port}/"), Guard())
    assert connected == []


def test_other_schemes_and_waits_are_refused() -> None:
    with pytest.raises(AddressRefusedError, match="rtsp, rtsps"):
        open_rtsp(parse_url("http://127.0.0.1/"), GUARD)
    with pytest.raises(SettingError, match="above 0"):
        open_rtsp(parse_url("rtsp://127.0.0.1/"), GUARD, open_seconds=0)


def test_a_server_without_encryption_is_no_rtsps_server() -> None:
    serve = rtsp(lambda _, sequence: say("200 OK", sequence))
    with listening(serve) as (port, _), pytest.raises(SourceUnreachableError, match=r"TLS handshake with .* failed"):
        open_rtsp(parse_url(f"rtsps://127.0.0.1:{port}/"), GUARD, open_seconds=60)


def test_the_relay_takes_one_connection_and_closes_twice() -> None:
    is_over = Event()
    with listening(lambda connection: is_over.wait(DEADLINE_SECONDS)) as (port, _):
        relay = RtspRelay(ResolvedAddress("camera", "127.0.0.1", port), timeout_seconds=DEADLINE_SECONDS)

        def is_refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", relay.port), DEADLINE_SECONDS).close()
            except ConnectionError:
                return True
            return False

        with socket.create_connection(("127.0.0.1", relay.port), DEADLINE_SECONDS):
            wait_for(is_refused, "a second connection is refused")
            relay.close()
        relay.close()
        is_over.set()


def test_a_relay_that_nobody_calls_closes_at_once() -> None:
    with listening(lambda connection: None) as (port, _):
        relay = RtspRelay(ResolvedAddress("camera", "127.0.0.1", port), timeout_seconds=10 * DEADLINE_SECONDS)
        begun = time.monotonic()
        relay.close()
        assert time.monotonic() - begun < DEADLINE_SECONDS


OPEN_EACH = """
import logging, sys, traceback
logging.basicConfig(level=logging.DEBUG)
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import parse_url
from keepsight.sources.readers.rtsp import open_rtsp
for line in sys.stdin:
    url = parse_url(line.strip())
    print(repr(url), str(url))
    try:
        open_rtsp(url, Guard(allow_private=True), open_seconds=1)
    except Exception as error:
        while error is not None:
            traceback.print_exception(error)
            print(repr(error), error.args, vars(error))
            error = error.__cause__ or error.__context__
"""
FAULTS: tuple[Callable[[socket.socket], object], ...] = (
    rtsp(lambda _, sequence: say("404 Not Found", sequence)),
    rtsp(lambda _, sequence: say("302 Found", sequence, "Location: rtsp://127.0.0.1:9/")),
    rtsp(lambda _, sequence: say("401 Unauthorized", sequence, 'WWW-Authenticate: Basic realm="x"')),
    lambda connection: connection.sendall(connection.recv(4096) * 200),
)


def test_credentials_are_shown_nowhere() -> None:
    """In nothing that is printed or logged, nor in an error or what caused it."""
    with ExitStack() as servers:
        ports = [9, *(servers.enter_context(listening(fault))[0] for fault in FAULTS)]
        urls = [f"rtsp://Zaphod:Sesame%3Aopen%2Fme@127.0.0.1:{port}/live\n" for port in ports]
        done = subprocess.run(
            [sys.executable, "-c", OPEN_EACH], input="".join(urls), capture_output=True, text=True, check=True
        )
    written = done.stdout + done.stderr
    assert written.count("Traceback") >= len(urls)
    for secret in ("Zaphod", "Sesame", "open/me", "open%2Fme", "WmFwaG9k"):  # the last is how Basic begins
        assert secret not in written
