"""The settings of the consumers of the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.quantities import duration, whole_number

_MAX_TIERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Settings of the processes that consume the log.

    `verifier_concurrency` is the number of concurrent logins for events. `prefetch` is the number of
    unacknowledged messages per queue. `retry_tiers` are the delays after the first failure of an event, the
    second, and so on.
    """

    verifier_concurrency: int
    prefetch: int
    retry_tiers: tuple[timedelta, ...]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ConsumerSettings":
        """Read the settings. Raises `InvalidSetting`."""
        return cls(
            verifier_concurrency=whole_number(
                environment, "REGCRED_VERIFIER_CONCURRENCY", "16", least=1, most=512
            ),
            prefetch=whole_number(environment, "REGCRED_PREFETCH", "200", least=1, most=10_000),
            retry_tiers=_tiers(environment.get("REGCRED_RETRY_TIERS") or "5s,1m,15m"),
        )


def _tiers(text: str) -> tuple[timedelta, ...]:
    tiers = [duration(part.strip()) for part in text.split(",")]
    if None in tiers or len(tiers) > _MAX_TIERS:
        raise InvalidSetting(
            "REGCRED_RETRY_TIERS", f"must be up to {_MAX_TIERS} durations, such as 5s,1m,15m"
        )
    return tuple(tier for tier in tiers if tier is not None)
