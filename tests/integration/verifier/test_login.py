"""Registries as they are: the evidence of a login at each of them, and the requests that it gets."""

import time
from itertools import repeat

import pytest

from contracts.verdicts import VerificationCode as Code
from registries.protocol import login as login_module
from tests.integration.verifier.attempts import (
    DEADLINE,
    IDENTITY_LOGIN,
    PASSWORD,
    SHORT_DEADLINE,
    USER,
    attempt,
    loopback,
)
from tests.support.fake_registry import (
    MARK,
    TOKEN,
    FakeServer,
    Raw,
    Reply,
    Seen,
    after,
    always,
    basic,
    basic_of,
    bearer,
    by_path,
    challenge,
    tokens,
    tokens_for_anybody,
)

GOOD = basic_of(USER, PASSWORD)


def test_a_right_basic_password_is_verified() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "strong")
    assert [(seen.method, seen.target, seen.authorization) for seen in server.seen] == [
        ("GET", "/v2/", None),
        ("GET", "/v2/", GOOD),
    ]
    assert {seen.headers["host"] for seen in server.seen} == {server.address}
    assert {seen.headers["user-agent"] for seen in server.seen} == {"regcred"}


def test_a_wrong_basic_password_is_refused() -> None:
    with FakeServer(basic(USER, "another")) as server:
        assert attempt(server.address).code is Code.BAD_CREDENTIAL


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_a_token_server_that_refuses_wrong_logins_is_strong_evidence(field: str) -> None:
    with FakeServer(by_path(bearer("/auth?x=1"), tokens(USER, PASSWORD, field_name=field))) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "strong")
    ping, asked, shown, control = server.seen
    assert ping.authorization is None
    assert asked.path == "/auth"
    assert asked.query == [("x", "1"), ("service", MARK), ("client_id", "regcred"), ("account", USER)]
    assert asked.authorization == GOOD
    assert shown.authorization == f"Bearer {TOKEN}"
    assert control.authorization is None  # no wrong password is sent: that could lock the user out


@pytest.mark.parametrize("provider", ["dockerhub", "github", "gitlab", "quay", "harbor", "acr"])
def test_known_token_servers_get_no_control_request(provider: str) -> None:
    with FakeServer(by_path(bearer("/auth"), tokens(USER, PASSWORD))) as server:
        assert attempt(server.address, provider=provider).code is None
    assert len(server.seen) == 3


