"""The client: redirects, credentials, limits, and where it connects; against a server with faults."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepsight.errors import (
    AddressRefusedError,
    NotAVideoError,
    SettingError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
)
from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.fetching import ByteRange, Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import parse_url
from tests.sources.fault_server import (
    HASTY,
    PATIENT,
    AllowingLoopback,
    FaultServer,
    raw,
    redirect,
    running,
    served,
    status,
    streamed,
)

LOCAL = Guard(allow_private=True)

# For camera.test only, trusted by nobody; made for these tests.
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIcSYOxXq0nlliJs6
mi4WE0K4WqRATsKHQyu7a0nnqWmhRANCAAQ6N8wBxj6nuVzNMvlwkUpucEnKkwAZ
uUd+Jysld6MtVgwvfcPCau8/D4lUKJ0+q6upz/SqJ3l7Bsnxf+GHaVFa
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUNhgN/VNp0o0Qpn3WNLO4wyUMRzQwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLY2FtZXJhLnRlc3QwIBcNMjYxMTIzMTgwODQ4WhgPMjEyNjEw
MzAxODA4NDhaMBYxFDASBgNVBAMMC2NhbWVyYS50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEOjfMAcY+p7lczTL5cJFKbnBJypMAGblHficrJXejLVYML33D
wmrvPw+JVCidPqurqc/0qid5ewbJ8X/hh2lRWqNrMGkwHQYDVR0OBBYEFIlZyV72
WCqLfwCFOgOx4XwQ7DiaMB8GA1UdIwQYMBaAFIlZyV72WCqLfwCFOgOx4XwQ7Dia
MA8GA1UdEwEB/wQFMAMBAf8wFgYDVR0RBA8wDYILY2FtZXJhLnRlc3QwCgYIKoZI
zj0EAwIDSQAwRgIhAN/D93R/7/McIE/vRkD/S0nDzYNqvcT/n/XS7ddibkfbAiEA
yUqR+wTeq5pO3Iyul9BOsiducxmOz9Sd3rV7LQ0kyeg=
-----END CERTIFICATE-----
"""


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


@pytest.fixture
def server(shared_server: FaultServer) -> FaultServer:
    shared_server.answers.clear()
    shared_server.seen.clear()
    return shared_server


def fetch(url: str, guard: Guard = LOCAL, most_bytes: int = 1000, timeouts: Timeouts = PATIENT) -> bytes:
    return Fetcher(guard, timeouts).get_bytes(parse_url(url), most_bytes)[0]


def test_a_whole_resource(server: FaultServer) -> None:
    for answer in (served(b"abc"), streamed([b"a", b"bc"]), streamed([b"a", b"bc"], chunked=True)):
        assert fetch(server.put("/x", answer)) == b"abc"


def test_what_is_sent(server: FaultServer) -> None:
    server.put("/x", served(b"abc"))
    fetch(server.url("/x?q=1", user="us%40er:pass@"))
    (seen,) = server.seen
    assert seen.path == "/x?q=1"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert seen.headers["authorization"] == "Basic dXNAZXI6cGFzcw=="
    assert seen.headers["accept-encoding"] == "identity"


def test_loopback_is_refused_by_default(server: FaultServer) -> None:
    with pytest.raises(AddressRefusedError, match=r"loopback address.*--allow-private"):
        fetch(server.put("/x", served(b"abc")), Guard())
    assert server.seen == []


def test_the_name_is_resolved_once_and_pinned(server: FaultServer) -> None:
    """DNS rebinding: a second answer would lead elsewhere, and nobody asks for it."""
    server.put("/x", served(b"abc"))
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    fetcher = Fetcher(Guard(allow_private=True, resolver=resolver), PATIENT)
    for _ in range(3):
        assert fetcher.get_bytes(parse_url(server.url("/x", host="rebinding.test")), 10)[0] == b"abc"
    assert asked == ["rebinding.test"]
    assert {seen.headers["host"] for seen in server.seen} == {f"rebinding.test:{server.port}"}


def test_a_name_that_turns_private_is_refused_when_asked_again(server: FaultServer) -> None:
    answers = iter([["203.0.113.1"], ["127.0.0.1"]])
    guard = Guard(resolver=lambda host, port: next(answers))
    for _ in range(2):
        with pytest.raises(AddressRefusedError):
            fetch(server.url("/x", host="rebinding.test"), guard)
    assert server.seen == []


