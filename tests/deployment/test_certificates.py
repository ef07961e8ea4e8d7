"""A TLS client that trusts the authority of a deployment accepts its certificates only."""

import socket
import ssl
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from chassis.runtime.clock import now
from launcher.deployment.certificates import LIFE, RENEW_BEFORE, Pair, is_due, new_authority, new_server

NAMES = ["postgres", "localhost", "127.0.0.1"]


def handshake(folder: Path, server: Pair, trusted: str, name: str) -> str | None:
    """The version of TLS that was agreed on."""
    (folder / "tls.crt").write_text(server.certificate)
    (folder / "tls.key").write_text(server.key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            try:
                serving.wrap_socket(theirs, server_side=True).close()
            except (ssl.SSLError, OSError):
                return

    thread = Thread(target=serve)
    thread.start()
    try:
        with (
            ours,
            ssl.create_default_context(cadata=trusted).wrap_socket(ours, server_hostname=name) as agreed,
        ):
            return agreed.version()
    finally:
        thread.join()


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_of_the_authority_is_trusted(tmp_path: Path, name: str) -> None:
    authority = new_authority(now())
    assert handshake(tmp_path, new_server(authority, NAMES, now()), authority.certificate, name) == "TLSv1.3"


def test_a_certificate_of_another_name_or_authority_is_refused(tmp_path: Path) -> None:
    authority, other = new_authority(now()), new_authority(now())
    server = new_server(authority, NAMES, now())
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tmp_path, server, authority.certificate, "vault")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, server, other.certificate, "postgres")


def test_a_certificate_is_renewed_before_expiry_and_for_new_names() -> None:
    moment = now()
    certificate = new_server(new_authority(moment), NAMES, moment).certificate
    assert not is_due(certificate, NAMES, moment)
    assert not is_due(certificate, NAMES, moment + LIFE - RENEW_BEFORE - timedelta(days=1))
    assert is_due(certificate, NAMES, moment + LIFE - RENEW_BEFORE + timedelta(days=1))
    assert is_due(certificate, [*NAMES, "db.example.com"], moment)
