"""`regcred doctor` on real servers with one fault each: it finds every fault and names a remedy."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlog import topology
from operations.migrate.preparation import bind_keys, prepare, prepare_admin_token, prepare_keys
from regcred.__main__ import main
from tests.support.postgres import fresh_database, let_use_vault
from tests.support.rabbitmq import PASSWORDS, RabbitMQ
from tests.support.servers import free_port
from tests.support.vault import Vault

pytestmark = pytest.mark.integration

REGCRED = Path(sys.executable).with_name("regcred")
Findings = Mapping[str, dict[str, Any]]


class Installation:
    """A home and its environment; `look` returns the findings of the program."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.home = home
        self.database_url = database_url
        self.environment: dict[str, str | None] = {
            **{name: None for name in os.environ if name.startswith("REGCRED_")},
            "REGCRED_HOME": str(home),
            "REGCRED_LISTEN": f"127.0.0.1:{free_port()}",
            "REGCRED_DATABASE_URL": database_url,
        }
        prepare(database_url, None)
        keys = bind_keys(home / "keys.json", database_url)
        prepare_admin_token(home / "admin.token", database_url, keys)

    def look(self, *arguments: str, **environment: str) -> Findings:
        """Findings by check, through `--json`; no secret of this installation may be among them. The command runs
        in this process, which saves the second in which a new one starts.
        """
        done = CliRunner().invoke(
            main, ["doctor", "--json", *arguments], env={**self.environment, **environment}
        )
        assert done.stderr == ""
        found = json.loads(done.stdout)
        broken = [item for item in found["items"] if item["result"] == "failed"]
        assert found["healthy"] == (not broken)
        assert done.exit_code == (1 if broken else 0), done.stdout
        assert all(item["remedy"] for item in found["items"] if item["result"] != "ok")
        for secret in (*PASSWORDS.values(), (self.home / "admin.token").read_text().strip()):
            assert secret not in done.stdout
        return {item["check"]: item for item in found["items"]}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_database() as url:
        yield Installation(tmp_path, url)


@pytest.fixture
def broker() -> Iterator[RabbitMQ]:
    with RabbitMQ() as running:
        yield running


def _failed(finding: dict[str, Any], sentence: str, remedy: str) -> None:
    assert finding["result"] == "failed", finding
    assert sentence in finding["sentence"]
    assert remedy in finding["remedy"]


def test_a_healthy_installation_has_one_finding_because_it_does_not_run(installation: Installation) -> None:
    found = installation.look()
    assert {check for check, item in found.items() if item["result"] != "ok"} == {"services"}
    assert "regcred up" in found["services"]["remedy"]
    assert "is valid" in found["admin-token"]["sentence"]


def test_an_invalid_setting_is_found(installation: Installation) -> None:
    found = installation.look(REGCRED_LISTEN="nowhere")
    _failed(found["settings"], "REGCRED_LISTEN", "correct this variable")


@pytest.mark.parametrize(
    ("url", "check", "sentence", "remedy"),
    [
        ("postgresql://a:geheim-canary@127.0.0.1:9/x", "database", "no server listens", "start PostgreSQL"),
        ("postgresql://a:pw@geheim-canary@127.0.0.1:9/x", "database", "cannot be resolved", "correct host"),
        ("postgresql://a:geheim-canary@127.0.0.1:x/?y", "settings", "must be a URL", "correct this variable"),
    ],
)
def test_a_wrong_database_url_is_found(
    installation: Installation, url: str, check: str, sentence: str, remedy: str
) -> None:
    found = installation.look(REGCRED_DATABASE_URL=url)
    _failed(found[check], sentence, remedy)
    assert "geheim-canary" not in json.dumps(found)


def test_a_database_with_another_encoding_is_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        try:
            url = make_conninfo(installation.database_url, dbname="latin")
            found = installation.look(REGCRED_DATABASE_URL=url)["database.encoding"]
        finally:
            connection.execute("DROP DATABASE latin")
    _failed(found, "LATIN1", "ENCODING 'UTF8'")


def test_a_missing_database_is_found(installation: Installation) -> None:
    url = make_conninfo(installation.database_url, dbname="nobody_made_it")
    _failed(installation.look(REGCRED_DATABASE_URL=url)["database"], "does not exist", "create the database")


