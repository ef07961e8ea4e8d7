"""The encrypted table on a real PostgreSQL: the port's suite, and what only it promises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from chassis.database import Pool, open_pool
from chassis.secret import Secret
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.store import SecretDamaged, SecretDestroyed, SecretPath, SecretStoreUnavailable
from tests.support.secretstore_suite import CANARY, SecretStoreSuite, a_path, put, shown

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile.create(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def pool(database_url: str) -> Iterator[Pool]:
    with open_pool(database_url, role="regcred_credentials", size=8) as made:
        yield made


@pytest.fixture(scope="module")
def store(pool: Pool, keys: KeyFile) -> EncryptedStore:
    return EncryptedStore(pool, keys)


@pytest.fixture(scope="module")
def superuser(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def relay(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True, options="-c role=regcred_relay") as connection:
        yield connection


class TestEncryptedStore(SecretStoreSuite):
    pass


def test_the_table_contains_no_secret_in_plain_text(store: EncryptedStore, superuser: Connection) -> None:
    path = a_path("noise")
    put(store, path, CANARY, CANARY)
    rows = superuser.execute(
        "SELECT s::text, ciphertext, nonce FROM encrypted.secrets s WHERE credential_id = %s",
        (path.credential_id,),
    ).fetchall()
    assert len(rows) == 2
    for text, ciphertext, _ in rows:
        assert CANARY not in text
        assert CANARY.encode().hex() not in text
        assert CANARY.encode() not in ciphertext
    assert rows[0][1:] != rows[1][1:]  # the same secret is encrypted differently each time


@pytest.mark.parametrize(
    "change",
    [
        "ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1)",
        "ciphertext = set_byte(ciphertext, length(ciphertext) - 1, get_byte(ciphertext, length(ciphertext) - 1) # 1)",
        "ciphertext = substr(ciphertext, 1, length(ciphertext) - 1)",
        "ciphertext = ''",
        "nonce = set_byte(nonce, 11, get_byte(nonce, 11) # 128)",
        "key = 'k2'",
    ],
    ids=["first bit", "last bit", "shorter", "empty", "nonce", "another key's name"],
)
def test_a_changed_row_cannot_be_decrypted(store: EncryptedStore, superuser: Connection, change: str) -> None:
    path = a_path(f"changed-{change}")
    put(store, path, CANARY)
    superuser.execute(
        f"UPDATE encrypted.secrets SET {change} WHERE credential_id = %s",  # noqa: S608
        (path.credential_id,),
    )
    with pytest.raises(SecretDamaged) as raised:
        store.get(path, 1)
    assert CANARY not in shown(raised.value)


@pytest.mark.parametrize("moved_to", ["version", "account", "credential"])
def test_a_moved_row_cannot_be_decrypted(store: EncryptedStore, superuser: Connection, moved_to: str) -> None:
    path = a_path(f"moved-{moved_to}")
    put(store, path, "one", "two")
    there, version = {
        "version": (path, 3),
        "account": (SecretPath("umbrella", path.credential_id), 1),
        "credential": (a_path(f"moved-{moved_to}-there"), 1),
    }[moved_to]
    superuser.execute(
        "UPDATE encrypted.secrets SET account_id = %s, credential_id = %s, version = %s"
        " WHERE account_id = %s AND credential_id = %s AND version = 1",
        (there.account_id, there.credential_id, version, path.account_id, path.credential_id),
    )
    with pytest.raises(SecretDamaged):
        store.get(there, version)
    assert store.get(path, 2).reveal() == "two"


def test_exchanged_versions_cannot_be_decrypted(store: EncryptedStore, superuser: Connection) -> None:
    path = a_path("swapped")
    put(store, path, "old", "new")
    superuser.execute(
        "UPDATE encrypted.secrets s SET ciphertext = o.ciphertext, nonce = o.nonce FROM encrypted.secrets o"
        " WHERE s.credential_id = %s AND o.credential_id = s.credential_id AND o.version = 3 - s.version",
        (path.credential_id,),
    )
    for version in (1, 2):
        with pytest.raises(SecretDamaged):
            store.get(path, version)


def test_the_key_file_of_another_installation_decrypts_nothing(
    store: EncryptedStore, pool: Pool, tmp_path: Path
) -> None:
    path = a_path("another-key")
    put(store, path, CANARY)
    other = EncryptedStore(pool, KeyFile.create(tmp_path / "keys.json"))
    with pytest.raises(SecretDamaged) as raised:
        other.get(path, 1)
    assert CANARY not in shown(raised.value)
    assert store.get(path, 1).reveal() == CANARY


def test_rows_of_an_earlier_key_stay_readable(pool: Pool) -> None:
    path = a_path("new-primary")
    first, second, pepper = b"1" * 32, b"2" * 32, b"p" * 32
    put(EncryptedStore(pool, KeyFile(primary="k1", keys={"k1": first}, pepper=pepper)), path, "one")
    rotated = EncryptedStore(pool, KeyFile(primary="k2", keys={"k1": first, "k2": second}, pepper=pepper))
    rotated.put(path, Secret("two"), write_id="w", expected_version=1)
    assert [rotated.get(path, version).reveal() for version in (1, 2)] == ["one", "two"]


def test_a_destroyed_row_has_no_ciphertext(store: EncryptedStore, superuser: Connection) -> None:
    path = a_path("kept-nothing")
    put(store, path, CANARY)
    store.destroy(path, [1])
    row = superuser.execute(
        "SELECT nonce, ciphertext, destroyed FROM encrypted.secrets WHERE credential_id = %s",
        (path.credential_id,),
    ).fetchone()
    assert row == (None, None, True)


def test_all_pages_of_paths_are_read(store: EncryptedStore, superuser: Connection) -> None:
    superuser.execute(
        "INSERT INTO encrypted.secrets (account_id, credential_id, version, write_id, key)"
        " SELECT 'many' || n % 3, gen_random_uuid(), v, '', 'k1'"
        " FROM generate_series(1, 2500) n, generate_series(1, 2) v WHERE v = 1 OR n % 7 = 0"
    )
    found = [path for path in store.paths() if path.account_id.startswith("many")]
    superuser.execute("DELETE FROM encrypted.secrets WHERE account_id LIKE 'many%'")
    assert len(found) == len(set(found))
    assert len(found) >= 2500


def test_housekeeping_destroys_and_cannot_read(
    store: EncryptedStore, database_url: str, keys: KeyFile, relay: Connection, superuser: Connection
) -> None:
    """Of secrets that the log does not need: the sweep has decided to discard these."""
    path, removed = a_path("house"), a_path("house-removed")
    superuser.execute(
        "INSERT INTO credentials.unreferenced_secrets"
        " SELECT id, 1, now(), now(), now() FROM unnest(%s::uuid[]) AS id",
        ([path.credential_id, removed.credential_id],),
    )
    put(store, path, "one", "two")
    put(store, removed, "one")
    with open_pool(database_url, role="regcred_relay", size=2) as pool:
        keeper = EncryptedStore(pool, keys)
        keeper.check()
        assert {path, removed} <= set(keeper.paths())
        assert [version.destroyed for version in keeper.versions(path)] == [False, False]
        keeper.destroy(path, [1])
        keeper.remove(removed)
        with pytest.raises(pg.InsufficientPrivilege):
            keeper.get(path, 2)
        with pytest.raises(pg.InsufficientPrivilege):
            keeper.put(a_path("house-new"), Secret("x"), write_id="w", expected_version=0)
    with pytest.raises(SecretDestroyed):
        store.get(path, 1)
    assert store.versions(removed) == ()
    for statement in (
        "SELECT ciphertext FROM encrypted.secrets",
        "SELECT * FROM encrypted.secrets",
        "UPDATE encrypted.secrets SET ciphertext = NULL, nonce = NULL RETURNING ciphertext",
        "DELETE FROM encrypted.secrets RETURNING ciphertext",
        "DELETE FROM encrypted.secrets WHERE ciphertext IS NOT NULL",
        "COPY encrypted.secrets TO STDOUT",
    ):
        with pytest.raises(pg.InsufficientPrivilege):
            relay.execute(statement)


@pytest.mark.parametrize("role", ["regcred_projector", "regcred_query"])
def test_other_services_cannot_read_secrets(database_url: str, role: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True, options=f"-c role={role}") as connection,
        pytest.raises(pg.InsufficientPrivilege),
    ):
        connection.execute("SELECT account_id FROM encrypted.secrets")


def test_the_verifier_can_only_read(store: EncryptedStore, database_url: str, keys: KeyFile) -> None:
    path = a_path("verifier")
    put(store, path, "one")
    with open_pool(database_url, role="regcred_verifier", size=1) as pool:
        reader = EncryptedStore(pool, keys)
        assert reader.get(path, 1).reveal() == "one"
        with pytest.raises(pg.InsufficientPrivilege):
            reader.destroy(path, [1])
        with pytest.raises(pg.InsufficientPrivilege):
            reader.remove(path)


def test_a_stopped_database_is_unavailable(keys: KeyFile) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    with open_pool(url, role="regcred_credentials", size=1) as pool:
        pool.timeout = 0.2
        away = EncryptedStore(pool, keys)
        for attempt in (
            lambda: away.put(a_path("away"), Secret(CANARY), write_id="w", expected_version=0),
            lambda: away.get(a_path("away"), 1),
            away.check,
        ):
            with pytest.raises(SecretStoreUnavailable) as raised:
                attempt()
            assert raised.value.retry_after > 0
            assert CANARY not in shown(raised.value)


def test_broken_connections_are_replaced(store: EncryptedStore, superuser: Connection) -> None:
    path = a_path("cut")
    put(store, path, "one")
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'regcred_credentials'"
    )
    for _ in range(20):  # each use finds at most one dead connection
        try:
            assert store.get(path, 1).reveal() == "one"
            break
        except SecretStoreUnavailable:
            continue
    else:
        pytest.fail("the store did not come back")
