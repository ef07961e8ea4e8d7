"""Database and Vault of one installation belong together; anything else is refused."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from chassis.database import open_pool
from chassis.ids import new_id
from chassis.secret import Secret
from chassis.settings.environment import Settings
from credentials.relay.sweep import DELETED_FOR, UNREFERENCED_FOR
from credentials.relay.sweep_paths import SweepResult, sweep_secrets
from operations.migrate.preparation import bind_keys, prepare_keys
from regcred.__main__ import main
from secretstore.factory import open_secret_store
from secretstore.installation import installation_id
from secretstore.keyfile import KeyFile
from secretstore.store import SecretDestroyed, SecretStore, SecretStoreUnavailable, WrongSecretStore
from secretstore.vault import DatabaseIdentity, InstallationBinding, VaultStore
from secretstore.vault_session import VaultRefused, VaultSettings
from tests.integration.secretstore.installations import START, settings_of
from tests.support.postgres import copy_of, let_use_vault, migrated_database
from tests.support.secretstore_suite import a_path, put
from tests.support.timing import waiting
from tests.support.vault import Vault


def vault_settings(vault: Vault, home: Path, url: str, role: str = "one-machine") -> Settings:
    prepare_keys(home / "keys.json")
    return settings_of(
        home,
        url,
        REGCRED_VAULT_ADDR=vault.addr,
        REGCRED_VAULT_ROLE_ID=vault.role_id(role),
        REGCRED_VAULT_SECRET_ID_FILE=str(vault.secret_id_file(role)),
    )


def opened(settings: Settings, role: str = "credentials", *, claims: bool = True) -> SecretStore:
    pool = open_pool(settings.required_database_url(), role=f"regcred_{role}", size=1)
    return open_secret_store(settings, pool=pool, keys=KeyFile.load(settings.key_file), claims=claims)


@contextmanager
def store_of(settings: Settings) -> Iterator[SecretStore]:
    with open_pool(settings.required_database_url(), role="regcred_credentials", size=1) as pool:
        yield open_secret_store(settings, pool=pool, keys=KeyFile.load(settings.key_file), claims=True)


def test_a_second_database_on_the_same_vault_is_refused(own_vault: Vault, url: str, tmp_path: Path) -> None:
    first = opened(vault_settings(own_vault, tmp_path, url))
    put(first, a_path("of-first"), "one")
    with migrated_database() as other:
        let_use_vault(other)
        settings = vault_settings(own_vault, tmp_path, other)
        for service in ("credentials api", "credentials relay", "verifier", "verifier api"):
            with pytest.raises(WrongSecretStore, match=r"belongs to installation .*installation adopt"):
                START[service](settings)
    assert first.get(a_path("of-first"), 1) == Secret("one")
    first.remove(a_path("of-first"))


def refusal(store: SecretStore) -> str:
    with pytest.raises(SecretStoreUnavailable) as raised:
        store.check()
    return str(raised.value)


@pytest.fixture
def audited_vault() -> Iterator[Vault]:
    """A Vault that no other test needs to work."""
    with Vault() as made:
        yield made


def test_a_vault_that_is_healthy_and_executes_no_request_is_not_ready(
    audited_vault: Vault, url: str, tmp_path: Path
) -> None:
    """It cannot write its audit log, for example because the disk of the log is full."""
    store, path = opened(vault_settings(audited_vault, tmp_path, url)), a_path("audited")
    put(store, path, "one")
    with socket.create_server(("127.0.0.1", 0)) as audit:
        address = audit.getsockname()
        device = {"address": f"127.0.0.1:{address[1]}", "socket_type": "tcp"}
        audited_vault.api("PUT", "sys/audit/socket", {"type": "socket", "options": device})
        audit.accept()[0].close()

    def refused() -> bool:
        try:
            store.get(path, 1)
        except SecretStoreUnavailable:
            return True
        return False

    waiting(refused, "requests are refused")
    refusal(store)
    with socket.create_server(address):
        waiting(lambda: not refused(), "requests are executed")
        store.check()


def test_a_vault_that_was_away_at_the_start_is_compared_before_the_first_request(
    own_vault: Vault, url: str, tmp_path: Path
) -> None:
    opened(vault_settings(own_vault, tmp_path, url)).check()
    with migrated_database() as other:
        let_use_vault(other)
        settings = vault_settings(own_vault, tmp_path, other)
        own_vault.seal()
        store = opened(settings)
        own_vault.unseal()
        waiting(lambda: "belongs to installation" in refusal(store))  # after the pause of a failed login
        for attempt in (
            store.check,
            lambda: put(store, a_path("late"), "one"),
            lambda: list(store.paths()),
            lambda: store.remove(a_path("late")),
        ):
            with pytest.raises(WrongSecretStore):
                attempt()


def test_only_the_credentials_service_binds_a_vault_and_nothing_changes_it(
    own_vault: Vault, url: str, tmp_path: Path
) -> None:
    relay = opened(vault_settings(own_vault, tmp_path, url, "relay"), "relay", claims=False)
    with pytest.raises(SecretStoreUnavailable, match="no installation yet"):
        list(relay.paths())
    opened(vault_settings(own_vault, tmp_path, url, "credentials"))
    assert a_path("x") not in set(relay.paths())
    for role in ("credentials", "relay", "verifier", "one-machine"):
        token = own_vault.token_of(role)
        assert own_vault.status("POST", "regcred/data/installation", token) in (400, 403)
        assert own_vault.status("DELETE", "regcred/data/installation", token) == 403
        assert own_vault.status("DELETE", "regcred/metadata/installation", token) == 403
    body = own_vault.api("GET", "regcred/data/installation").json()
    with psycopg.connect(url) as connection:
        assert body["data"]["data"] == {"id": str(installation_id(connection))}


def test_an_older_dump_beside_a_newer_vault_destroys_nothing_for_a_week_and_a_day(
    own_vault: Vault, url: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The database, of the same installation, does not know the secret. An operator can undo the deletion."""
    store, newer = opened(vault_settings(own_vault, tmp_path, url)), a_path("newer")
    for path in list(store.paths()):
        store.remove(path)
    put(store, newer, "one", "two")
    assert sweep_secrets(connection, store) == SweepResult()
    assert sweep_secrets(connection, store) == SweepResult()
    assert store.get(newer, 2) == Secret("two")
    _let_pass(connection, UNREFERENCED_FOR)
    assert sweep_secrets(connection, store) == SweepResult(deleted=2)
    with pytest.raises(SecretDestroyed):
        store.get(newer, 2)
    own_vault.api("POST", f"regcred/undelete/{newer}", {"versions": [1, 2]})
    assert store.get(newer, 2) == Secret("two")
    assert sweep_secrets(connection, store) == SweepResult(deleted=2)
    _let_pass(connection, DELETED_FOR)
    assert sweep_secrets(connection, store) == SweepResult(destroyed=2)
    own_vault.api("POST", f"regcred/undelete/{newer}", {"versions": [1, 2]})
    with pytest.raises(SecretDestroyed):
        store.get(newer, 2)
    assert sweep_secrets(connection, store) == SweepResult()