def test_a_database_that_was_never_migrated_is_found(installation: Installation) -> None:
    with fresh_database() as empty:
        found = installation.look(REGCRED_DATABASE_URL=empty)
    _failed(found["database.migrations"], "no migration was applied", "regcred migrate")
    _failed(found["database.cluster"], "no log", "regcred migrate")


def test_missing_and_changed_migrations_are_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("UPDATE public.regcred_migrations SET checksum = 'x' WHERE name LIKE '0010%'")
        _failed(installation.look()["database.migrations"], "other contents", "use that one")
        owner.execute("DELETE FROM public.regcred_migrations WHERE name LIKE '0010%'")
        _failed(
            installation.look()["database.migrations"], "0010", "upgrading.md"
        )  # `migrate` refuses it too
        owner.execute("DELETE FROM public.regcred_migrations WHERE name > '0010'")
        _failed(installation.look()["database.migrations"], "0010", "regcred migrate")


def test_a_login_without_a_role_is_found(installation: Installation) -> None:
    name = f"doctor_{conninfo_to_dict(installation.database_url)['dbname']}"
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'geheim-canary'".encode())
        try:
            found = installation.look(
                REGCRED_DATABASE_URL=make_conninfo(
                    installation.database_url, user=name, password="geheim-canary"
                )
            )
        finally:
            owner.execute(f"DROP ROLE {name}".encode())
    _failed(found["database.roles"], "member of no role", "GRANT")


def test_a_damaged_or_readable_key_file_is_found(installation: Installation) -> None:
    path = installation.home / "keys.json"
    path.chmod(0o644)
    _failed(installation.look()["key-file"], "must have mode 0600", f"chmod 600 {path}")
    path.chmod(0o600)
    path.write_text("{")
    _failed(installation.look()["key-file"], "damaged", "backup")
    path.unlink()
    found = installation.look()
    assert found["key-file"]["result"] == "warning"
    _failed(found["key-file.database"], "needs a key file, which is missing", "restore")


def test_a_key_file_of_another_installation_is_found(installation: Installation) -> None:
    path = installation.home / "keys.json"
    path.unlink()
    prepare_keys(path)
    _failed(
        installation.look()["key-file.database"],
        "of another installation than the database",
        "regcred installation",
    )


def test_a_revoked_or_readable_admin_token_is_found(installation: Installation) -> None:
    path = installation.home / "admin.token"
    path.chmod(0o640)
    _failed(installation.look()["admin-token"], "0640", f"chmod 600 {path}")
    path.chmod(0o600)
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("UPDATE auth.tokens SET revoked_at = clock_timestamp()")
    _failed(installation.look()["admin-token"], "unknown to the database", f"remove {path}")


def test_changed_state_is_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "INSERT INTO credentials.current VALUES (gen_random_uuid(), 'acme', 'team', 'github', 'ghcr.io', '{}',"
            " true, false, false, '{}', 1, NULL, 1, now())"
        )
    _failed(installation.look()["database.state"], "credentials.current", "regcred log repair")


