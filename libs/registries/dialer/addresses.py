"""Which addresses may be dialled: public addresses, and those that the operator lists. Pure.

A name can resolve to any address, so the address is checked when it is dialled
(`docs/reference/registry-login.md`, "Network addresses").
"""

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Scheme = Literal["http", "https"]
Endpoint = tuple[str, int]
AnyPort = tuple[str, int | None]  # `None`: all ports of the host

HTTPS_PORT = 443
_MAX_PORT = 65535
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_BLOCKED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; also the metadata service of Alibaba
        "168.63.129.16/32",  # the agent of Azure: a public address that reaches the host of a virtual machine
        "169.254.0.0/16",  # link-local; metadata services
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "198.18.0.0/15",
        "240.0.0.0/4",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, ORCHID, benchmarking; no servers
        "3fff::/20",  # documentation, RFC 9637; unknown to older versions of Python
    )
)


class InvalidPolicy(ValueError):
    """An entry of the operator's lists has none of their forms."""

    def __init__(self, entry: str) -> None:
        super().__init__(
            f"{entry!r} is neither a network, nor a host, nor host:port, nor registry=token server"
        )
        self.entry = entry


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """The operator's lists: allowed networks, hosts and endpoints, and endpoints that are reached by HTTP.

    An entry in the list for HTTP does not allow the address of the endpoint. `token_servers` has pairs of a
    registry and a token server of another domain that it may name.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    endpoints: frozenset[Endpoint] = frozenset()
    http: frozenset[Endpoint] = frozenset()
    token_servers: frozenset[tuple[AnyPort, AnyPort]] = frozenset()

    @classmethod
    def parse(cls, allow: str, allow_http: str) -> "NetworkPolicy":
        """Read `REGCRED_VERIFIER_ALLOW` and `REGCRED_VERIFIER_ALLOW_HTTP`.

        `registry=token server` allows the address of the token server, and pairs it with the registry.

        Raises:
            InvalidPolicy: an entry cannot be read.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        endpoints: set[Endpoint] = set()
        pairs: set[tuple[AnyPort, AnyPort]] = set()
        for listed in _entries(allow):
            registry, equals, entry = listed.rpartition("=")
            network = None if equals else _network(entry)
            host, port = ("", None) if network else _host_and_port(entry)
            if network:
                networks.append(network)
            elif port is None:
                hosts.add(host)
            else:
                endpoints.add((host, port))
            if equals:
                pairs.add((_host_and_port(registry), (host, port)))
        http = set()
        for entry in _entries(allow_http):
            host, port = _host_and_port(entry)
            if port is None:
                raise InvalidPolicy(entry)
            http.add((host, port))
        return cls(
            networks=tuple(networks),
            hosts=frozenset(hosts),
            endpoints=frozenset(endpoints),
            http=frozenset(http),
            token_servers=frozenset(pairs),
        )

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether `host` may be dialled at this address."""
        host = _normalised(host)
        if host in self.hosts or (host, port) in self.endpoints:
            return True
        embedded_address = embedded(address)
        if any(address.version == network.version and address in network for network in self.networks) or any(
            embedded_address.version == network.version and embedded_address in network
            for network in self.networks
        ):
            return True
        return is_public(address)

    def pairs(self, registry: Endpoint, token_server: Endpoint) -> bool:
        """Whether the operator lists this token server for this registry."""
        return any(
            (name, server) in self.token_servers
            for name in (registry, (registry[0], None))
            for server in (token_server, (token_server[0], None))
        )

    def scheme_for(self, host_and_port: str) -> Scheme:
        """`http` for an endpoint in the operator's list, `https` for all others."""
        host, port = _host_and_port(host_and_port)
        return "http" if (host, port or HTTPS_PORT) in self.http else "https"


def is_public(address: Address) -> bool:
    """Whether an address is globally routable. If another address is embedded in it, that one decides."""
    if isinstance(address, IPv6Address) and (address.scope_id or address in _NAT64_LOCAL):
        return False
    embedded_address = embedded(address)
    if embedded_address is not address:
        return is_public(embedded_address)
    if any(address.version == network.version and address in network for network in _BLOCKED_NETWORKS):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


def embedded(address: Address) -> Address:
    """The IPv4 address in an IPv4-mapped, 6to4 or NAT64 address; otherwise the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry)
    except ValueError:
        return None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, closed, remainder = entry[1:].partition("]")
        if not closed or (remainder and not remainder.startswith(":")):
            raise InvalidPolicy(entry)
        port = remainder[1:] if remainder else None
    else:
        host, colon, after = entry.partition(":")
        port = after if colon else None
    if port is not None and not (port.isdecimal() and 0 < int(port) <= _MAX_PORT):
        raise InvalidPolicy(entry)
    if not host or any(character in host for character in "/@ *="):
        raise InvalidPolicy(entry)
    return _normalised(host), None if port is None else int(port)


def _normalised(host: str) -> str:
    host = host.strip("[]").lower().rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return host
