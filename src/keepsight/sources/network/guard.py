"""Which hosts may be connected to.

Whoever may name a source could otherwise make this machine read from places only it can reach: services on loopback,
a router's page, a cloud's metadata. A name is resolved once, every address it has is judged, and the one that is
handed on is the one to connect to. Resolving again at connecting would let the name's owner answer differently the
second time (DNS rebinding).
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from keepsight.errors import AddressRefusedError, SourceUnreachableError
from keepsight.sources.network.ip_ranges import IpAddress, parse_address, refusal_of

Resolver = Callable[[str, int], Sequence[str]]
"""From a host and a port to its IP addresses, in order of preference. Raises OSError where there are none."""


@dataclass(frozen=True)
class ResolvedAddress:
    """Where to connect to.

    Attributes:
        host: the name as it was given, for the Host header and the certificate.
        ip: the address that was checked, as numbers; IPv6 may carry a zone.
        port: 1 to 65535.
    """

    host: str
    ip: str
    port: int


def system_resolver(host: str, port: int) -> list[str]:
    """The system's own resolver.

    Raises:
        OSError: the name is not known, or is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError("the name is not one that DNS knows") from error
    return [str(address[0]) for _, _, _, _, address in found]


@dataclass(frozen=True)
class Guard:
    """Decides which hosts may be connected to.

    Attributes:
        allow_private: let addresses of this machine and its networks through: loopback, link-local, private, unique
            local, a carrier's shared ones. A cloud's metadata service, multicast, unspecified and reserved addresses
            stay refused.
        allowed_hosts: names or addresses, as they stand in URLs (without brackets), that may be connected to wherever
            they lead.
        resolver: the system's own; another in tests.
    """

    allow_private: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    resolver: Resolver = field(default=system_resolver, repr=False, compare=False)

    def resolve(self, host: str, port: int) -> ResolvedAddress:
        """Resolve a host, once, and check where it leads; every address of the name must be allowed.

        IPv4 goes first, since a machine may have an IPv6 address and no way out over it.

        Raises:
            AddressRefusedError: it leads to a place that may not be connected to.
            SourceUnreachableError: the name is not known.
        """
        try:
            addresses = [(parse_address(text), text) for text in self.resolver(host, port)]
        except OSError as error:
            reason = error.strerror or str(error) or "not found"
            raise SourceUnreachableError(f"the host {host!r} cannot be resolved: {reason}") from error
        if not addresses:
            raise SourceUnreachableError(f"the host {host!r} cannot be resolved: it has no address")
        for address, _ in addresses:
            self._check(host, address)
        _, ip = min(addresses, key=lambda pair: pair[0].version)
        return ResolvedAddress(host, ip, port)

    def _check(self, host: str, address: IpAddress) -> None:
        refusal = refusal_of(address)
        if refusal is None or host.lower() in self.allowed_hosts:
            return
        if refusal.is_private and self.allow_private:
            return
        where = host if host == str(address) else f"{host} ({address})"
        how = "allow it with --allow-private" if refusal.is_private else "only a host allowed by name may be one"
        raise AddressRefusedError(f"{where} is {refusal.kind}, which is not connected to: {how}")
