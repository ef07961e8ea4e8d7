"""Sign-in, the lifetime of a session, and the cookies of a browser."""

import re
from datetime import timedelta

import pytest

from chassis.web.callers import LEARN
from tests.unit.console.conftest import ONE, Browser, Clock, OneApp, console
from tests.unit.console.fake_api import TOKEN, FakeApi, problem

LIST = "/accounts/acme/credentials"


def test_an_anonymous_user_is_redirected_to_sign_in_and_back(browser: Browser) -> None:
    sent = browser.look(f"{LIST}?status=failed")
    assert sent.status_code == 303
    shown_at = sent.headers["Location"]
    assert browser.send(shown_at, "/sign-in", token=TOKEN).headers["Location"] == f"{LIST}?status=failed"
    assert browser.look(LIST).status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\nb", ""]
)
def test_the_redirect_after_sign_in_stays_on_the_console(browser: Browser, path: str) -> None:
    sent = browser.send("/sign-in", token=TOKEN, next=path)
    assert sent.headers["Location"] == "/"


@pytest.mark.parametrize("text", ["", "wrong", "two words", "a\nb", "ü", "x" * 20_000])
def test_an_invalid_token_is_refused_and_not_shown(browser: Browser, text: str) -> None:
    refused = browser.sign_in(text)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert not text or f'value="{text}"' not in refused.text
    assert browser.look(LIST).status_code == 303


def test_the_token_is_not_sent_to_the_browser(signed_in: Browser, api: FakeApi) -> None:
    cookie = signed_in.client.get_cookie("regcred")
    assert cookie is not None
    assert TOKEN not in cookie.value
    for path in ("/", LIST, "/tokens", "/system"):
        assert TOKEN not in signed_in.look(path).text
    assert api.requests[-2].headers["AUTHORIZATION"] == f"Bearer {TOKEN}"


def test_the_cookie_is_http_only_and_same_site(browser: Browser) -> None:
    given = browser.sign_in().headers.getlist("Set-Cookie")
    assert all("HttpOnly" in line and "SameSite=Strict" in line and "Path=/" in line for line in given)
    assert not any("Secure" in line for line in given)


def test_with_tls_cookies_are_secure_and_hsts_is_sent(api: FakeApi, clock: Clock) -> None:
    browser = Browser(console(api, clock, tls=True).test_client())
    shown = browser.client.get("/sign-in", base_url="https://console.example")
    assert shown.headers["Set-Cookie"].startswith("__Host-regcred=")
    assert "Secure" in shown.headers["Set-Cookie"]
    assert shown.headers["Strict-Transport-Security"].startswith("max-age=")
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
    form["token"] = TOKEN
    browser.client.post("/sign-in", data=form, base_url="https://console.example")
    page = browser.client.get(LIST, base_url="https://console.example")
    assert page.status_code == 200
    names = {line.partition("=")[0] for line in page.headers.getlist("Set-Cookie")}
    assert names == {"__Host-regcred", "__Host-regcred-accounts"}


def test_a_session_expires_after_twelve_hours(signed_in: Browser, clock: Clock) -> None:
    clock.passes(timedelta(hours=11, minutes=59))
    assert signed_in.look(LIST).status_code == 200
    clock.passes(timedelta(minutes=1))
    assert signed_in.look(LIST).status_code == 303


def test_signing_out_invalidates_copies_of_the_cookie(signed_in: Browser) -> None:
    stolen = signed_in.client.get_cookie("regcred")
    assert stolen is not None
    signed_out = signed_in.send("/", "/sign-out")
    assert (signed_out.status_code, signed_out.headers["Clear-Site-Data"]) == (303, '"cache"')
    signed_in.client.set_cookie("regcred", stolen.value)
    assert signed_in.look(LIST).status_code == 303


def test_a_revoked_token_ends_the_session(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", "/v1/accounts/acme/credentials"] = (401, problem(401, "unauthenticated", "no"))
    assert signed_in.look(LIST).headers["Location"].startswith("/sign-in")
    assert "no longer valid" in signed_in.look("/sign-in").text


@pytest.mark.usefixtures("api")
def test_the_requests_of_a_session_are_of_one_caller_whatever_else_they_send(one_app: OneApp) -> None:
    learnt: set[object] = set()

    def learn(**known: object) -> None:
        assert known["is_valid"]
        learnt.add(known["accounts"])

    for _ in range(2):
        browser = Browser(one_app.app.test_client())
        browser.sign_in()
        for other in ("a", "b"):
            browser.client.set_cookie("other", other)
            headers = {"Authorization": f"Bearer {other}"}
            browser.client.get(LIST, headers=headers, environ_overrides={LEARN: learn})
    assert len(learnt) == 2, "one for each session"


def test_each_sign_in_creates_a_new_session_id(browser: Browser) -> None:
    browser.look("/sign-in")
    planted = browser.client.get_cookie("regcred")
    assert planted is not None
    browser.sign_in()
    mine = browser.client.get_cookie("regcred")
    assert mine is not None
    assert mine.value != planted.value


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", LIST, f"{LIST}/{ONE[-36:]}/remove", "/tokens"])
def test_a_form_without_a_valid_csrf_token_is_refused(signed_in: Browser, api: FakeApi, path: str) -> None:
    before = len(api.requests)
    refused = signed_in.client.post(path, data={"token": TOKEN, "csrf": "a.b", "typed": "team-ghcr"})
    assert refused.status_code == 403
    assert "request id" in refused.text.lower()
    assert [request for request in api.requests[before:] if request.method != "GET"] == []


def test_the_csrf_token_of_another_browser_is_refused(signed_in: Browser, api: FakeApi, clock: Clock) -> None:
    other = Browser(signed_in.client.application.test_client())
    text = other.look("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
    assert signed_in.client.post("/sign-out", data={"csrf": text}).status_code == 403


def test_requests_to_the_api_name_the_user(signed_in: Browser, api: FakeApi) -> None:
    signed_in.look(LIST)
    assert api.requests[-1].headers["REGCRED_ON_BEHALF_OF"] == "ada@example.com"


def test_only_valid_accounts_are_remembered(signed_in: Browser) -> None:
    signed_in.look(LIST)
    signed_in.client.set_cookie("regcred-accounts", "acme.<script>.shop")
    shown = signed_in.look("/").text
    assert 'href="/accounts/acme"' in shown
    assert 'href="/accounts/shop"' in shown
    assert "<script>" not in shown
    assert signed_in.look("/?account=acme").headers["Location"] == "/accounts/acme"
    assert signed_in.look("/?account=-no").status_code == 422
    assert signed_in.look("/accounts/-no/credentials").status_code == 404