def test_a_port_in_use_is_found(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = installation.look(REGCRED_LISTEN=f"127.0.0.1:{other.getsockname()[1]}")
    _failed(found["listen"], "another program", "REGCRED_LISTEN")


@pytest.mark.parametrize(
    ("name", "value", "result", "sentence"),
    [
        ("REGCRED_VERIFIER_ALLOW", "http://registry", "failed", "neither a network"),
        ("REGCRED_VERIFIER_ALLOW", "0.0.0.0/0", "warning", "metadata"),
        ("REGCRED_VERIFIER_ALLOW_HTTP", "127.0.0.1:5000", "warning", "its address is blocked"),
    ],
)
def test_allow_lists_without_sense_are_found(
    installation: Installation, name: str, value: str, result: str, sentence: str
) -> None:
    finding = installation.look(**{name: value})["verifier.allow-lists"]
    assert finding["result"] == result
    assert sentence in finding["sentence"]


def test_dead_letters_are_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")  # an event without its log is enough here
        owner.execute(
            "INSERT INTO es.checkpoints (consumer, position) VALUES ('verifier', 0) ON CONFLICT DO NOTHING"
        )
        owner.execute(
            "INSERT INTO es.dead_letters (consumer, position, stream_id, attempts, reason)"
            " VALUES ('verifier', 1, gen_random_uuid(), 4, 'broken')"
        )
    _failed(installation.look()["consumer.verifier"], "dead letters", "regcred deadletters")


def test_secrets_that_cannot_be_read_are_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")  # a row without its stream is enough here
        owner.execute(
            "INSERT INTO credentials.current VALUES (gen_random_uuid(), 'acme', 'lost', 'github', 'ghcr.io', '{}',"
            " true, false, false, '{}', 2, NULL, 2, now(), 2, 'secret_unreadable')"
        )
    _failed(installation.look()["secrets"], "stored secrets of 1 credentials", "key file")


def test_a_consumer_without_a_leader_is_found(installation: Installation) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as relay:
        relay.execute("SELECT es.lead('relay', '50 s')")
        found = installation.look()
    assert found["relay"]["result"] == "ok"
    _failed(found["projector"], "there is no leader", "start the projector")


def _with_vault(vault: Vault, role: str = "one-machine") -> dict[str, str]:
    return {
        "REGCRED_VAULT_ADDR": vault.addr,
        "REGCRED_VAULT_ROLE_ID": vault.role_id(role),
        "REGCRED_VAULT_SECRET_ID_FILE": str(vault.secret_id_file(role)),
    }


def test_a_healthy_vault_has_no_findings(installation: Installation, vault: Vault) -> None:
    found = installation.look(**_with_vault(vault))
    assert {item["result"] for check, item in found.items() if check.startswith("vault")} == {"ok"}
    assert "read and write" in found["vault.policy"]["sentence"]
    assert "read" in installation.look(**_with_vault(vault, "verifier"))["vault.policy"]["sentence"]


def test_a_vault_of_another_installation_is_found(installation: Installation, vault: Vault) -> None:
    other = "00000000-0000-0000-0000-00000000beef"
    vault.api("POST", "regcred/data/installation", {"data": {"id": other}, "options": {"cas": 0}})
    try:
        for role in ("credentials", "verifier", "relay"):
            finding = installation.look(**_with_vault(vault, role))["vault.installation"]
            _failed(finding, f"Vault belongs to installation {other}", "REGCRED_VAULT_ADDR")
    finally:
        vault.api("DELETE", "regcred/metadata/installation")


def test_a_copied_database_beside_a_vault_is_found(installation: Installation, vault: Vault) -> None:
    with psycopg.connect(installation.database_url, autocommit=True) as owner:
        owner.execute("UPDATE installation.home SET written_by = '1'")
    try:
        finding = installation.look(**_with_vault(vault))["vault.installation"]
        _failed(finding, "the database is a copy", "installation adopt")
    finally:
        let_use_vault(installation.database_url)


def test_a_sealed_vault_is_found(installation: Installation, vault: Vault) -> None:
    vault.seal()
    try:
        _failed(installation.look(**_with_vault(vault))["vault"], "sealed", "vault operator unseal")
    finally:
        vault.unseal()


def test_an_unreachable_or_untrusted_vault_is_found(installation: Installation, vault: Vault) -> None:
    away = {**_with_vault(vault), "REGCRED_VAULT_ADDR": "http://127.0.0.1:9"}
    _failed(installation.look(**away)["vault"], "does not respond", "REGCRED_VAULT_ADDR")
    untrusted = {**_with_vault(vault), "REGCRED_VAULT_ADDR": vault.tls_addr}
    _failed(installation.look(**untrusted)["vault"], "not trusted", "REGCRED_VAULT_CA_FILE")
    trusted = {**untrusted, "REGCRED_VAULT_CA_FILE": str(vault.ca_file)}
    assert installation.look(**trusted)["vault"]["result"] == "ok"


def test_a_wrong_secret_id_is_found(installation: Installation, vault: Vault) -> None:
    wrong = installation.home / "secret-id"
    wrong.write_text("geheim-canary")
    found = installation.look(**{**_with_vault(vault), "REGCRED_VAULT_SECRET_ID_FILE": str(wrong)})
    _failed(found["vault.login"], "secret id", "bootstrap.sh")
    assert "geheim-canary" not in json.dumps(found)


def test_a_weak_policy_and_a_mount_without_check_and_set_are_found(
    installation: Installation, vault: Vault
) -> None:
    administrator = installation.home / "administrator.token"
    administrator.write_text(vault.root_token)
    seeing = ("--vault-token-file", str(administrator))
    assert installation.look(*seeing, **_with_vault(vault))["vault.cas_required"]["result"] == "ok"
    vault.api("POST", "regcred/config", {"cas_required": False})
    try:
        found = installation.look(*seeing, **_with_vault(vault))
    finally:
        vault.api("POST", "regcred/config", {"cas_required": True})
    _failed(found["vault.cas_required"], "check-and-set", "cas_required=true")
    weak = vault.api("POST", "auth/token/create", {"policies": ["default"], "ttl": "5m"}).json()
    file = installation.home / "vault.token"
    file.write_text(weak["auth"]["client_token"])
    found = installation.look(REGCRED_VAULT_ADDR=vault.addr, REGCRED_VAULT_TOKEN_FILE=str(file))
    _failed(found["vault.policy"], "grants this service no rights", "infra/vault/policies")
    assert weak["auth"]["client_token"] not in json.dumps(found)


def test_faults_of_the_broker_are_found(installation: Installation, broker: RabbitMQ) -> None:
    found = installation.look(REGCRED_BROKER_URL=broker.url)
    assert {item["result"] for check, item in found.items() if check.startswith("broker")} == {"ok"}
    assert broker.depth(topology.queue_name("projector")) == 0  # nothing was published by looking

    broker.ctl("set_permissions", "-p", topology.VHOST, "regcred-relay", "^$", "^$", "^$")
    found = installation.look(REGCRED_BROKER_URL=broker.url_of("regcred-relay"))
    _failed(found["broker.rights"], "may not publish", "infra/rabbitmq")
    broker.ctl("set_permissions", "-p", topology.VHOST, "regcred-verifier", "^$", "^$", "^$")
    found = installation.look(REGCRED_BROKER_URL=broker.url_of("regcred-verifier"))
    _failed(found["broker.rights"], "may not read regcred.verifier", "infra/rabbitmq")

    broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    _failed(installation.look(REGCRED_BROKER_URL=broker.url)["broker.alarms"], "alarm", "alarms")
    broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB")

    with broker.connect() as connection:
        connection.channel().queue_delete(topology.queue_name("verifier"))
    found = installation.look(REGCRED_BROKER_URL=broker.url)
    _failed(found["broker.topology"], "regcred.verifier", "regcred migrate")

    wrong = broker.url.replace(PASSWORDS["regcred-deploy"], "geheim-canary")
    found = installation.look(REGCRED_BROKER_URL=wrong)
    _failed(found["broker"], "refuses this user", "REGCRED_BROKER_URL")
    assert "geheim-canary" not in json.dumps(found)
    broker.stop()
    _failed(
        installation.look(REGCRED_BROKER_URL=broker.url)["broker"], "there is no broker", "start RabbitMQ"
    )


def test_faults_of_the_embedded_database_are_found(tmp_path: Path) -> None:
    """A missing database is reported; data of another release is not started."""
    environment = {**os.environ, "REGCRED_HOME": str(tmp_path), "REGCRED_LISTEN": f"127.0.0.1:{free_port()}"}
    done = subprocess.run([REGCRED, "doctor"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "there is no database" in done.stdout
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9.6\n")
    done = subprocess.run([REGCRED, "doctor"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "does not start" in done.stdout


def test_a_key_of_personal_data_that_cannot_be_unwrapped_is_found(installation: Installation) -> None:
    assert installation.look()["key-file.personal"]["result"] == "ok"
    with psycopg.connect(installation.database_url, autocommit=True) as connection:
        connection.execute("SET ROLE regcred_query")
        for garbage in (b"garbage", b"again"):
            connection.execute("SELECT personal.key('victim', %s)", (garbage,))
    found = installation.look()["key-file.personal"]
    _failed(
        found, "1 keys of personal data cannot be unwrapped, the first of account victim", "personal.keys"
    )