def test_a_lost_connection_is_resolved_again() -> None:
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    fetcher = Fetcher(Guard(allow_private=True, resolver=resolver), PATIENT)
    for _ in range(2):
        with pytest.raises(SourceUnreachableError, match=r"cannot connect to .*: Connection refused"):
            fetcher.get(parse_url("http://a.test:1/x"))
    assert len(asked) == 2


def test_proxy_variables_are_not_used(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(server.put("/x", served(b"abc"))) == b"abc"


def test_redirects_are_followed_with_credentials_on_the_same_host(server: FaultServer) -> None:
    server.put("/a", redirect("/b?c=d", 301))
    server.put("/b", redirect(server.url("/x"), 308))
    server.put("/x", served(b"abc"))
    body, came_from = Fetcher(LOCAL, PATIENT).get_bytes(parse_url(server.url("/a", user="u:p@")), 10)
    assert (body, came_from.target) == (b"abc", "/x")
    assert [("authorization" in seen.headers) for seen in server.seen] == [True, True, True]


def test_another_host_never_gets_credentials(server: FaultServer) -> None:
    server.put("/a", redirect(server.url("/b", host="other.test")))
    server.put("/b", redirect(server.url("/x")))
    server.put("/x", served(b"abc"))
    guard = Guard(allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    assert fetch(server.url("/a", user="u:p@"), guard) == b"abc"
    assert [("authorization" in seen.headers) for seen in server.seen] == [True, False, False]


def test_a_redirects_own_credentials_are_not_used(server: FaultServer) -> None:
    server.put("/a", redirect(server.url("/x", user="v:q@")))
    server.put("/x", served(b"abc"))
    fetch(server.url("/a"))
    assert "authorization" not in server.seen[-1].headers


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("file:///etc/passwd", "start with one of"),
        ("ftp://127.0.0.1/x", "start with one of"),
        ("rtsp://127.0.0.1/x", "scheme must be http or https here"),
        ("http://192.168.0.1/x", "a private address"),
        ("http://169.254.169.254/latest/meta-data", "metadata"),
        ("http://[::ffff:10.0.0.1]/", "a private address"),
        ("//10.0.0.1/x", "a private address"),
        ("http://inner.test/", "a private address"),
    ],
)
def test_redirects_are_judged_like_addresses(server: FaultServer, location: str, match: str) -> None:
    url = server.put("/a", redirect(location))
    guard = AllowingLoopback(resolver=lambda host, port: ["10.0.0.9" if host == "inner.test" else host])
    with pytest.raises(AddressRefusedError, match=match):
        fetch(url, guard)


def test_redirects_have_an_end(server: FaultServer) -> None:
    with pytest.raises(SourceUnreachableError, match="redirects more than 5 times"):
        fetch(server.put("/a", redirect("/a")))
    assert len(server.seen) == 6
    with pytest.raises(SourceUnreachableError, match="without a Location header"):
        fetch(server.put("/b", lambda handler: handler.head(302, Content_Length=0)))


@pytest.mark.parametrize(
    ("code", "error", "match"),
    [
        (404, SourceNotFoundError, "404 Not Found"),
        (410, SourceNotFoundError, "410 Gone"),
        (401, SourceUnreachableError, "user name required .*401 Unauthorized"),
        (403, SourceUnreachableError, "403 Forbidden"),
        (500, SourceUnreachableError, "500 Internal Server Error"),
        (503, SourceUnreachableError, "503 Service Unavailable"),
        (299, SourceUnreachableError, "returned 299$"),
    ],
)
def test_other_answers(server: FaultServer, code: int, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match) as caught:
        fetch(server.put("/x", status(code)) + "?token=hunter2")
    assert "hunter2" not in str(caught.value)
    assert "token=***" in str(caught.value)


def test_no_error_shows_credentials(server: FaultServer) -> None:
    server.put("/x", status(401))
    for host in ("127.0.0.1", "no such host", "10.0.0.1", "a..b"):
        with pytest.raises((SourceUnreachableError, AddressRefusedError)) as caught:
            fetch(server.url("/x", host=host, user="admin:hunter2@"), LOCAL if host == "127.0.0.1" else Guard())
        error: BaseException | None = caught.value
        while error is not None:
            assert "hunter2" not in str(error)
            assert "admin" not in str(error)
            error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(b"\x00" * 100),
        raw(b""),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: %b\r\n" % (k, b"y" * 2000) for k in range(60)) + b"\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
    ],
)
def test_heads_that_are_none_or_too_long(server: FaultServer, answer: object) -> None:
    with pytest.raises(SourceUnreachableError, match="did not respond"):
        fetch(server.put("/x", answer))  # type: ignore[arg-type]


