"""Registries as they are: what a login at each of them proves, and what it sees of us."""

from itertools import repeat

import pytest

from contracts.verdicts import VerificationCode as Code
from tests.integration.verifier.attempts import (
    DEADLINE,
    IDENTITY_LOGIN,
    PASSWORD,
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


def test_basic_with_the_right_password() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "strong")
    assert [(seen.method, seen.target, seen.authorization) for seen in server.seen] == [
        ("GET", "/v2/", None),
        ("GET", "/v2/", GOOD),
    ]
    assert {seen.headers["host"] for seen in server.seen} == {server.address}
    assert {seen.headers["user-agent"] for seen in server.seen} == {"regcred"}


def test_basic_with_a_wrong_password() -> None:
    with FakeServer(basic(USER, "another")) as server:
        assert attempt(server.address).code is Code.BAD_CREDENTIAL


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_bearer_by_a_token_server_that_refuses_wrong_logins(field: str) -> None:
    with FakeServer(by_path(bearer("/auth?x=1"), tokens(USER, PASSWORD, field_name=field))) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "strong")
    ping, asked, shown, control = server.seen
    assert ping.authorization is None
    assert asked.path == "/auth"
    assert asked.query == [("x", "1"), ("service", MARK), ("client_id", "regcred"), ("account", USER)]
    assert asked.authorization == GOOD
    assert shown.authorization == f"Bearer {TOKEN}"
    assert control.authorization is None  # nothing wrong is sent: that would lock people out


@pytest.mark.parametrize("provider", ["dockerhub", "github", "gitlab", "quay", "harbor", "acr"])
def test_known_token_servers_need_no_control(provider: str) -> None:
    with FakeServer(by_path(bearer("/auth"), tokens(USER, PASSWORD))) as server:
        assert attempt(server.address, provider=provider).code is None
    assert len(server.seen) == 3


def test_a_token_server_that_serves_anybody_proves_little() -> None:
    with FakeServer(by_path(bearer("/auth"), tokens_for_anybody)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also gives tokens without one" in done.verdict.detail


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_a_token_server_that_would_not_say_whom_it_serves(status: int) -> None:
    """The login was good; nothing is claimed that was not seen."""

    def token_server(seen: Seen) -> Reply:
        return tokens_for_anybody(seen) if seen.authorization else Reply(status)

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        done = attempt(server.address)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also gives tokens without one" not in done.verdict.detail


def test_a_token_server_that_is_silent_when_asked_whom_it_serves() -> None:
    def token_server(seen: Seen) -> Reply | Raw:
        return tokens_for_anybody(seen) if seen.authorization else Raw(repeat(b""), 0.05)

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        done = attempt(server.address, deadline=0.6)
    assert (done.code, done.verdict.confidence) == (None, "weak")
    assert "also gives tokens without one" not in done.verdict.detail


def test_a_registry_behind_a_firewall() -> None:
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
def test_refusals_of_a_token_server(status: int, body: bytes, provider: str, code: Code) -> None:
    with FakeServer(by_path(bearer("/auth"), always(Reply(status, body=body)))) as server:
        assert attempt(server.address, provider=provider).code is code
    assert len(server.seen) == 2


def test_a_token_that_the_registry_wants_a_scope_for() -> None:
    """DigitalOcean and Gitea: a placeholder scope, without which their tokens open nothing."""

    def token_server(seen: Seen) -> Reply:
        token = TOKEN if ("scope", "registry:catalog:*") in seen.query else "another"
        return Reply(200 if seen.authorization == GOOD else 401, body=f'{{"token": "{token}"}}'.encode())

    registry = bearer("/auth", rest=',scope="registry:catalog:*"')
    with FakeServer(by_path(registry, token_server)) as server:
        assert attempt(server.address).code is None
    assert [seen.path for seen in server.seen] == ["/v2/", "/auth", "/v2/", "/auth", "/v2/", "/auth"]


def test_an_identity_token_goes_to_the_token_server_only() -> None:
    def token_server(seen: Seen) -> Reply:
        good = seen.method == "POST" and b"grant_type=refresh_token" in seen.body and b"canary" in seen.body
        return Reply(200 if good else 401, body=f'{{"access_token": "{TOKEN}"}}'.encode())

    with FakeServer(by_path(bearer("/auth"), token_server)) as server:
        assert attempt(server.address, login=IDENTITY_LOGIN).code is None
    assert [seen.authorization for seen in server.seen] == [None, None, f"Bearer {TOKEN}"]
    assert not any("canary" in seen.target for seen in server.seen)


def test_an_identity_token_is_not_shown_to_a_registry_without_token_server() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        assert attempt(server.address, login=IDENTITY_LOGIN).code is Code.UNVERIFIABLE
    assert [seen.authorization for seen in server.seen] == [None]


def test_an_open_registry_proves_nothing() -> None:
    with FakeServer(always(Reply(200))) as server:
        assert attempt(server.address).code is Code.UNVERIFIABLE
        assert attempt(server.address, login=IDENTITY_LOGIN).code is Code.UNVERIFIABLE


def test_an_open_registry_that_refuses_wrong_logins() -> None:
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
def test_what_is_no_registry_is_never_shown_the_password(reply: Reply, code: Code) -> None:
    with FakeServer(always(reply)) as server:
        assert attempt(server.address).code is code
    assert [seen.authorization for seen in server.seen] == [None]


@pytest.mark.parametrize(
    ("sent", "told"),
    [("17", 17), (" 17 ", 17), ("99999999", 86400), ("-1", None), ("1e3", None), (MARK, None), ("", None)],
)
def test_how_long_to_wait_is_told(sent: str, told: int | None) -> None:
    with FakeServer(always(Reply(429, (("Retry-After", sent),)))) as server:
        assert attempt(server.address).verdict.retry_after == told


def test_basic_beside_bearer_in_two_headers() -> None:
    """Gitea since 1.27; and Negotiate beside Basic, behind a proxy of Windows."""

    def registry(seen: Seen) -> Reply:
        good = seen.authorization == f"Bearer {TOKEN}"
        return Reply(200) if good else challenge('Basic realm="Gitea"', 'Bearer realm="/auth",service="x"')

    with FakeServer(by_path(registry, tokens(USER, PASSWORD))) as server:
        assert attempt(server.address).code is None


def test_nobody_there() -> None:
    with FakeServer(always(Reply(200))) as server:
        pass
    assert attempt(server.address).code is Code.UNREACHABLE


def test_an_answer_that_comes_late_is_as_good() -> None:
    with FakeServer(after(0.2, basic(USER, PASSWORD))) as server:
        assert attempt(server.address, deadline=10 * DEADLINE).code is None


def test_an_answer_that_comes_too_late() -> None:
    with FakeServer(after(DEADLINE + 0.3, basic(USER, PASSWORD))) as server:
        done = attempt(server.address)
    assert done.code is Code.UNREACHABLE
    assert done.seconds >= DEADLINE


def test_without_the_operators_word_nothing_is_dialled() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        nothing_allowed = loopback().__class__.parse("", server.address)
        assert attempt(server.address, policy=nothing_allowed).code is Code.BLOCKED_HOST
    assert server.connections == 0
