"""REGCRED_TRUSTED_PROXIES: the proxies whose `X-Forwarded-For` is trusted.

Each proxy appends the address of its client to `X-Forwarded-For`. The header is read from its end, as long as
the address that added an entry is trusted. Entries further left may have been written by any client.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from re import compile as pattern
from threading import Lock
from time import monotonic as clock

from chassis.settings.invalid_setting import InvalidSetting

NAME = "REGCRED_TRUSTED_PROXIES"
RESOLVED_SECONDS = 30.0  # time for which the addresses of a name are valid
RESOLVE_INTERVAL_SECONDS = 1.0  # the shortest time between two resolutions that unknown addresses cause
_HOST = pattern(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], set[str]]


class TrustedProxies:
    """Addresses, networks (CIDR) and host names, comma-separated in `text`. Thread-safe.

    Host names are for proxies whose replicas change their addresses. Raises `InvalidSetting`.
    """

    def __init__(
        self, text: str, *, resolve: Resolve | None = None, monotonic: Callable[[], float] = clock
    ) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: list[str] = []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                if entry.replace(".", "").isdecimal() or not _HOST.fullmatch(entry):
                    raise InvalidSetting(NAME, f"{entry!r} is not an address, network or host name") from None
                self._names.append(entry)
        self._resolve = resolve or _addresses_of
        self._monotonic = monotonic
        self._lock = Lock()
        self._resolved: dict[Address, float] = {}
        self._resolved_at: float | None = None

    def __bool__(self) -> bool:
        """Whether any proxy is trusted."""
        return bool(self._networks or self._names)

    def client(self, peer: str, forwarded: str) -> str:
        """The address of the client. `peer` is that of the connection, `forwarded` its `X-Forwarded-For`."""
        return self._client(peer, forwarded, self._is_named)

    def client_at_once(self, peer: str, forwarded: str) -> str:
        """The same, but no name is resolved, so that only those are trusted that `client` has resolved."""
        return self._client(peer, forwarded, self._was_named)

    def _client(self, peer: str, forwarded: str, is_named: Callable[[Address], bool]) -> str:
        found = peer
        for entry in reversed(forwarded.split(",")):
            proxy, client = _address(found), _address(entry)
            if proxy is None or client is None or not self._is_trusted(proxy, is_named):
                break
            found = str(client)
        return found

    def _is_trusted(self, address: Address, is_named: Callable[[Address], bool]) -> bool:
        if any(address in network for network in self._networks):
            return True
        return bool(self._names) and is_named(address)

    def _was_named(self, address: Address) -> bool:
        return address in self._resolved

    def _is_named(self, address: Address) -> bool:
        with self._lock:
            now = self._monotonic()
            until = self._resolved.get(address)
            if until is not None and now < until:
                return True
            if self._resolved_at is not None and now < self._resolved_at + RESOLVE_INTERVAL_SECONDS:
                return False
            self._resolved_at = now
            found = {one for name in self._names for one in map(_address, self._resolve(name))}
            self._resolved = {one: now + RESOLVED_SECONDS for one in found if one is not None}
            return address in self._resolved


def _address(text: str) -> Address | None:
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _addresses_of(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()  # a name without an address trusts no proxy
