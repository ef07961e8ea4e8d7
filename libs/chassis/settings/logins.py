"""The settings of logins at registries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.quantities import duration, number, whole_number
from chassis.settings.urls import http_url

_SHORTEST_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings:
    """Settings of logins at registries and of requests to clouds.

    `per_host` and `per_account` are limits of logins per second. An endpoint is `None` for the public one of
    its cloud. In the endpoint of Amazon, `{region}` is replaced by the region of the registry.
    """

    reverify_interval: timedelta
    reverify_concurrency: int
    per_host: float
    per_account: float
    amazon_endpoint: str | None
    google_endpoint: str | None
    azure_endpoint: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "LoginSettings":
        """Read the settings. Raises `InvalidSetting`."""
        return cls(
            reverify_interval=_interval(environment, "REGCRED_REVERIFY_INTERVAL", "24h"),
            reverify_concurrency=whole_number(
                environment, "REGCRED_REVERIFY_CONCURRENCY", "32", least=1, most=1024
            ),
            per_host=number(environment, "REGCRED_LOGINS_PER_HOST", "10", least=0.01, most=10_000),
            per_account=number(environment, "REGCRED_LOGINS_PER_ACCOUNT", "10", least=0.01, most=10_000),
            amazon_endpoint=http_url(environment, "REGCRED_AMAZON_ENDPOINT"),
            google_endpoint=http_url(environment, "REGCRED_GOOGLE_ENDPOINT"),
            azure_endpoint=http_url(environment, "REGCRED_AZURE_ENDPOINT"),
        )


def _interval(environment: Mapping[str, str], name: str, default: str) -> timedelta:
    interval = duration(environment.get(name) or default)
    if interval is None or interval < _SHORTEST_INTERVAL:
        raise InvalidSetting(name, "must be a duration of at least a minute, such as 24h or 30m")
    return interval
