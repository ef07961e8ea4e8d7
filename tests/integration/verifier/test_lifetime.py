"""What a registry or its provider says of a secret's end is found by the login, and never spoils it."""

import json
import time
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
    basic_of,
    bearer,
)

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


def slow(_seen: Seen) -> Reply:
    time.sleep(1.5)
    return Reply(200)


@pytest.mark.parametrize(
    ("api", "end"),
    [
        (lambda _seen: Reply(200, body=b'{"expires_at": "2027-03-31"}'), END),
        (lambda _seen: Reply(200, body=b'{"expires_at": null}'), None),
        (lambda _seen: Reply(404), None),
        (lambda _seen: Reply(302, (("Location", "http://169.254.169.254/"),)), None),
        (lambda _seen: Raw([b"nonsense"]), None),
        (slow, None),
    ],
    ids=["told", "never", "404", "redirect", "nonsense", "slow"],
)
def test_a_token_of_gitlab(monkeypatch: pytest.MonkeyPatch, api: Behaviour, end: datetime | None) -> None:
    monkeypatch.setattr(login_module, "EXPIRY_SECONDS", 0.5)
    with FakeServer(gitlab(api)) as server:
        done = attempt(server.address, login=GITLAB_LOGIN, provider="gitlab", deadline=10.0)
    assert (done.code, done.verdict.secret_expires_at) == (None, end), done.verdict
    assert len([seen for seen in server.seen if seen.path.startswith("/api/")]) == 1


def test_a_refused_token_is_not_asked_about() -> None:
    wrong = RegistryLogin(username=USER, password=Secret("glpat-wrong"))
    with FakeServer(gitlab(lambda _seen: Reply(200))) as server:
        assert attempt(server.address, login=wrong, provider="gitlab").code == "bad_credential"
    assert not [seen for seen in server.seen if seen.path.startswith("/api/")]


def test_the_header_counts_of_github_alone() -> None:
    told = (("GitHub-Authentication-Token-Expiration", "2027-03-31 00:00:00 UTC"),)

    def behave(seen: Seen) -> Reply | Raw:
        if seen.path.startswith("/token"):
            return Reply(200, told, json.dumps({"token": TOKEN}).encode())
        return bearer("/token")(seen)

    for provider, end in (("github", END), ("quay", None)):
        with FakeServer(behave) as server:
            done = attempt(server.address, provider=provider)
        assert (done.code, done.verdict.secret_expires_at) == (None, end)
