"""Logins of the verifier. If the stored secret is a cloud key, a login is created from it first."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from chassis.settings.environment import Settings
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.settings import network_policy, trusted_authorities
from registries.logins.cloud_keys import StoredLogin
from registries.protocol.login import Probe, Verdict, log_in
from registries.token_minter.factory import open_minter
from registries.token_minter.minter import Minter, Now
from registries.token_service import NotMinted

LOGIN_SECONDS = 15.0
SHORT_LOGIN_SECONDS = 5.0


def _never(_host: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """`registries.protocol.login.log_in` under the operator's policy.

    Each call creates a new login from a cloud key: an earlier one would not show that the key is refused in
    the meantime. `use_short_timeout` says for the host of a registry whether a login may take at most
    `SHORT_LOGIN_SECONDS`, because the host did not respond to another login recently.
    """

    minter: Minter
    policy: NetworkPolicy
    deadline_seconds: float
    tls: ssl.SSLContext
    use_short_timeout: Callable[[str], bool] = _never

    def __call__(
        self,
        *,
        registry_host: str,
        api_host: str,
        login: StoredLogin,
        provider: str,
        probe: Probe | None = None,
    ) -> Verdict:
        """Log in once. Every failure is a verdict."""
        try:
            minted = self.minter.fresh(login, registry_host=registry_host)
        except NotMinted as failure:
            return Verdict(code=failure.code, detail=failure.detail, retry_after=failure.retry_after)
        return log_in(
            registry_host=registry_host,
            api_host=api_host,
            login=minted.login,
            provider=provider,
            policy=self.policy,
            deadline_seconds=SHORT_LOGIN_SECONDS
            if self.use_short_timeout(registry_host)
            else self.deadline_seconds,
            tls=self.tls,
            probe=probe,
        )


def open_logins(settings: Settings, *, now: Now, use_short_timeout: Callable[[str], bool] = _never) -> Logins:
    """The logins that the settings of this environment describe. This makes no calls.

    Raises:
        InvalidSetting: as `open_minter`.
    """
    return Logins(
        minter=open_minter(settings, now=now),
        policy=network_policy(settings),
        deadline_seconds=LOGIN_SECONDS,
        tls=trusted_authorities(settings),
        use_short_timeout=use_short_timeout,
    )
