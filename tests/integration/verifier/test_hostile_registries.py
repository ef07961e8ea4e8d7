"""Hostile registries: a verdict in time, no text of theirs in it, and no password to another server."""

import json
from collections.abc import Iterable
from itertools import chain, repeat

import pytest

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.dialer.addresses import NetworkPolicy
from registries.logins.registry_login import RegistryLogin
from tests.integration.verifier.attempts import (
    IDENTITY_LOGIN,
    PASSWORD,
    PASSWORD_LOGIN,
    SHORT_DEADLINE,
    USER,
    assert_nothing_leaks,
    attempt,
    loopback,
    names,
)
from tests.support.fake_registry import (
    MARK,
    TOKEN,
    FakeServer,
    Raw,
    Reply,
    Seen,
    always,
    basic,
    basic_of,
    bearer,
    by_path,
    challenge,
    slowly,
    tokens,
    tokens_for_anybody,
)

OK_HEAD = b"HTTP/1.1 200 OK\r\nServer: " + MARK.encode() + b"\r\n"


def test_a_redirect_is_not_followed() -> None:
    with FakeServer(always(Reply(200))) as elsewhere:
        moved = Reply(307, (("Location", f"http://{elsewhere.address}/v2/"),))
        with FakeServer(always(moved)) as server:
            policy = loopback(server.address, elsewhere.address)
            assert attempt(server.address, policy=policy).code is Code.NOT_A_REGISTRY
        assert elsewhere.seen == []
        assert [seen.authorization for seen in server.seen] == [None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_login_is_not_followed(status: int) -> None:
    with FakeServer(always(Reply(200))) as elsewhere:

        def moved(seen: Seen) -> Reply:
            if seen.authorization is None:
                return challenge(f'Basic realm="{MARK}"')
            return Reply(status, (("Location", f"http://{elsewhere.address}/v2/"),))

        with FakeServer(moved) as server:
            done = attempt(server.address, policy=loopback(server.address, elsewhere.address))
        assert done.code is Code.NOT_A_REGISTRY
        assert elsewhere.connections == 0


def test_a_redirect_of_the_token_server_is_not_followed() -> None:
    with FakeServer(tokens_for_anybody) as elsewhere:
        moved = always(Reply(302, (("Location", f"http://{elsewhere.address}/auth"),)))
        with FakeServer(by_path(bearer("/auth"), moved)) as server:
            done = attempt(server.address, policy=loopback(server.address, elsewhere.address))
        assert done.code is not None
        assert elsewhere.connections == 0


def test_a_login_that_is_too_large_is_not_sent() -> None:
    """Front ends reset the connection of such a request, which would look like an outage of the registry."""
    large = RegistryLogin(username=USER, password=Secret("x" * 60_000))
    for behaviour in (
        basic(USER, PASSWORD),
        by_path(bearer("/auth"), tokens(USER, PASSWORD)),
        always(Reply(200)),
    ):
        with FakeServer(behaviour) as server:
            assert attempt(server.address, login=large).code is Code.UNVERIFIABLE
        assert {seen.authorization for seen in server.seen} == {None}


def test_an_endless_redirect_is_requested_once() -> None:
    with FakeServer(always(Reply(302, (("Location", "/v2/"),)))) as server:
        assert attempt(server.address).code is Code.NOT_A_REGISTRY
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "realm",
    [
        "https://evil.example/token",
        "//evil.example/token",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/latest/meta-data",
        "https://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
        "https://2130706433/token",
        "https://0x7f000001/token",
        "https://127.1/token",
        "https://10.0.0.1/token",
        "https://localhost/token",
        "https://127.0.0.1.evil.example/token",
    ],
)
def test_a_realm_on_another_host_gets_no_request(realm: str) -> None:
    with FakeServer(bearer(realm)) as server:
        assert attempt(server.address).code is Code.BLOCKED_HOST
    assert len(server.seen) == 1


def test_a_realm_without_tls_gets_no_request() -> None:
    """Its own host, but a port that the operator did not list for plain HTTP."""
    with (
        FakeServer(tokens(USER, PASSWORD)) as other,
        FakeServer(bearer(f"http://{other.address}/")) as server,
    ):
        assert attempt(server.address).code is Code.BLOCKED_HOST
    assert other.connections == 0


@pytest.mark.parametrize("login", [PASSWORD_LOGIN, IDENTITY_LOGIN])
def test_a_listed_server_of_others_gets_no_request_and_its_token_stays_there(login: RegistryLogin) -> None:
    with FakeServer(always(Reply(200, body=b'{"token": "internal"}'))) as internal:
        listed = f"localhost:{internal.address.rpartition(':')[2]}"
        with FakeServer(bearer(f"http://{listed}/admin/delete?id=7")) as server:
            policy = NetworkPolicy.parse(f"127.0.0.0/8,{listed}", f"{server.address},{listed}")
            assert attempt(server.address, login=login, policy=policy).code is Code.BLOCKED_HOST
    assert internal.connections == 0
    assert len(server.seen) == 1


