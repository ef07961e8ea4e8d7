"""REGCRED_DATABASE_URL: an invalid URL is an error at once, and no part of it is repeated."""

import traceback

import pytest

from chassis.settings.environment import InvalidSetting, Settings

VALID = ["postgresql://user@host/name", "postgresql://user@a,b/name?target_session_attrs=any", "host=/tmp"]
INVALID = ["postgresql://user:canary%zz@host/name", "postgresql://user:pass@host/canary?none=1", "canary"]


@pytest.mark.parametrize("url", VALID)
def test_a_valid_url_is_accepted(url: str) -> None:
    assert Settings.from_environment({"REGCRED_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", INVALID)
def test_an_invalid_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Settings.from_environment({"REGCRED_DATABASE_URL": url})
    assert "REGCRED_DATABASE_URL" in str(refused.value)
    assert "canary" not in "".join(traceback.format_exception(refused.value))
