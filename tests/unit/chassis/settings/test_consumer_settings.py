"""Settings of consumers from the environment."""

from datetime import timedelta

import pytest

from chassis.settings.consumers import ConsumerSettings
from chassis.settings.environment import InvalidSetting


def test_defaults() -> None:
    settings = ConsumerSettings.from_environment({})
    assert (settings.verifier_concurrency, settings.prefetch) == (16, 200)
    assert settings.retry_tiers == (timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=15))


def test_retry_tiers_are_a_list_of_durations() -> None:
    settings = ConsumerSettings.from_environment({"REGCRED_RETRY_TIERS": "1s, 2m,3h"})
    assert settings.retry_tiers == (timedelta(seconds=1), timedelta(minutes=2), timedelta(hours=3))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REGCRED_VERIFIER_CONCURRENCY", "0"),
        ("REGCRED_VERIFIER_CONCURRENCY", "1.5"),
        ("REGCRED_VERIFIER_CONCURRENCY", "many"),
        ("REGCRED_PREFETCH", "0"),
        ("REGCRED_PREFETCH", "-1"),
        ("REGCRED_PREFETCH", "10001"),
        ("REGCRED_RETRY_TIERS", "5"),
        ("REGCRED_RETRY_TIERS", "5s,,1m"),
        ("REGCRED_RETRY_TIERS", ",".join(["1s"] * 21)),
    ],
)
def test_an_invalid_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        ConsumerSettings.from_environment({name: text})