def test_an_identity_token_is_sent_to_a_paired_server_only() -> None:
    with FakeServer(tokens(USER, PASSWORD)) as other:
        listed = f"auth.reg.example:{other.address.rpartition(':')[2]}"
        with FakeServer(bearer(f"http://{listed}/t")) as server:
            address = f"docker.reg.example:{server.address.rpartition(':')[2]}"
            known = names({"auth.reg.example": ["127.0.0.1"], "docker.reg.example": ["127.0.0.1"]})

            def code(allow: str) -> str | None:
                policy = NetworkPolicy.parse(f"127.0.0.0/8,{allow}", f"{address},{listed}")
                return attempt(address, login=IDENTITY_LOGIN, policy=policy, resolver=known).code

            assert code(listed) is Code.BLOCKED_HOST
            assert other.connections == 0
            code(f"{address}={listed}")
            assert [seen.method for seen in other.seen] == ["POST"]


def test_a_listed_token_server_gets_the_password_and_the_registry_does_not() -> None:
    with (
        FakeServer(tokens(USER, PASSWORD)) as other,
        FakeServer(bearer(f"http://{other.address}/")) as server,
    ):
        assert attempt(server.address, policy=loopback(server.address, other.address)).code is None
    assert other.seen[0].authorization == basic_of(USER, PASSWORD)
    assert [seen.authorization for seen in server.seen] == [None, f"Bearer {TOKEN}"]


def test_a_token_with_a_line_break_is_refused() -> None:
    body = json.dumps({"token": f"{MARK}\r\nX-Evil: 1"}).encode()
    with FakeServer(by_path(bearer("/auth"), always(Reply(200, body=body)))) as server:
        assert attempt(server.address).code is Code.BAD_CHALLENGE
    assert not any("x-evil" in seen.headers for seen in server.seen)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"17",
        b"{}",
        b'{"token": ""}',
        b'{"token": null}',
        b'{"token": ["a"]}',
        b'{"token": {"a": 1}}',
        b'{"token": "a b"}',
        b'{"token": "\\u00e4"}',
        b'{"token": "\\ud800"}',
        b'{"token": "' + b"a" * 40_000 + b'"}',
        b'{"token": "' + b"a" * 100_000 + b'"}',
        b'{"token": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b"\xff\xfe" + MARK.encode(),
        b"<html>" + MARK.encode(),
    ],
)
def test_an_invalid_token_is_a_bad_challenge(body: bytes) -> None:
    with FakeServer(by_path(bearer("/auth"), always(Reply(200, body=body)))) as server:
        assert attempt(server.address).code is Code.BAD_CHALLENGE


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"errors":' * 5000, b'{"errors": [{"code": {}}]}', b"\xff"]
)
def test_a_hostile_body_of_a_refusal_is_ignored(body: bytes) -> None:
    with FakeServer(by_path(bearer("/auth"), always(Reply(403, body=body)))) as server:
        assert attempt(server.address).code is Code.FORBIDDEN


@pytest.mark.parametrize("realm", ["https://[oops/token", "https://[::1/x", "https://[1::2::3]/"])
def test_an_invalid_realm_is_a_bad_challenge(realm: str) -> None:
    with FakeServer(bearer(realm)) as server:
        assert attempt(server.address).code is Code.BAD_CHALLENGE
    assert len(server.seen) == 1


def test_a_registry_that_repeats_its_challenge_is_given_up() -> None:
    """Every token is refused with another challenge; the login stops after five requests."""
    asked = challenge('Bearer realm="/auth",service="a",scope="b"')
    with FakeServer(by_path(always(asked), tokens(USER, PASSWORD))) as server:
        assert attempt(server.address).code is Code.BAD_CHALLENGE
    assert len(server.seen) == 5


@pytest.mark.parametrize(
    ("pieces", "every"),
    [
        (chain([b"HTTP/1.1 200 "], repeat(b"x")), 0.05),  # a status line that never ends
        ([OK_HEAD, *[b"X-%d: a\r\n" % n for n in range(200)]], 0.02),
        ([OK_HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 200], 0.05),
        ([OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 200], 0.05),
        (repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), 0.02),
        (repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 50), 0.0),
        ([b""] * 200, 0.05),  # never a word
    ],
    ids=[
        "status line",
        "headers",
        "body",
        "chunks",
        "continue",
        "early hints",
        "silence",
    ],
)
def test_a_slowly_sent_response_ends_at_the_deadline(pieces: Iterable[bytes], every: float) -> None:
    with FakeServer(always(Raw(pieces, every))) as server:
        assert attempt(server.address, deadline=SHORT_DEADLINE).code is Code.UNREACHABLE


