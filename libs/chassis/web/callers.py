"""Who sent a request, as far as its head tells. Requests take turns by it before they are authenticated.

A token is learnt when it authenticates a request. From then on, all tokens of an account are one caller, and
a token of all accounts is a caller for each. Before that, and without one, a token is a caller of its own,
so that nobody uses up the turns of an account with tokens that are not its.
"""

import re
import time
from collections.abc import Callable, Hashable, Mapping
from hashlib import sha256

from chassis.authentication.tokens import Principal

_ACCOUNT = re.compile(r"/v1/accounts/([^/]+)")
_SECONDS = 60.0  # a revoked token does not use up an account's turns for longer
_REMEMBERED = 10_000

LEARN = "regcred.learn_caller"  # in the environment of a request


class Callers:
    """The callers of one process. `monotonic` is a clock in seconds."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[frozenset[str] | None, float]] = {}

    def caller(self, headers: Mapping[str, str], path: str) -> Hashable:
        """Who sent a request with these fields, in the spelling of WSGI."""
        credential = _credential(headers)
        accounts, until = self._known.get(credential, (None, 0.0))
        if self._monotonic() >= until:
            return credential
        if accounts is not None:
            return accounts
        account = _ACCOUNT.match(path)
        return frozenset({account[1]}) if account else credential

    def learn(self, headers: Mapping[str, str], principal: Principal | None) -> None:
        """Remember whom a request was authenticated as; `None`: as nobody."""
        credential = _credential(headers)
        if principal is None:
            self._known.pop(credential, None)
            return
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[credential] = (principal.accounts, self._monotonic() + _SECONDS)


def _credential(headers: Mapping[str, str]) -> bytes:
    token = headers.get("AUTHORIZATION", "").split()[-1:]
    text = token[0] if token else headers.get("COOKIE", "")
    return sha256(text.encode("latin-1", "replace")).digest()
