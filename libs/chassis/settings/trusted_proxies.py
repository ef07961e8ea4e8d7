"""REGCRED_TRUSTED_PROXIES: whose word counts about where a request comes from.

Each proxy appends to `X-Forwarded-For` who spoke to it. The list is read from its end: as long as the one who
speaks is trusted, it is believed whom it served. What stands further left may have been written by anybody.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from re import compile as pattern
from threading import Lock
from time import monotonic as clock

from chassis.settings.invalid_setting import InvalidSetting

NAME = "REGCRED_TRUSTED_PROXIES"
KNOWN_SECONDS = 30.0  # how long an address counts as that of a name
LOOK_UP_SECONDS = 1.0  # a stranger makes the names be looked up again, no more often than this
_HOST = pattern(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], set[str]]


class TrustedProxies:
    """`text` has addresses, networks (CIDR) and host names, comma-separated; names are for where replicas
    come and go. Safe to use from several threads. Raises `InvalidSetting`.
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
                    raise InvalidSetting(
                        NAME, f"{entry!r} is no address, network or host name of a proxy"
                    ) from None
                self._names.append(entry)
        self._resolve = resolve or _addresses_of
        self._monotonic = monotonic
        self._lock = Lock()
        self._known: dict[Address, float] = {}
        self._looked_up: float | None = None

    def __bool__(self) -> bool:
        """Whether anybody is trusted."""
        return bool(self._networks or self._names)

    def client(self, peer: str, forwarded: str) -> str:
        """The address a request comes from: `peer` spoke to us, and `forwarded` is its `X-Forwarded-For`."""
        found = peer
        for entry in reversed(forwarded.split(",")):
            speaker, said = _address(found), _address(entry)
            if speaker is None or said is None or not self._trusts(speaker):
                break
            found = str(said)
        return found

    def _trusts(self, speaker: Address) -> bool:
        if any(speaker in network for network in self._networks):
            return True
        return bool(self._names) and self._is_named(speaker)

    def _is_named(self, speaker: Address) -> bool:
        with self._lock:
            now = self._monotonic()
            until = self._known.get(speaker)
            if until is not None and now < until:
                return True
            if self._looked_up is not None and now < self._looked_up + LOOK_UP_SECONDS:
                return False
            self._looked_up = now
            found = {address for name in self._names for address in map(_address, self._resolve(name))}
            self._known = {address: now + KNOWN_SECONDS for address in found if address is not None}
            return speaker in self._known


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
        return set()  # a name that nobody has now: then nobody is believed under it
