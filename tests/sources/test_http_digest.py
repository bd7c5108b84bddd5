"""Digest authentication: the RFC's own examples, and a server that lets in whoever has proved the password."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from keepsight.errors import SourceUnreachableError
from keepsight.sources.network.digest import DigestChallenge, read_challenge
from keepsight.sources.network.fetching import Fetcher
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import Credentials, parse_url
from tests.sources.fault_server import Answer, FaultServer, Handler, running, status

LOCAL = Guard(allow_private=True)
RFC_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
RFC_CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
    f'nonce="{RFC_NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def challenge_of(headers: Sequence[str]) -> DigestChallenge:
    challenge = read_challenge(headers)
    assert challenge is not None
    return challenge


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = challenge_of([RFC_CHALLENGE.format(algorithm=algorithm)])
    answer = challenge.answer(Credentials("Mufasa", "Circle of Life"), "/dir/index.html", client_nonce=RFC_CLIENT_NONCE)
    assert f'response="{response}"' in answer
    assert "nc=00000001" in answer
    assert 'opaque="FQhe/' in answer


def test_the_example_of_rfc_2069_without_a_counter() -> None:
    """As corrected in the RFC's errata."""
    challenge = challenge_of(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    answer = challenge.answer(Credentials("Mufasa", "CircleOfLife"), "/dir/index.html")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer
    assert "nc=" not in answer


def test_the_strongest_that_is_known_is_chosen() -> None:
    headers = [
        'Basic realm="a"',
        'Digest realm="b", nonce="n1", algorithm=MD5, Basic realm="c"',
        'Digest realm="d", nonce="n2", algorithm=SHA-256, qop="auth"',
        'Digest realm="e", nonce="n3", algorithm=SHA-512-256',
    ]
    assert challenge_of(headers).nonce == "n2"
    assert challenge_of(headers[:2]).realm == "b"
    assert read_challenge(headers[:1]) is None
    assert read_challenge(['Digest realm="x", nonce="n", qop="auth-int"', "Digest realm=x"]) is None


def wants_digest(user: str, password: str, seen_counts: list[str], stale_after: int = 100) -> Answer:
    """Lets in whoever proves the password for the nonce of the day, each count once."""

    def answer(handler: Handler) -> None:
        nonce = f"nonce{len(seen_counts) // stale_after}"
        given = handler.headers.get("Authorization", "")
        said: dict[str, Any] = dict(re.findall(r'(\w+)="?([^",]+)"?', given.removeprefix("Digest ")))

        def digest(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        secret, request = digest(f"{user}:the realm:{password}"), digest(f"GET:{handler.path}")
        wanted = digest(f"{secret}:{nonce}:{said.get('nc')}:{said.get('cnonce')}:auth:{request}")
        if said.get("response") == wanted and f"{nonce} {said['nc']}" not in seen_counts:
            seen_counts.append(f"{nonce} {said['nc']}")
            handler.head(200, Content_Length=4)
            handler.wfile.write(b"data")
        else:
            challenge = f'Digest realm="the realm", nonce="{nonce}", qop="auth"'
            handler.head(401, WWW_Authenticate=challenge, Content_Length=0)

    return answer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with running() as started:
        yield started


def test_a_server_that_wants_it_is_answered(server: FaultServer) -> None:
    counts: list[str] = []
    server.put("/a", wants_digest("viewer", "p:a/s@s", counts, stale_after=3))
    fetcher, url = Fetcher(LOCAL), parse_url(server.url("/a?x=1", user="viewer:p%3Aa%2Fs%40s@"))
    for _ in range(5):
        assert fetcher.get_bytes(url, 10)[0] == b"data"
    assert counts == ["nonce0 00000001", "nonce0 00000002", "nonce0 00000003", "nonce1 00000001", "nonce1 00000002"]
    assert len(server.seen) == 7  # one more for each nonce


def test_a_wrong_password_is_said_and_tried_once(server: FaultServer) -> None:
    server.put("/a", wants_digest("viewer", "right", []))
    with pytest.raises(SourceUnreachableError, match="wrong user name or password") as caught:
        Fetcher(LOCAL).get_bytes(parse_url(server.url("/a", user="viewer:wrong@")), 10)
    assert "viewer:" not in str(caught.value)
    assert len(server.seen) == 2
    assert [seen.headers["authorization"].split()[0] for seen in server.seen] == ["Basic", "Digest"]


@pytest.mark.parametrize("user", ["a%0d%0aX:1", "caf%C3%A9", "a%22b%5C"])
def test_odd_names_stay_within_their_header(server: FaultServer, user: str) -> None:
    server.put("/a", wants_digest("viewer", "right", []))
    with pytest.raises(SourceUnreachableError, match="wrong user name or password"):
        Fetcher(LOCAL).get_bytes(parse_url(server.url("/a", user=f"{user}:p@")), 10)
    assert "x" not in server.seen[-1].headers


def test_no_password_no_proof(server: FaultServer) -> None:
    server.put("/a", wants_digest("viewer", "right", []))
    server.put("/b", status(401))
    for path in ("/a", "/b"):
        with pytest.raises(SourceUnreachableError, match="user name required"):
            Fetcher(LOCAL).get_bytes(parse_url(server.url(path)), 10)
    assert len(server.seen) == 2
