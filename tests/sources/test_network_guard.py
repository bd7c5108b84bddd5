"""Where may be connected to: every known way of spelling a forbidden place, and names that lead there."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis.strategies import ip_addresses

from keepsight.errors import AddressRefusedError, SourceUnreachableError
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.ip_ranges import refusal_of
from keepsight.sources.network.urls import parse_url

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.1.1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "100.64.0.1",
    "100.127.255.255",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:192.168.0.1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2600::5efe:10.0.0.1",
    "2600::200:5efe:192.168.0.1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "64:ff9b:1::a9fe:a9fe",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "2001:db8::1",
    "100::1",
    "4000::1",
    "5f00::1",
]
OPEN = ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "169.253.1.1", "2606:4700::1111"]
OPEN += ["64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]

# As the system's resolver takes them; how many it takes depends on the system, so its answer is judged, not its taste.
SPELLINGS = [
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0x0",
    "0300.0250.1.1",
    "3232235777",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::ffff:a9fe:a9fe]",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
]


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses_are_refused_unless_allowed(ip: str) -> None:
    resolver = lambda host, port: [ip]  # noqa: E731
    with pytest.raises(AddressRefusedError, match=r"^camera\.test \(.*\) is an? .*; allow it with --allow-private$"):
        Guard(resolver=resolver).resolve("camera.test", 80)
    assert Guard(allow_private=True, resolver=resolver).resolve("camera.test", 80).ip == ip


@pytest.mark.parametrize("ip", NEVER)
def test_some_addresses_are_refused_even_where_private_ones_are_allowed(ip: str) -> None:
    resolver = lambda host, port: [ip]  # noqa: E731
    with pytest.raises(AddressRefusedError, match=r"which Keepsight never connects to$"):
        Guard(allow_private=True, resolver=resolver).resolve("camera.test", 80)


@pytest.mark.parametrize("ip", OPEN)
def test_the_open_internet_is_let_through(ip: str) -> None:
    assert refusal_of(ip_address(ip)) is None
    assert Guard(resolver=lambda host, port: [ip]).resolve("camera.test", 443).ip == ip


@settings(max_examples=50)
@given(ip_addresses() | ip_addresses(v=4))
def test_what_python_calls_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global and getattr(address, "ipv4_mapped", None) is None:
        assert refusal_of(address) is not None


@pytest.mark.parametrize("host", SPELLINGS)
def test_odd_spellings_are_judged_by_where_they_lead(host: str) -> None:
    with pytest.raises((AddressRefusedError, SourceUnreachableError)):
        Guard().resolve(parse_url(f"http://{host}/a.mp4").host, 80)


def test_one_forbidden_address_among_several_is_enough() -> None:
    with pytest.raises(AddressRefusedError, match="a loopback address"):
        Guard(resolver=lambda host, port: ["8.8.8.8", "127.0.0.1"]).resolve("two-faced.test", 80)


def test_a_zone_does_not_hide_an_address() -> None:
    with pytest.raises(AddressRefusedError, match="a link-local address"):
        Guard(resolver=lambda host, port: ["fe80::1%eth0"]).resolve("printer.test", 80)


def test_ipv4_is_preferred() -> None:
    guard = Guard(resolver=lambda host, port: ["2606:4700::1111", "1.1.1.1"])
    assert guard.resolve("dual.test", 80).ip == "1.1.1.1"


def test_unknown_names_say_so() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(SourceUnreachableError, match=r"cannot resolve host 'no\.test': Name or service not known"):
        Guard(resolver=resolver).resolve("no.test", 80)
    with pytest.raises(SourceUnreachableError, match="has no address"):
        Guard(resolver=lambda host, port: []).resolve("no.test", 80)
    with pytest.raises(SourceUnreachableError, match="cannot resolve"):
        Guard().resolve("a" * 64 + ".test", 80)
