"""Who is let in, for how long, and what a browser holds of it."""

from datetime import timedelta

import pytest

from tests.unit.console.conftest import ONE, Browser, Clock, console
from tests.unit.console.fake_api import TOKEN, FakeApi, problem

LIST = "/accounts/acme/credentials"


def test_who_is_not_signed_in_is_sent_there_and_back(browser: Browser) -> None:
    sent = browser.look(f"{LIST}?status=failed")
    assert sent.status_code == 303
    shown_at = sent.headers["Location"]
    assert browser.send(shown_at, "/sign-in", token=TOKEN).headers["Location"] == f"{LIST}?status=failed"
    assert browser.look(LIST).status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\nb", ""]
)
def test_the_way_back_never_leads_elsewhere(browser: Browser, path: str) -> None:
    sent = browser.send("/sign-in", token=TOKEN, next=path)
    assert sent.headers["Location"] == "/"


@pytest.mark.parametrize("text", ["", "wrong", "two words", "a\nb", "ü", "x" * 20_000])
def test_a_token_that_is_none_is_refused_and_not_shown_again(browser: Browser, text: str) -> None:
    refused = browser.sign_in(text)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert not text or f'value="{text}"' not in refused.text
    assert browser.look(LIST).status_code == 303


def test_the_token_stays_in_the_server(signed_in: Browser, api: FakeApi) -> None:
    cookie = signed_in.client.get_cookie("regcred")
    assert cookie is not None
    assert TOKEN not in cookie.value
    for path in ("/", LIST, "/tokens", "/system"):
        assert TOKEN not in signed_in.look(path).text
    assert api.asked[-2].headers["AUTHORIZATION"] == f"Bearer {TOKEN}"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    given = browser.sign_in().headers.getlist("Set-Cookie")
    assert all("HttpOnly" in line and "SameSite=Strict" in line and "Path=/" in line for line in given)
    assert not any("Secure" in line for line in given)


def test_under_tls_cookies_are_secure_and_hsts_is_asked_for(api: FakeApi, clock: Clock) -> None:
    browser = Browser(console(api, clock, tls=True).test_client())
    shown = browser.client.get("/sign-in", base_url="https://console.example")
    assert shown.headers["Set-Cookie"].startswith("__Host-regcred=")
    assert "Secure" in shown.headers["Set-Cookie"]
    assert shown.headers["Strict-Transport-Security"].startswith("max-age=")


def test_a_session_ends_after_twelve_hours(signed_in: Browser, clock: Clock) -> None:
    clock.passes(timedelta(hours=11, minutes=59))
    assert signed_in.look(LIST).status_code == 200
    clock.passes(timedelta(minutes=1))
    assert signed_in.look(LIST).status_code == 303


def test_signing_out_ends_the_session_also_for_who_copied_the_cookie(signed_in: Browser) -> None:
    stolen = signed_in.client.get_cookie("regcred")
    assert stolen is not None
    assert signed_in.send("/", "/sign-out").status_code == 303
    signed_in.client.set_cookie("regcred", stolen.value)
    assert signed_in.look(LIST).status_code == 303


def test_a_revoked_token_ends_the_session(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", "/v1/accounts/acme/credentials"] = (401, problem(401, "unauthenticated", "no"))
    assert signed_in.look(LIST).headers["Location"].startswith("/sign-in")
    assert "no longer valid" in signed_in.look("/sign-in").text


def test_another_session_s_reference_is_given_at_every_sign_in(browser: Browser) -> None:
    browser.look("/sign-in")
    planted = browser.client.get_cookie("regcred")
    assert planted is not None
    browser.sign_in()
    mine = browser.client.get_cookie("regcred")
    assert mine is not None
    assert mine.value != planted.value


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", LIST, f"{LIST}/{ONE[-36:]}/remove", "/tokens"])
def test_a_form_of_another_site_does_nothing(signed_in: Browser, api: FakeApi, path: str) -> None:
    before = len(api.asked)
    refused = signed_in.client.post(path, data={"token": TOKEN, "csrf": "a.b", "typed": "team-ghcr"})
    assert refused.status_code == 403
    assert "request id" in refused.text.lower()
    assert [asked for asked in api.asked[before:] if asked.method != "GET"] == []


def test_the_form_s_token_of_another_browser_is_none(signed_in: Browser, api: FakeApi, clock: Clock) -> None:
    other = Browser(signed_in.client.application.test_client())
    text = other.look("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
    assert signed_in.client.post("/sign-out", data={"csrf": text}).status_code == 403


def test_the_audit_trail_is_told_who_and_from_where(signed_in: Browser, api: FakeApi) -> None:
    signed_in.look(LIST)
    assert api.asked[-1].headers["REGCRED_ON_BEHALF_OF"] == "ada@example.com"


def test_accounts_are_remembered_and_only_such_as_can_be(signed_in: Browser) -> None:
    signed_in.look(LIST)
    signed_in.client.set_cookie("regcred-accounts", "acme.<script>.shop")
    shown = signed_in.look("/").text
    assert 'href="/accounts/acme"' in shown
    assert 'href="/accounts/shop"' in shown
    assert "<script>" not in shown
    assert signed_in.look("/?account=acme").headers["Location"] == "/accounts/acme"
    assert signed_in.look("/?account=-no").status_code == 422
    assert signed_in.look("/accounts/-no/credentials").status_code == 404