def test_a_token_server_that_accepts_any_login_is_weak_evidence() -> None:
    with FakeServer(by_path(bearer("/auth"), tokens_for_anybody)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also issues tokens without one" in done.verdict.detail


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_an_inconclusive_control_request_is_weak_evidence(status: int) -> None:
    """The login was accepted; the verdict claims nothing else."""

    def token_server(seen: Seen) -> Reply:
        return tokens_for_anybody(seen) if seen.authorization else Reply(status)

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also issues tokens without one" not in done.verdict.detail


def test_a_silent_control_request_is_weak_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    monkeypatch.setattr(login_module, "monotonic", lambda: time.monotonic() + passed[0])

    def token_server(seen: Seen) -> Reply | Raw:
        if seen.authorization:
            return tokens_for_anybody(seen)
        passed[0] = DEADLINE  # time passes without a response
        return Raw(repeat(b"H"), 0.05)

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also issues tokens without one" not in done.verdict.detail


def test_a_firewall_of_a_registry_is_forbidden() -> None:
    """ACR says so at /v2/ already."""
    body = b'{"errors":[{"code":"DENIED","message":"client with IP \'192.0.2.1\' is not allowed access"}]}'
    with FakeServer(always(Reply(403, body=body))) as server:
        assert attempt(server.address, provider="acr").code is Code.FORBIDDEN


@pytest.mark.parametrize(
    ("status", "body", "provider", "code"),
    [
        (401, b"", "custom", Code.BAD_CREDENTIAL),
        (403, b'{"errors":[{"code":"DENIED","message":"denied"}]}', "github", Code.BAD_CREDENTIAL),
        (403, b'{"errors":[{"code":"DENIED","message":"access forbidden"}]}', "gitlab", Code.MISSING_SCOPE),
        (403, b"Forbidden", "gitlab", Code.FORBIDDEN),
        (403, b"login attempt failed with status: 403 Forbidden", "acr", Code.FORBIDDEN),
        (401, b"too many failed login attempts for username or IP address", "dockerhub", Code.RATE_LIMITED),
        (403, b"denied: Your authorization token has expired. Reauthenticate", "ecr", Code.EXPIRED),
        (429, b"", "custom", Code.RATE_LIMITED),
        (400, b"", "custom", Code.BAD_CHALLENGE),
        (404, b"", "custom", Code.BAD_CHALLENGE),
        (500, b"", "custom", Code.UNREACHABLE),
        (503, b"", "custom", Code.UNREACHABLE),
    ],
)
def test_refusals_of_a_token_server_have_their_codes(
    status: int, body: bytes, provider: str, code: Code
) -> None:
    with FakeServer(by_path(bearer("/auth"), always(Reply(status, body=body)))) as server:
        assert attempt(server.address, provider=provider).code is code
    assert len(server.seen) == 2


def test_a_scope_in_the_challenge_is_requested() -> None:
    """DigitalOcean and Gitea: a placeholder scope, without which their tokens open nothing."""

    def token_server(seen: Seen) -> Reply:
        token = TOKEN if ("scope", "registry:catalog:*") in seen.query else "another"
        return Reply(200 if seen.authorization == GOOD else 401, body=f'{{"token": "{token}"}}'.encode())

    registry = bearer("/auth", rest=',scope="registry:catalog:*"')
    with FakeServer(by_path(registry, token_server)) as server:
        assert attempt(server.address).code is None
    assert [seen.path for seen in server.seen] == ["/v2/", "/auth", "/v2/", "/auth", "/v2/", "/auth"]


def test_an_identity_token_is_sent_to_the_token_server_only() -> None:
    def token_server(seen: Seen) -> Reply:
        good = seen.method == "POST" and b"grant_type=refresh_token" in seen.body and b"canary" in seen.body
        return Reply(200 if good else 401, body=f'{{"access_token": "{TOKEN}"}}'.encode())

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        assert attempt(server.address, login=IDENTITY_LOGIN).code is None
    assert [seen.authorization for seen in server.seen] == [None, None, f"Bearer {TOKEN}"]
    assert not any("canary" in seen.target for seen in server.seen)


def test_an_identity_token_is_not_sent_to_a_registry_without_a_token_server() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        assert attempt(server.address, login=IDENTITY_LOGIN).code is Code.UNVERIFIABLE
    assert [seen.authorization for seen in server.seen] == [None]


def test_an_open_registry_is_unverifiable() -> None:
    with FakeServer(always(Reply(200))) as server:
        assert attempt(server.address).code is Code.UNVERIFIABLE
        assert attempt(server.address, login=IDENTITY_LOGIN).code is Code.UNVERIFIABLE


def test_an_open_registry_that_refuses_the_login_is_a_failure() -> None:
    with FakeServer(lambda seen: Reply(401 if seen.authorization else 200)) as server:
        assert attempt(server.address).code is Code.BAD_CREDENTIAL


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, (("Content-Type", "text/html; charset=utf-8"),), MARK.encode()), Code.NOT_A_REGISTRY),
        (Reply(404), Code.NOT_A_REGISTRY),
        (Reply(204, body=b""), Code.NOT_A_REGISTRY),
        (Reply(403), Code.NOT_A_REGISTRY),
        (Reply(401), Code.NOT_A_REGISTRY),
        (Reply(500), Code.UNREACHABLE),
        (Reply(503), Code.UNREACHABLE),
        (Reply(429), Code.RATE_LIMITED),
        (challenge(f'Digest realm="{MARK}"'), Code.BAD_CHALLENGE),
        (challenge(f'Basic realm="{MARK}'), Code.BAD_CHALLENGE),
        (challenge("Bearer"), Code.BAD_CHALLENGE),
        (challenge(f'Bearer realm="{MARK}:x"'), Code.BAD_CHALLENGE),
    ],
)
def test_a_server_that_is_no_registry_gets_no_password(reply: Reply, code: Code) -> None:
    with FakeServer(always(reply)) as server:
        assert attempt(server.address).code is code
    assert [seen.authorization for seen in server.seen] == [None]


@pytest.mark.parametrize(
    ("sent", "reported"),
    [("17", 17), (" 17 ", 17), ("99999999", 86400), ("-1", None), ("1e3", None), (MARK, None), ("", None)],
)
def test_retry_after_is_reported(sent: str, reported: int | None) -> None:
    with FakeServer(always(Reply(429, (("Retry-After", sent),)))) as server:
        assert attempt(server.address).verdict.retry_after == reported


def test_bearer_is_chosen_from_two_challenges() -> None:
    """Gitea since 1.27; and Negotiate beside Basic, behind a proxy of Windows."""

    def registry(seen: Seen) -> Reply:
        good = seen.authorization == f"Bearer {TOKEN}"
        return Reply(200) if good else challenge('Basic realm="Gitea"', 'Bearer realm="/auth",service="x"')

    with FakeServer(by_path(registry, tokens(USER, PASSWORD))) as server:
        assert attempt(server.address).code is None


def test_an_unreachable_registry_is_unreachable() -> None:
    with FakeServer(always(Reply(200))) as server:
        pass
    assert attempt(server.address).code is Code.UNREACHABLE


def test_a_late_response_is_accepted() -> None:
    with FakeServer(after(0.2, basic(USER, PASSWORD))) as server:
        assert attempt(server.address).code is None


def test_a_response_after_the_deadline_is_unreachable() -> None:
    with FakeServer(after(SHORT_DEADLINE + 0.3, basic(USER, PASSWORD))) as server:
        done = attempt(server.address, deadline=SHORT_DEADLINE)
    assert done.code is Code.UNREACHABLE
    assert done.seconds >= SHORT_DEADLINE


def test_a_private_address_is_blocked_by_default() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        nothing_allowed = loopback().__class__.parse("", server.address)
        assert attempt(server.address, policy=nothing_allowed).code is Code.BLOCKED_HOST
    assert server.connections == 0