def test_a_head_that_drips(server: FaultServer) -> None:
    without_end = [b"H"] * 100_000
    with pytest.raises(SourceStalledError, match="timed out"):
        fetch(server.put("/x", raw(*without_end, pause_seconds=0.05)), timeouts=HASTY)


def test_a_body_that_drips(server: FaultServer) -> None:
    with pytest.raises(SourceStalledError, match=r"timed out after 1\.5 s"):
        fetch(server.put("/x", streamed([b"x"] * 100_000, pause_seconds=0.05)), most_bytes=10**6, timeouts=HASTY)


def test_a_body_that_stalls(server: FaultServer) -> None:
    with pytest.raises(SourceStalledError, match="timed out: nothing received"):
        fetch(server.put("/x", served(b"abc" * 10, stall_after=10)), timeouts=HASTY)


def test_a_body_that_is_cut(server: FaultServer) -> None:
    with pytest.raises(SourceUnreachableError, match="closed the connection after 10 of 30 bytes"):
        fetch(server.put("/x", served(b"abc" * 10, kill_after=10)))
    with pytest.raises(SourceUnreachableError, match="was lost"):
        fetch(server.put("/y", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")))


def test_a_body_that_is_too_large(server: FaultServer) -> None:
    for answer in (served(bytes(2000)), streamed([bytes(500)] * 4), streamed([bytes(500)] * 4, chunked=True)):
        with pytest.raises(NotAVideoError, match="must be at most 1000 bytes"):
            fetch(server.put("/x", answer))


def test_a_compressed_body_is_refused(server: FaultServer) -> None:
    with pytest.raises(NotAVideoError, match="compressed"):
        fetch(server.put("/x", lambda handler: handler.head(200, Content_Encoding="gzip", Content_Length=0)))


def test_parts(server: FaultServer) -> None:
    url, fetcher = parse_url(server.put("/x", served(b"0123456789"))), Fetcher(LOCAL, PATIENT)
    assert fetcher.get_bytes(url, 10, ByteRange(2, 5))[0] == b"234"
    assert fetcher.get_bytes(url, 10, ByteRange(7))[0] == b"789"
    with pytest.raises(NotAVideoError, match="must be at most 2 bytes"):
        fetcher.get_bytes(url, 2, ByteRange(2, 5))
    whole = parse_url(server.put("/y", served(b"0123456789", ranges=False)))
    assert fetcher.get_bytes(whole, 10, ByteRange(0, 3))[0] == b"012"
    with pytest.raises(SourceUnreachableError, match="does not support range requests"):
        fetcher.get_bytes(whole, 10, ByteRange(2, 5))


def test_timeouts_are_above_zero() -> None:
    with pytest.raises(SettingError, match="read_seconds must be a number of seconds above 0, got 0"):
        Timeouts(read_seconds=0)


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[FaultServer, list[str | None]]]:
    """A server for camera.test, and the names that clients asked it for."""
    pem = tmp_path / "both.pem"
    pem.write_text(KEY + CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, _: names.append(name)
    with FaultServer() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        server.put("/x", served(b"abc"))
        yield server, names
        server.shutdown()
        thread.join()


def fetch_tls(server: FaultServer, host: str, tls: ssl.SSLContext | None) -> bytes:
    guard = Guard(allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    url = parse_url(server.url("/x", host=host).replace("http:", "https:"))
    return Fetcher(guard, PATIENT, tls).get_bytes(url, 10)[0]


def test_certificates_are_verified_by_the_hosts_name(tls_server: tuple[FaultServer, list[str | None]]) -> None:
    server, names = tls_server
    trusting = ssl.create_default_context(cadata=CERTIFICATE)
    assert fetch_tls(server, "camera.test", trusting) == b"abc"
    assert names == ["camera.test"]
    assert server.seen[0].headers["host"] == f"camera.test:{server.port}"
    with pytest.raises(SourceUnreachableError, match="invalid certificate: Hostname mismatch"):
        fetch_tls(server, "other.test", trusting)
    with pytest.raises(SourceUnreachableError, match="invalid certificate: self-signed"):
        fetch_tls(server, "camera.test", None)


def test_plain_http_behind_https(server: FaultServer) -> None:
    with pytest.raises(SourceUnreachableError, match="cannot connect to"):
        fetch_tls(server, "camera.test", None)