def test_a_server_of_another_protocol_is_no_registry() -> None:
    with FakeServer(always(Raw(chain([b"SSH-2.0-OpenSSH\r\n"], repeat(b"")), 0.05))) as server:
        assert attempt(server.address).code is Code.NOT_A_REGISTRY


def test_a_slowly_sent_token_ends_at_the_deadline() -> None:
    with FakeServer(
        by_path(bearer("/auth"), slowly(chain([b"HTTP/1.1 200 OK\r\nX: "], repeat(b"x"))))
    ) as server:
        assert attempt(server.address, deadline=SHORT_DEADLINE).code is Code.UNREACHABLE


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1000000000\r\n\r\n", b"\r\n", b"Content-Length: 100000\r\n\r\n"],
    ids=["announced", "until it closes", "all of it"],
)
def test_a_huge_body_is_not_read(head: bytes) -> None:
    body = (OK_HEAD + head, *[MARK.encode() * 1000] * 2000)
    with FakeServer(always(Raw(body))) as server:
        assert attempt(server.address).code is Code.UNVERIFIABLE


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (OK_HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n", Code.NOT_A_REGISTRY),
        (OK_HEAD + b"X: x\r\n" * 50_000 + b"\r\n", Code.NOT_A_REGISTRY),
        (
            b"HTTP/1.1 401 No\r\n" + b"WWW-Authenticate: Basic\r\n" * 500 + b"Content-Length: 0\r\n\r\n",
            Code.BAD_CHALLENGE,
        ),
        (
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: " + b"a," * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
            Code.BAD_CHALLENGE,
        ),
        (b"SSH-2.0-OpenSSH_9.6 " + MARK.encode() + b"\r\n", Code.NOT_A_REGISTRY),
        (b"\x15\x03\x01\x00\x02\x02\x46", Code.NOT_A_REGISTRY),
        (b"HTTP/1.1 999999 " + MARK.encode() + b"\r\n\r\n", Code.NOT_A_REGISTRY),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", Code.NOT_A_REGISTRY),
        (OK_HEAD + b"Content-Length: -1\r\n\r\n", Code.NOT_A_REGISTRY),
        (OK_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", Code.NOT_A_REGISTRY),
        (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", Code.NOT_A_REGISTRY),
        (OK_HEAD + b"X\x00Y: 1\r\n\r\n", Code.NOT_A_REGISTRY),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_an_invalid_http_response_is_refused(raw: bytes, code: Code) -> None:
    with FakeServer(always(Raw([raw]))) as server:
        assert attempt(server.address).code is code
    assert [seen.authorization for seen in server.seen] == [None]


def test_a_name_with_a_private_address_is_not_connected_to() -> None:
    dns = names({"reg.example": ["127.0.0.1", "10.0.0.1"]})
    with FakeServer(basic(USER, PASSWORD)) as server:
        host = f"reg.example:{server.port}"
        assert attempt(host, policy=loopback(host), resolver=dns).code is Code.UNREACHABLE
    assert server.connections == 0


def test_the_second_address_of_a_name_is_tried() -> None:
    dns = names({"reg.example": ["127.0.0.2", "127.0.0.1"]})
    with FakeServer(basic(USER, PASSWORD)) as server:
        host = f"reg.example:{server.port}"
        assert attempt(host, policy=loopback(host), resolver=dns).code is None


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0"])
def test_other_spellings_of_loopback_are_blocked(host: str) -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        address = f"{host}:{server.port}"
        done = attempt(address, policy=NetworkPolicy.parse("", address))
    assert done.code is Code.UNREACHABLE
    assert server.connections == 0


@pytest.mark.parametrize("found", [[], ["127.0.0.1"] * 3])
def test_names_are_resolved_by_the_resolver_only(found: list[str]) -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        host = f"reg.example:{server.port}"
        done = attempt(host, policy=loopback(host), resolver=lambda _host, _port: found)
    assert done.code is (None if found else Code.UNREACHABLE)


def test_an_error_contains_only_the_name_of_a_host() -> None:
    with FakeServer(bearer("https://evil.example/<b>token</b>?secret=x")) as server:
        detail = attempt(server.address).verdict.detail
    assert "evil.example" in detail
    assert "<" not in detail
    assert "secret" not in detail
    assert_nothing_leaks(detail)


def test_a_private_name_has_the_error_of_a_missing_name() -> None:
    """Otherwise the names of that network could be found by trying them."""
    dns = names({"vault.internal": ["10.1.2.3"], "nothing.internal": []})
    there, absent, unknown = (
        attempt(host, policy=NetworkPolicy(), resolver=dns).verdict
        for host in ("vault.internal", "nothing.internal", "missing.internal")
    )
    assert there.code is absent.code is unknown.code is Code.UNREACHABLE
    messages = {verdict.detail.partition(": ")[2] for verdict in (there, absent, unknown)}
    assert len(messages) == 1
