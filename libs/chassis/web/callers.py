"""Who sent a request, as far as its head tells. Requests take turns by it before they are authenticated.

A token is learnt when it authenticates a request. From then on, all tokens of an account are one caller, and
a token of several accounts, or of all, is a caller for each. Before that, all requests of an address are one
caller, so that nobody uses up the turns of an account with tokens that do not belong to it.
"""

import re
import time
from collections.abc import Callable, Hashable, Mapping
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from threading import Lock

_ACCOUNT = re.compile(r"/v1/accounts/([^/]+)")
_KNOWN_SECONDS = 60.0  # after the last request of a token
_REMEMBERED = 10_000
_NETWORK_BITS = 64  # of an IPv6 address: the remaining bits are within one site

LEARN = "regcred.learn_caller"  # in the environment of a request


class Callers:
    """The callers of one process. `monotonic` is a clock in seconds.

    `client` returns the address of the client, by that of the connection and the field `X-Forwarded-For`.
    """

    def __init__(
        self, client: Callable[[str, str], str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[frozenset[str] | None, float]] = {}
        self._lock = Lock()

    def caller(self, headers: Mapping[str, str], path: str, peer: str) -> Hashable:
        """Who sent a request with these fields, in the spelling of WSGI, over a connection with this peer."""
        credential = _credential(headers)
        with self._lock:
            accounts, until = self._known.get(credential, (None, 0.0))
        if self._monotonic() >= until:
            return self._address(headers, peer)
        account = _ACCOUNT.match(path)
        if account and (accounts is None or account[1] in accounts):
            return frozenset({account[1]})
        return credential if accounts is None else accounts

    def learn(
        self, headers: Mapping[str, str], *, is_valid: bool, accounts: frozenset[str] | None = None
    ) -> None:
        """Remember whether a request was authenticated, and its accounts (`None`: all)."""
        credential = _credential(headers)
        with self._lock:
            self._known.pop(credential, None)
            if not is_valid:
                return
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]  # used least recently
            self._known[credential] = (accounts, self._monotonic() + _KNOWN_SECONDS)

    def _address(self, headers: Mapping[str, str], peer: str) -> str:
        client = self._client(peer, headers.get("X_FORWARDED_FOR", ""))
        address = ip_address(client)
        if isinstance(address, IPv6Address) and not address.ipv4_mapped:
            return str(int(address) >> _NETWORK_BITS)
        return client


def _credential(headers: Mapping[str, str]) -> bytes:
    """What authenticates a request, hashed."""
    token = headers.get("AUTHORIZATION", "").split()[-1:]
    text = token[0] if token else headers.get("COOKIE", "")
    return sha256(text.encode("latin-1", "replace")).digest()
