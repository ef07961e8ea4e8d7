"""The settings of the limits of accounts and tokens (`docs/http.md`, "Limits")."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.runtime.limiter import Limit
from chassis.settings.quantities import whole_number

_MOST = 1_000_000_000
_REQUEST_SECONDS = 10
_DAY_SECONDS = 24 * 60 * 60
_VERIFICATION_SECONDS = 10 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """The limits of accounts and tokens. A quota of 0, and a number of 0, limits nothing.

    `credentials` is the number that an account may have, `tokens` the number of valid service tokens that one
    token or JWT may have created.
    """

    account_requests: Limit
    token_requests: Limit
    events: Limit
    verifications: Limit
    credentials: int
    tokens: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "LimitSettings":
        """Read the settings. Raises `InvalidSetting`."""

        def quota(name: str, default: str) -> int:
            return whole_number(environment, name, default, least=0, most=_MOST)

        def limit(name: str, variable: str, default: str, seconds: int) -> Limit:
            return Limit(name=name, quota=quota(variable, default), seconds=seconds)

        return cls(
            account_requests=limit(
                "account", "REGCRED_ACCOUNT_REQUESTS_PER_10_SECONDS", "1000", _REQUEST_SECONDS
            ),
            token_requests=limit("token", "REGCRED_TOKEN_REQUESTS_PER_10_SECONDS", "1000", _REQUEST_SECONDS),
            events=limit("events", "REGCRED_EVENTS_PER_DAY", "200000", _DAY_SECONDS),
            verifications=limit(
                "verifications", "REGCRED_VERIFICATIONS_PER_10_MINUTES", "60", _VERIFICATION_SECONDS
            ),
            credentials=quota("REGCRED_CREDENTIALS_PER_ACCOUNT", "2000"),
            tokens=quota("REGCRED_TOKENS_PER_CREATOR", "1000"),
        )
