"""Which hosts may be connected to.

Otherwise a client that names a source could make this machine read from places only it can reach: services on loopback,
a router's page, cloud metadata. A name is resolved once, all its addresses are checked, and the checked address is the
one connected to. Resolving again on connecting would let the domain's owner answer differently (DNS rebinding).
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from keepsight.errors import AddressRefusedError, SourceUnreachableError
from keepsight.sources.network.ip_ranges import IpAddress, parse_address, refusal_of

Resolver = Callable[[str, int], Sequence[str]]
"""Maps host and port to IP addresses, in order of preference. Raises OSError if there are none."""


@dataclass(frozen=True)
class ResolvedAddress:
    """Where to connect to.

    Attributes:
        host: name as given, for the Host header and certificate.
        ip: checked numeric address; IPv6 may have a zone.
        port: 1 to 65535.
    """

    host: str
    ip: str
    port: int


def system_resolver(host: str, port: int) -> list[str]:
    """The system's resolver.

    Raises:
        OSError: the name is unknown or invalid.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError("not a valid DNS name") from error
    return [str(address[0]) for _, _, _, _, address in found]


@dataclass(frozen=True)
class Guard:
    """Decides which hosts may be connected to.

    Attributes:
        allow_private: allow addresses of this machine and its networks: loopback, link-local, private, unique local,
            shared (carrier). Cloud metadata, multicast, unspecified and reserved addresses stay refused.
        resolver: name resolver.
    """

    allow_private: bool = False
    resolver: Resolver = field(default=system_resolver, repr=False, compare=False)

    def resolve(self, host: str, port: int) -> ResolvedAddress:
        """Resolve a host once; every address of the name must be allowed.

        IPv4 is preferred, since a machine may have an IPv6 address without a route.

        Raises:
            AddressRefusedError: an address is not allowed.
            SourceUnreachableError: the name is unknown.
        """
        try:
            addresses = [(parse_address(text), text) for text in self.resolver(host, port)]
        except OSError as error:
            reason = error.strerror or str(error) or "not found"
            raise SourceUnreachableError(f"cannot resolve host {host!r}: {reason}") from error
        if not addresses:
            raise SourceUnreachableError(f"cannot resolve host {host!r}: it has no address")
        for address, _ in addresses:
            self._check(host, address)
        _, ip = min(addresses, key=lambda pair: pair[0].version)
        return ResolvedAddress(host, ip, port)

    def _check(self, host: str, address: IpAddress) -> None:
        refusal = refusal_of(address)
        if refusal is None or (refusal.is_private and self.allow_private):
            return
        where = host if host == str(address) else f"{host} ({address})"
        if refusal.is_private:
            raise AddressRefusedError(f"{where} is {refusal.kind}; allow it with --allow-private")
        raise AddressRefusedError(f"{where} is {refusal.kind}, which Keepsight never connects to")
