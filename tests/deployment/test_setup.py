"""The files of a deployment: they are stable, readable by their owner only, and each service has only its own."""

import json
import os
import ssl
import stat
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from contracts.broker import TOPOLOGY
from launcher.deployment.certificates import LIFE
from launcher.deployment.setup import PUBLISHED, KeyFileMissing, set_up
from operations.migrate.identities import IDENTITIES, OURS
from operations.migrate.owned_files import PRIVATE, Owner, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files get owners: only root can give them")


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    set_up(tmp_path, PUBLISHED, now=now())
    return tmp_path


def test_a_second_run_changes_nothing(root: Path) -> None:
    before = contents(root)
    set_up(root, PUBLISHED, now=now())
    after = contents(root)
    salted = "rabbitmq/definitions.json"  # its hashes have fresh salt
    assert {k: v for k, v in after.items() if k != salted} == {k: v for k, v in before.items() if k != salted}


def test_a_renewal_changes_certificates_only(root: Path) -> None:
    before = contents(root)
    set_up(root, PUBLISHED, now=now() + LIFE - timedelta(days=1))
    changed = {name for name, content in contents(root).items() if before[name] != content}
    assert changed - {"rabbitmq/definitions.json"} == {
        f"{server}/{file}"
        for server in ("postgres", "rabbitmq", "vault", "gateway")
        for file in ("tls.crt", "tls.key")
    } | {"gateway/gateway.pem"}


def test_a_name_of_the_gateway_can_be_added(root: Path) -> None:
    before = contents(root)
    names = (*PUBLISHED.gateway_names, "regcred.example.com")
    set_up(root, replace(PUBLISHED, gateway_names=names), now=now())
    after = contents(root)
    assert after["gateway/gateway.pem"] != before["gateway/gateway.pem"]
    assert after["postgres/tls.crt"] == before["postgres/tls.crt"]


class Interrupted(Exception):
    """The end of a run in the middle."""


SECOND_OF_A_GROUP = (
    "setup/ca.key",
    "postgres/tls.key",
    "rabbitmq/tls.key",
    "vault/tls.key",
    "gateway/tls.key",
    "gateway/gateway.pem",
    "keys/keys.json",
)


@pytest.mark.parametrize("missed", SECOND_OF_A_GROUP)
@pytest.mark.parametrize("first_run", [True, False])
def test_a_run_repairs_what_an_interrupted_one_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: str, *, first_run: bool
) -> None:
    """The interrupted run is the first, or one that renews every certificate."""

    def until_missed(path: Path, content: str, owner: Owner, mode: int = PRIVATE) -> None:
        if path == tmp_path / missed:
            raise Interrupted
        write(path, content, owner, mode)

    monkeypatch.setattr("os.fsync", lambda _descriptor: None)  # most of the time of a run
    moment = now() if first_run else now() + LIFE - timedelta(days=1)
    if not first_run:
        set_up(tmp_path, PUBLISHED, now=now())
    with monkeypatch.context() as patch, suppress(Interrupted):
        patch.setattr("launcher.deployment.setup.write", until_missed)
        set_up(tmp_path, PUBLISHED, now=moment)
    set_up(tmp_path, PUBLISHED, now=moment)
    assert_consistent(tmp_path)


def assert_consistent(root: Path) -> None:
    """Every key belongs to its certificate, every certificate to the authority, every password to its copies."""
    authority = (root / "tokens" / "ca.crt").read_text()
    for server in ("postgres", "rabbitmq", "vault", "gateway"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(root / server / "tls.crt", root / server / "tls.key")
        assert (root / server / "ca.crt").read_text() == authority
        signer = x509.load_pem_x509_certificate(authority.encode())
        x509.load_pem_x509_certificate((root / server / "tls.crt").read_bytes()).verify_directly_issued_by(
            signer
        )
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(root / "gateway" / "gateway.pem")
    for name, identity in IDENTITIES.items():
        password = (root / "setup" / f"{identity.login}.password").read_text()
        assert password in (root / name / "pgpass").read_text()
    keys = root / "keys" / "keys.json"
    assert (keys.stat().st_uid, stat.S_IMODE(keys.stat().st_mode)) == (OURS.uid, 0o400)


@pytest.mark.parametrize("lost", ["ca.crt", "ca.key"])
def test_a_new_authority_signs_every_certificate_again(root: Path, lost: str) -> None:
    (root / "setup" / lost).unlink()
    set_up(root, PUBLISHED, now=now())
    assert_consistent(root)


def test_every_secret_is_readable_by_its_owner_only(root: Path) -> None:
    for file in root.rglob("*"):
        if file.is_file() and not file.name.endswith(".crt"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o400, file
    for name in IDENTITIES:
        assert (root / name / "pgpass").stat().st_uid == OURS.uid


def test_a_service_has_its_own_password_only(root: Path) -> None:
    passwords = {
        file.name.removesuffix(".password"): file.read_text() for file in (root / "setup").glob("*.password")
    }
    assert len(set(passwords.values())) == len(passwords) == len(IDENTITIES) + len(TOPOLOGY.users) + 1
    for name, identity in IDENTITIES.items():
        if name == "migrate":
            continue  # it gives the others theirs
        held = b"".join(
            content for path, content in contents(root).items() if path.startswith(f"{name}/")
        ).decode()
        known = {user for user, password in passwords.items() if password in held}
        assert known == {identity.login} | (
            {f"broker.{identity.broker_user}"} if identity.broker_user else set()
        )


def test_the_broker_has_password_hashes_only(root: Path) -> None:
    text = (root / "rabbitmq" / "definitions.json").read_text()
    assert {user["name"] for user in json.loads(text)["users"]} == set(TOPOLOGY.users)
    for file in (root / "setup").glob("*.password"):
        assert file.read_text() not in text


def test_a_service_accepts_its_broker_url(root: Path) -> None:
    settings = Settings.from_environment({"REGCRED_BROKER_URL_FILE": str(root / "relay" / "broker.url")})
    assert settings.broker_url is not None
    assert settings.broker_url.startswith("amqps://regcred-relay:")


def test_a_lost_key_file_of_a_deployment_is_not_replaced(root: Path) -> None:
    lost = root / "keys" / "keys.json"
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(KeyFileMissing, match="Restore it from its backup"):
        set_up(root, PUBLISHED, now=now())
    assert not lost.exists()
    lost.write_bytes(content)
    set_up(root, PUBLISHED, now=now())
    assert (lost.stat().st_uid, lost.stat().st_mode & 0o777) == (OURS.uid, 0o400)
    assert lost.read_bytes() == content
