"""Settings of logins from the environment."""

from datetime import timedelta

import pytest

from chassis.settings.environment import InvalidSetting
from chassis.settings.logins import LoginSettings


def test_defaults() -> None:
    settings = LoginSettings.from_environment({})
    assert settings.reverify_interval == timedelta(hours=24)
    assert (settings.per_host, settings.per_account, settings.reverify_concurrency) == (10, 10, 32)
    assert (settings.amazon_endpoint, settings.google_endpoint, settings.azure_endpoint) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "interval"),
    [("90s", timedelta(seconds=90)), ("30m", timedelta(minutes=30)), ("7d", timedelta(days=7))],
)
def test_intervals_have_a_unit(text: str, interval: timedelta) -> None:
    assert LoginSettings.from_environment({"REGCRED_REVERIFY_INTERVAL": text}).reverify_interval == interval


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REGCRED_REVERIFY_INTERVAL", "24"),
        ("REGCRED_REVERIFY_INTERVAL", "0h"),
        ("REGCRED_REVERIFY_INTERVAL", "1s"),
        ("REGCRED_REVERIFY_CONCURRENCY", "0"),
        ("REGCRED_LOGINS_PER_HOST", "many"),
        ("REGCRED_LOGINS_PER_HOST", "nan"),
        ("REGCRED_LOGINS_PER_ACCOUNT", "-1"),
        ("REGCRED_AMAZON_ENDPOINT", "vpce.example"),
    ],
)
def test_an_invalid_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        LoginSettings.from_environment({name: text})
