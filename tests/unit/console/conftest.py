"""The console with a fake API, and a browser that stores cookies and sends the forms of a page."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from console.application import create_app
from console.settings import ConsoleSettings
from regcred.apiclient.over_httpx import in_process
from registries.catalogue import PROVIDERS
from registries.provider_view import to_public
from tests.unit.console.fake_api import (
    CREDENTIAL_ID,
    TOKEN,
    FakeApi,
    audit_event,
    credential,
    exposed,
    page,
    summary,
    system,
    token,
    usage,
    verification,
)

ACCOUNT = "/v1/accounts/acme"
ONE = f"{ACCOUNT}/credentials/{CREDENTIAL_ID}"
# Where the console shows them.
BASE = "/accounts/acme"
HERE = f"{BASE}/credentials/{CREDENTIAL_ID}"


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, distance: timedelta) -> None:
        self.now += distance


def console(api: FakeApi, clock: Callable[[], datetime], **settings: Any) -> Flask:
    """The application with this API."""
    chosen = {"api_url": None, "listen_host": "127.0.0.1", "listen_port": 8081, "tls": False, **settings}
    return create_app(ConsoleSettings(**chosen), in_process(api), clock=clock)


@dataclass
class OneApp:
    """One application for all tests, because it compiles its templates. Responses, time and browser belong to a test."""

    api: FakeApi = field(default_factory=FakeApi)
    clock: Clock = field(default_factory=Clock)
    app: Flask = field(init=False)

    def __post_init__(self) -> None:
        self.app = console(self.api, self.clock)


@pytest.fixture(scope="session")
def one_app() -> OneApp:
    return OneApp()


@pytest.fixture
def clock(one_app: OneApp) -> Clock:
    one_app.clock.now = Clock().now
    return one_app.clock


@pytest.fixture
def api(one_app: OneApp) -> FakeApi:
    """An API with one credential in account acme."""
    one_app.api.requests.clear()
    one_app.api.answers = {
        ("GET", "/v1/providers"): (200, page(*map(to_public, PROVIDERS))),
        ("GET", f"{ACCOUNT}/credentials"): (200, page(credential(), next_cursor="c2")),
        ("GET", f"{ACCOUNT}/credentials/summary"): (200, summary()),
        ("GET", ONE): (200, credential(), {"ETag": '"3"'}),
        ("GET", f"{ONE}/verifications"): (200, page(verification())),
        ("GET", f"{ONE}/events"): (200, page(audit_event())),
        ("GET", f"{ONE}/usages"): (200, page(usage())),
        ("GET", f"{ACCOUNT}/audit-events"): (200, page(audit_event(), next_cursor="7")),
        ("GET", f"{ACCOUNT}/exposure"): (200, {**page(exposed(), next_cursor="7"), "sealed": None}),
        ("GET", "/v1/service-tokens"): (
            200,
            page(token(), token(id="tok2", revoked_at="2026-11-24T11:00:00Z")),
        ),
        ("GET", "/v1/system"): (200, system()),
        ("GET", "/readyz"): (
            503,
            {"ready": False, "checks": {"database": "ok", "secret_store": "unavailable"}},
        ),
    }
    return one_app.api


@dataclass
class Browser:
    """A browser. `send` posts a form with the hidden fields of the page that shows it."""

    client: FlaskClient

    def look(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers)

    def send(self, shown_at: str, to: str | None = None, **fields: Any) -> TestResponse:
        shown = self.look(shown_at).text
        action = to or shown_at
        forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", shown, re.DOTALL)
        form = next(
            (
                found
                for found in forms
                if f'action="{action}"' in found or "action=" not in found.split(">")[0]
            ),
            forms[-1],
        )
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        given = {name: unescape(value) for name, value in hidden}
        return self.client.post(action, data={**given, **fields}, content_type="multipart/form-data")

    def sign_in(self, text: str = TOKEN, **fields: Any) -> TestResponse:
        return self.send("/sign-in", token=text, **fields)


@pytest.fixture
def browser(one_app: OneApp, api: FakeApi, clock: Clock) -> Browser:
    """A browser that is not signed in."""
    return Browser(one_app.app.test_client())


@pytest.fixture
def signed_in(browser: Browser) -> Browser:
    assert browser.sign_in(person="ada@example.com").status_code == 303
    return browser
