"""The pages of the installation: service tokens and the state of the system."""

import pytest

from tests.unit.console.conftest import BASE, Browser
from tests.unit.console.fake_api import (
    FakeApi,
    page,
    problem,
    system,
    token,
)


def test_the_tokens_page_shows_the_name_of_the_creator(signed_in: Browser, api: FakeApi) -> None:
    tokens = page(token(), token(id="tok0", name="admin", created_by="bootstrap"))
    api.answers["GET", "/v1/service-tokens"] = (200, tokens)
    shown = signed_in.look("/tokens").text
    assert "by admin</span>" in shown
    assert "by bootstrap</span>" in shown


def test_the_tokens_page_links_the_next_page(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", "/v1/service-tokens"] = (200, page(token(), next_cursor="tok1"))
    assert "/tokens?cursor=tok1" in signed_in.look("/tokens").text
    signed_in.look("/tokens?cursor=tok1")
    assert api.last("GET", "/v1/service-tokens").query == "limit=50&cursor=tok1"


def test_the_system_page_shows_unavailable_dependencies(signed_in: Browser) -> None:
    shown = signed_in.look("/system").text
    assert "Some functions are unavailable" in shown
    assert "Unavailable" in shown


def test_the_system_page_shows_secrets_that_cannot_be_read(signed_in: Browser, api: FakeApi) -> None:
    assert "cannot be read" not in signed_in.look("/system").text
    api.answers["GET", "/v1/system"] = (200, system(unreadable_secrets=2))
    assert "stored secret of 2 credentials cannot be read" in signed_in.look("/system").text


def test_the_system_page_shows_lag_and_dead_letters(signed_in: Browser) -> None:
    shown = signed_in.look("/system").text
    assert "2 events, 64 s" in shown
    assert "Up to date" in shown
    assert "this program does not know version &lt;99&gt;" in shown
    assert f'href="{BASE}">acme</a>' in shown


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "insufficient_scope", "that has the scope admin"),
        (503, "database_unavailable", "is unavailable"),
    ],
)
def test_the_system_page_works_without_the_system_status(
    signed_in: Browser, api: FakeApi, status: int, code: str, said: str
) -> None:
    api.answers["GET", "/v1/system"] = (status, problem(status, code, "no"))
    shown = signed_in.look("/system")
    assert shown.status_code == 200
    assert said in shown.text
    assert "Some functions are unavailable" in shown.text
