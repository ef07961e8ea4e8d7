"""Who sent a request, as far as its head tells. Requests take turns by it before they are authenticated.

A token is learnt when it authenticates a request. From then on, all tokens of an account are one caller, and
a token of all accounts is a caller for each. Before that, a token is a caller of its own, so that nobody uses
up the turns of an account with tokens that are not its.

All requests of an address that are not authenticated are one caller: those without a token, and, for some
seconds after one that was not valid, those with tokens that are not known.
"""

import re
import time
from collections.abc import Callable, Hashable, Mapping
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

_ACCOUNT = re.compile(r"/v1/accounts/([^/]+)")
_KNOWN_SECONDS = 60.0  # after the last request of a token
_SUSPECT_SECONDS = 10.0  # after a request of an address that was not authenticated
_REMEMBERED = 10_000
_NETWORK_BITS = 64  # of an IPv6 address: the others are of one site

LEARN = "regcred.learn_caller"  # in the environment of a request


class Callers:
    """The callers of one process. `monotonic` is a clock in seconds.

    `client` is the address of the client, by those of the connection and the field `X-Forwarded-For`.
    """

    def __init__(
        self, client: Callable[[str, str], str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[frozenset[str] | None, float]] = {}
        self._suspect: dict[str, float] = {}

    def caller(self, headers: Mapping[str, str], path: str, peer: str) -> Hashable:
        """Who sent a request with these fields, in the spelling of WSGI, over a connection with this peer."""
        credential = _credential(headers)
        now = self._monotonic()
        accounts, until = self._known.get(credential, (None, 0.0))
        if now >= until:
            address = self._address(headers, peer)
            return address if not credential or now < self._suspect.get(address, 0.0) else credential
        if accounts is not None:
            return accounts
        account = _ACCOUNT.match(path)
        return frozenset({account[1]}) if account else credential

    def learn(
        self, headers: Mapping[str, str], *, is_valid: bool, accounts: frozenset[str] | None = None
    ) -> None:
        """Remember whether a request was authenticated, and its accounts (`None`: all)."""
        credential = _credential(headers)
        if not is_valid:
            self._known.pop(credential, None)
            return
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[credential] = (accounts, self._monotonic() + _KNOWN_SECONDS)

    def end(self, headers: Mapping[str, str], peer: str) -> None:
        """Remember the address of a request that has ended, if its token was not valid."""
        credential = _credential(headers)
        if not credential or credential in self._known:
            return
        if len(self._suspect) >= _REMEMBERED:
            self._suspect.clear()
        self._suspect[self._address(headers, peer)] = self._monotonic() + _SUSPECT_SECONDS

    def _address(self, headers: Mapping[str, str], peer: str) -> str:
        client = self._client(peer, headers.get("X_FORWARDED_FOR", ""))
        address = ip_address(client)
        if isinstance(address, IPv6Address) and not address.ipv4_mapped:
            return str(int(address) >> _NETWORK_BITS)
        return client


def _credential(headers: Mapping[str, str]) -> bytes:
    """What authenticates a request, hashed; empty if nothing does."""
    token = headers.get("AUTHORIZATION", "").split()[-1:]
    text = token[0] if token else headers.get("COOKIE", "")
    return sha256(text.encode("latin-1", "replace")).digest() if text else b""
