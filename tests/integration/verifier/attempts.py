"""One login at a fake registry, and the checks of every login, however hostile the registry."""

import base64
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.secret import Secret
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.dialer import Resolver, system_resolver
from registries.logins.registry_login import RegistryLogin
from registries.protocol.login import Probe, Verdict, log_in
from tests.support.fake_registry import MARK, TOKEN
from tests.support.timing import PATIENCE

USER = "octo"
PASSWORD = "canary-pa55:wörd"
DEADLINE = PATIENCE  # of a login that ends before it: the machine may be busy
SHORT_DEADLINE = 0.6  # of a login that ends by it

PASSWORD_LOGIN = RegistryLogin(username=USER, password=Secret(PASSWORD))
IDENTITY_LOGIN = RegistryLogin(username="<token>", identity_token=Secret(PASSWORD))


@dataclass(frozen=True, slots=True)
class Attempt:
    verdict: Verdict
    seconds: float

    @property
    def code(self) -> str | None:
        return self.verdict.code


def loopback(*http: str) -> NetworkPolicy:
    """An operator's policy that permits the loopback addresses, and these without TLS."""
    return NetworkPolicy.parse("127.0.0.0/8,::1/128", ",".join(http))


def attempt(
    address: str,
    *,
    login: RegistryLogin = PASSWORD_LOGIN,
    provider: str = "custom",
    policy: NetworkPolicy | None = None,
    deadline: float = DEADLINE,
    tls: ssl.SSLContext | None = None,
    resolver: Resolver = system_resolver,
    probe: Probe | None = None,
) -> Attempt:
    """Log in; by plain HTTP unless a policy is given. Checks what holds of every login."""
    started = time.monotonic()
    verdict = log_in(
        registry_host=address,
        api_host=address,
        login=login,
        provider=provider,
        policy=loopback(address) if policy is None else policy,
        deadline_seconds=deadline,
        tls=tls,
        resolver=resolver,
        probe=probe,
    )
    seconds = time.monotonic() - started
    assert seconds < deadline + PATIENCE, f"{seconds:.2f} s of {deadline}"
    assert 0 < len(verdict.detail) <= 300
    assert verdict.detail.isprintable()
    assert_nothing_leaks(verdict.detail)
    return Attempt(verdict, seconds)


def assert_nothing_leaks(text: str) -> None:
    for part in (MARK, TOKEN, PASSWORD, "canary", base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert part.lower() not in text.lower()


def names(addresses: dict[str, Sequence[str]]) -> Resolver:
    """A resolver of these names only."""

    def resolve(host: str, port: int) -> Sequence[str]:
        if host not in addresses:
            raise OSError("no such name")
        return addresses[host]

    return resolve
