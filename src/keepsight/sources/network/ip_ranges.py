"""Classification of IP addresses: public, or leading into this machine or its networks.

Checks the resolved numeric address, so its spelling does not matter. An IPv6 address that embeds an IPv4 address is
checked by both, since a translator may unwrap it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IpAddress = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Refusal:
    """Why an address is refused.

    Attributes:
        kind: kind of address, such as "a loopback address".
        is_private: whether it is in this machine or its networks, which a user can allow as a whole.
    """

    kind: str
    is_private: bool


def _networks(*names: str) -> tuple[_Network, ...]:
    return tuple(ip_network(name) for name in names)


# Cloud metadata servers, which hand out keys: AWS, Azure, Google, Oracle, Alibaba, Tencent.
_METADATA = _networks(
    "169.254.169.254/32",
    "169.254.170.2/32",
    "169.254.170.23/32",
    "169.254.0.23/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "100.100.100.200/32",
    "fd00:ec2::254/128",
    "fd00:ec2::23/128",
    "fd20:ce::254/128",
)

# In order of checking; from IANA's special-purpose registries (RFC 6890).
_REFUSED: tuple[tuple[Refusal, tuple[_Network, ...]], ...] = (
    (Refusal("a cloud's metadata service", is_private=False), _METADATA),
    (Refusal("an unspecified address", is_private=False), _networks("0.0.0.0/8", "::/128")),
    (Refusal("a loopback address", is_private=True), _networks("127.0.0.0/8", "::1/128")),
    (Refusal("a link-local address", is_private=True), _networks("169.254.0.0/16", "fe80::/10")),
    (
        Refusal("a private address", is_private=True),
        _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fec0::/10"),
    ),
    (Refusal("a unique local address", is_private=True), _networks("fc00::/7")),
    (Refusal("a carrier's shared address", is_private=True), _networks("100.64.0.0/10")),
    (Refusal("a multicast address", is_private=False), _networks("224.0.0.0/4", "ff00::/8")),
    (
        Refusal("a reserved address", is_private=False),
        _networks(
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
        ),
    ),
)

_GLOBAL_V6 = IPv6Network("2000::/3")
_UNWRAPPED_V6 = _networks("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96")
_ISATAP_IDENTIFIERS = (0x0000_5EFE, 0x0200_5EFE)
_TEREDO = IPv6Network("2001::/32")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def refusal_of(address: IpAddress) -> Refusal | None:
    """Why an address is not public; None if it is.

    If readings of an embedded address differ, the worse one wins.
    """
    found = [refusal for reading in (address, *_embedded(address)) if (refusal := _judge(reading)) is not None]
    return min(found, key=lambda refusal: refusal.is_private, default=None)


def parse_address(text: str) -> IpAddress:
    """Parse a numeric address; a zone (`fe80::1%eth0`) is allowed.

    Raises:
        ValueError: not an IP address.
    """
    return ip_address(text.partition("%")[0])


def _judge(address: IpAddress) -> Refusal | None:
    for refusal, networks in _REFUSED:
        if any(address.version == network.version and address in network for network in networks):
            return refusal
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6 and not _is_wrapper(address):
        return Refusal("a reserved address", is_private=False)
    return None


def _is_wrapper(address: IPv6Address) -> bool:
    return any(address in network for network in _UNWRAPPED_V6)


def _embedded(address: IpAddress) -> Iterator[IPv4Address]:
    """IPv4 addresses embedded in an IPv6 address, in every possible reading."""
    if not isinstance(address, IPv6Address):
        return
    number = int(address)
    if _is_wrapper(address) and number > 1:  # :: and ::1 are addresses of their own
        yield IPv4Address(number & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        yield IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if address in _TEREDO:
        yield IPv4Address(~number & 0xFFFF_FFFF)
        yield IPv4Address(number >> 64 & 0xFFFF_FFFF)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP_IDENTIFIERS:
        yield IPv4Address(number & 0xFFFF_FFFF)