def test_an_emptied_vault_beside_data_is_not_taken_for_a_new_one(
    own_vault: Vault, url: str, tmp_path: Path
) -> None:
    settings = vault_settings(own_vault, tmp_path, url)
    put(opened(settings), path := a_path("lost"), "one")
    for each in (f"accounts/{path.account_id}/credentials/{path.credential_id}", "installation"):
        own_vault.api("DELETE", f"regcred/metadata/{each}")
    for role, claims in (("credentials", True), ("relay", False)):
        with pytest.raises(WrongSecretStore, match=r"has no secrets of installation.*restore Vault"):
            opened(vault_settings(own_vault, tmp_path, url, role), role, claims=claims)
    with psycopg.connect(url) as connection:
        own_id = str(installation_id(connection))
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
    done = CliRunner().invoke(main, ["installation", "adopt", "--vault", own_id], env=environment)
    assert done.exit_code == 0, done.output
    put(opened(settings), path, "another")


def test_an_operator_can_let_a_database_replace_another(own_vault: Vault, url: str, tmp_path: Path) -> None:
    store = opened(vault_settings(own_vault, tmp_path, url))
    put(store, a_path("taken-over"), "one")
    with psycopg.connect(url) as connection:
        vault_id = installation_id(connection)
    with migrated_database() as other:
        environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": other}
        done = CliRunner().invoke(main, ["installation", "adopt", "--vault", str(vault_id)], env=environment)
        assert done.exit_code == 0, done.output
        assert opened(vault_settings(own_vault, tmp_path, other)).get(a_path("taken-over"), 1)
    store.remove(a_path("taken-over"))


