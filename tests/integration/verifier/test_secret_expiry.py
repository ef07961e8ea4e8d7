"""A login finds the expiry of a secret from the registry or its provider, and succeeds without it."""

import json
from datetime import UTC, datetime

import pytest

from chassis.secret import Secret
from registries.logins.registry_login import RegistryLogin
from registries.protocol import login as login_module
from tests.integration.verifier.attempts import USER, attempt
from tests.support.fake_registry import (
    TOKEN,
    Behaviour,
    FakeServer,
    Raw,
    Reply,
    Seen,
    after,
    always,
    basic_of,
    bearer,
)
from tests.support.timing import PATIENCE

END = datetime(2027, 3, 31, tzinfo=UTC)
TOKEN_OF_GITLAB = "glpat-canary-token"
GITLAB_LOGIN = RegistryLogin(username=USER, password=Secret(TOKEN_OF_GITLAB))


def gitlab(api: Behaviour, realm: str = "/jwt/auth") -> Behaviour:
    """A registry, its token server and the API of a GitLab, on one host."""

    def behave(seen: Seen) -> Reply | Raw:
        path = seen.path.partition("?")[0]
        if path == realm:
            good = seen.authorization == basic_of(USER, TOKEN_OF_GITLAB)
            return Reply(200, body=json.dumps({"token": TOKEN}).encode()) if good else Reply(401)
        if path.startswith("/api/"):
            assert seen.headers.get("private-token") == TOKEN_OF_GITLAB
            assert seen.authorization is None
            return api(seen)
        return bearer(realm)(seen)

    return behave


@pytest.mark.parametrize(
    ("api", "end"),
    [
        (lambda _seen: Reply(200, body=b'{"expires_at": "2027-03-31"}'), END),
        (lambda _seen: Reply(200, body=b'{"expires_at": null}'), None),
        (lambda _seen: Reply(404), None),
        (lambda _seen: Reply(302, (("Location", "http://169.254.169.254/"),)), None),
        (lambda _seen: Raw([b"nonsense"]), None),
    ],
    ids=["expiry", "never", "404", "redirect", "nonsense"],
)
def test_the_expiry_of_a_token_is_what_the_api_of_gitlab_says(
    monkeypatch: pytest.MonkeyPatch, api: Behaviour, end: datetime | None
) -> None:
    monkeypatch.setattr(login_module, "EXPIRY_SECONDS", PATIENCE)
    with FakeServer(gitlab(api)) as server:
        done = attempt(server.address, login=GITLAB_LOGIN, provider="gitlab")
    assert (done.code, done.verdict.secret_expires_at) == (None, end), done.verdict
    assert len([seen for seen in server.seen if seen.path.startswith("/api/")]) == 1


def test_a_login_succeeds_if_the_api_of_gitlab_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_module, "EXPIRY_SECONDS", 0.5)
    with FakeServer(gitlab(after(1.5, always(Reply(200, body=b'{"expires_at": "2027-03-31"}'))))) as server:
        done = attempt(server.address, login=GITLAB_LOGIN, provider="gitlab")
    assert (done.code, done.verdict.secret_expires_at) == (None, None), done.verdict


def test_the_expiry_of_a_refused_token_is_not_requested() -> None:
    wrong = RegistryLogin(username=USER, password=Secret("glpat-wrong"))
    with FakeServer(gitlab(lambda _seen: Reply(200))) as server:
        assert attempt(server.address, login=wrong, provider="gitlab").code == "bad_credential"
    assert not [seen for seen in server.seen if seen.path.startswith("/api/")]


def test_the_expiry_header_is_read_for_github_only() -> None:
    expiry_header = (("GitHub-Authentication-Token-Expiration", "2027-03-31 00:00:00 UTC"),)

    def behave(seen: Seen) -> Reply | Raw:
        if seen.path.startswith("/token"):
            return Reply(200, expiry_header, json.dumps({"token": TOKEN}).encode())
        return bearer("/token")(seen)

    for provider, end in (("github", END), ("quay", None)):
        with FakeServer(behave) as server:
            done = attempt(server.address, provider=provider)
        assert (done.code, done.verdict.secret_expires_at) == (None, end)
