"""Certificates: the operator's authority is trusted, and an invalid certificate ends the login."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.verdicts import VerificationCode as Code
from tests.integration.verifier.attempts import PASSWORD, SHORT_DEADLINE, USER, attempt, loopback, names
from tests.integration.verifier.certificates import Certificate
from tests.support.fake_registry import FakeServer, basic, bearer, by_path, tokens

AUTHORITY = Certificate.made("authority.example", authority=True)
DNS = names({"reg.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    context = Certificate.made("reg.example", issuer=AUTHORITY).served(tmp_path)
    with FakeServer(by_path(bearer("/auth"), tokens(USER, PASSWORD)), tls=context) as running:
        yield running


def test_a_configured_authority_is_trusted(server: FakeServer) -> None:
    host = f"reg.example:{server.port}"
    done = attempt(host, policy=loopback(), tls=AUTHORITY.trusted(), resolver=DNS)
    assert (done.code, done.verdict.confidence) == (None, "strong")
    assert {seen.headers["host"] for seen in server.seen} == {host}


def test_an_unknown_authority_is_refused(server: FakeServer) -> None:
    done = attempt(f"reg.example:{server.port}", policy=loopback(), resolver=DNS)
    assert done.code is Code.TLS_ERROR
    assert "issuer" in done.verdict.detail
    assert server.seen == []


def test_a_certificate_of_another_name_is_refused(server: FakeServer) -> None:
    done = attempt(f"other.example:{server.port}", policy=loopback(), tls=AUTHORITY.trusted(), resolver=DNS)
    assert done.code is Code.TLS_ERROR
    assert "mismatch" in done.verdict.detail
    assert "reg.example" not in done.verdict.detail.removeprefix("other.example")
    assert server.seen == []


def test_a_certificate_of_a_name_is_refused_for_an_address(server: FakeServer) -> None:
    done = attempt(server.address, policy=loopback(), tls=AUTHORITY.trusted())
    assert done.code is Code.TLS_ERROR
    assert server.seen == []


def test_a_certificate_of_an_address_is_accepted(tmp_path: Path) -> None:
    context = Certificate.made("127.0.0.1", issuer=AUTHORITY).served(tmp_path)
    with FakeServer(basic(USER, PASSWORD), tls=context) as server:
        assert attempt(server.address, policy=loopback(), tls=AUTHORITY.trusted()).code is None


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (Certificate.made("reg.example"), "self-signed"),
        (Certificate.made("reg.example", issuer=AUTHORITY, days=-1), "expired"),
        (Certificate.made("reg.example", issuer=Certificate.made("authority.example", authority=True)), ""),
        (Certificate.made("reg.example", issuer=Certificate.made("x.example", issuer=AUTHORITY)), ""),
    ],
    ids=["self-signed", "expired", "another authority of that name", "signed by no authority"],
)
def test_invalid_certificates_are_refused(certificate: Certificate, words: str, tmp_path: Path) -> None:
    with FakeServer(basic(USER, PASSWORD), tls=certificate.served(tmp_path)) as server:
        host = f"reg.example:{server.port}"
        done = attempt(host, policy=loopback(), tls=AUTHORITY.trusted(), resolver=DNS)
    assert done.code is Code.TLS_ERROR
    assert words in done.verdict.detail
    assert server.seen == []


def test_plain_http_is_a_tls_error() -> None:
    with FakeServer(basic(USER, PASSWORD)) as server:
        assert attempt(server.address, policy=loopback()).code is Code.TLS_ERROR
    assert server.seen == []


def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    context = Certificate.made("reg.example", issuer=AUTHORITY).served(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with FakeServer(basic(USER, PASSWORD), tls=context) as server:
        host = f"reg.example:{server.port}"
        done = attempt(host, policy=loopback(), tls=AUTHORITY.trusted(), resolver=DNS)
    assert done.code is Code.TLS_ERROR


def test_a_realm_without_tls_behind_a_registry_with_tls_is_blocked(tmp_path: Path) -> None:
    context = Certificate.made("127.0.0.1", issuer=AUTHORITY).served(tmp_path)
    with (
        FakeServer(tokens(USER, PASSWORD)) as other,
        FakeServer(bearer(f"http://{other.address}/"), tls=context) as server,
    ):
        assert attempt(server.address, policy=loopback(), tls=AUTHORITY.trusted()).code is Code.BLOCKED_HOST
    assert other.connections == 0


def test_a_handshake_that_never_begins_is_unreachable() -> None:
    """A listener that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        done = attempt(address, policy=loopback(), deadline=SHORT_DEADLINE)
    assert done.code is Code.UNREACHABLE