@pytest.mark.parametrize("by", ["dump", "template"])
def test_a_copy_of_the_database_uses_the_vault_only_after_it_was_adopted(
    own_vault: Vault, url: str, tmp_path: Path, by: str
) -> None:
    settings = vault_settings(own_vault, tmp_path, url)
    bind_keys(settings.key_file, url)
    with store_of(settings) as original:
        put(original, path := a_path("of-original"), "one")
    with copy_of(url, by=by) as copy:
        settings = vault_settings(own_vault, tmp_path, copy)
        with pytest.raises(WrongSecretStore, match=r"is a copy of .*adopt --database"), store_of(settings):
            pass
        environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": copy}
        shown = CliRunner().invoke(main, ["installation", "show"], env=environment)
        assert "a copy of its database" in shown.output
        with store_of(settings_of(tmp_path, copy)) as encrypted_table:
            assert encrypted_table.versions(path) == ()  # a copy has its own
        done = CliRunner().invoke(main, ["installation", "adopt", "--database"], env=environment)
        assert done.exit_code == 0, done.output
        with store_of(settings) as adopted:
            assert adopted.get(path, 1) == Secret("one")
            adopted.remove(path)


def test_a_service_deletes_nothing_after_its_database_was_replaced_by_a_copy(
    own_vault: Vault, url: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The URL leads to another database since its start."""
    store = opened(vault_settings(own_vault, tmp_path, url))
    put(store, path := a_path("of-original"), "one")
    connection.execute("UPDATE installation.home SET database_id = 1")
    for attempt in (
        lambda: store.delete(path, [1]),
        lambda: store.destroy(path, [1]),
        lambda: store.remove(path),
        lambda: list(store.paths()),
    ):
        with pytest.raises(WrongSecretStore, match="is a copy"):
            attempt()
    let_use_vault(url)
    assert store.get(path, 1) == Secret("one")
    store.remove(path)


def test_of_two_installations_that_bind_a_vault_at_once_one_is_refused(own_vault: Vault) -> None:
    def store_of(installation: UUID) -> VaultStore:
        settings = VaultSettings(
            addr=own_vault.addr,
            role_id=own_vault.role_id("credentials"),
            secret_id_file=own_vault.secret_id_file("credentials"),
        )
        return VaultStore(
            settings, InstallationBinding(lambda: DatabaseIdentity(installation, False, False), lambda: None)
        )

    first, second = new_id(), new_id()
    store_of(first).bind()
    with pytest.raises(WrongSecretStore):
        store_of(second).bind()
    own_vault.api("DELETE", "regcred/data/installation")  # deleted by hand: it is not written again
    with pytest.raises((SecretStoreUnavailable, VaultRefused)):
        store_of(second).bind()


def _let_pass(connection: psycopg.Connection, time: object) -> None:
    connection.execute(
        "UPDATE credentials.unreferenced_secrets"
        " SET first_seen = first_seen - %(time)s, discarded_at = discarded_at - %(time)s",
        {"time": time},
    )
