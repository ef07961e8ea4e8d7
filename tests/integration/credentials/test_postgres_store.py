from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors as pg

from chassis.database import open_pool
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events.personal import ERASED
from tests.support.credentials_suite import CredentialStoreSuite, a_credential, removal
from tests.support.eventstore_suite import an_id
from tests.support.personal_keys import personal_keys


@pytest.fixture(scope="module")
def store(database_url: str) -> Iterator[PostgresCredentialStore]:
    with open_pool(database_url, role="regcred_credentials", size=4) as pool:
        yield PostgresCredentialStore(pool, personal_keys())


class TestPostgresCredentialStore(CredentialStoreSuite):
    def test_an_append_writes_the_row_of_the_credential(
        self, store: PostgresCredentialStore, database_url: str
    ) -> None:
        store.append(
            an_id("row"),
            0,
            [removal(an_id("row"), "row", account="row")],
            current=a_credential("row"),
            request=None,
        )
        with psycopg.connect(database_url) as superuser:
            row = superuser.execute(
                "SELECT account_id, registry_host, repository_prefixes, restricted, projects, version"
                " FROM credentials.current WHERE credential_id = %s",
                (an_id("row"),),
            ).fetchone()
        assert row == ("row", "ghcr.io", ["acme/"], True, ["shop"], 1)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("regcred_credentials", "INSERT INTO es.streams VALUES (gen_random_uuid(), 'a', 'credential', 1)"),
        ("regcred_credentials", "DELETE FROM credentials.current"),
        ("regcred_credentials", "SELECT * FROM rm.credentials"),
        ("regcred_credentials", "SELECT es.lead('relay', '0')"),
        ("regcred_verifier", "SELECT * FROM credentials.current"),
        ("regcred_verifier", "UPDATE auth.tokens SET revoked_at = NULL"),
        ("regcred_verifier", "DELETE FROM encrypted.secrets"),
        ("regcred_projector", "SELECT * FROM encrypted.secrets"),
        ("regcred_projector", "DELETE FROM rm.audit_events"),
        ("regcred_projector", "SELECT * FROM auth.tokens"),
        ("regcred_query", "SELECT * FROM encrypted.secrets"),
        ("regcred_query", "SELECT * FROM personal.keys"),
        ("regcred_projector", "SELECT personal.key('acme', 'x')"),
        ("regcred_relay", "DELETE FROM personal.keys"),
        ("regcred_credentials", "UPDATE personal.keys SET wrapped = NULL"),
        ("regcred_credentials", "SELECT credentials.erase_account(NULL)"),
        ("regcred_query", "SELECT * FROM es.events"),
        ("regcred_query", "INSERT INTO rm.audit_events (position) VALUES (1)"),
        ("regcred_relay", "SELECT ciphertext FROM encrypted.secrets"),
        ("regcred_relay", "SELECT * FROM auth.tokens"),
        ("regcred_relay", "INSERT INTO es.log SELECT * FROM es.log"),
    ],
)
def test_roles_have_only_the_rights_that_they_need(database_url: str, role: str, statement: str) -> None:
    with (
        psycopg.connect(database_url, options=f"-c role={role}") as connection,
        pytest.raises(pg.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_a_credential_is_not_added_with_an_erased_key(
    store: PostgresCredentialStore, database_url: str
) -> None:
    """The service has the erased key in its cache; it requests the next one, and the new event can be read."""
    first = removal(an_id("first"), "first", account="left")
    store.append(an_id("first"), 0, [first], current=a_credential("first"), request=None)
    with psycopg.connect(database_url) as superuser:
        superuser.execute(
            "UPDATE personal.keys SET wrapped = NULL, erased_at = now() WHERE account_id = 'left'"
        )
    assert store.load(an_id("first"))[0].metadata.actor.name == ERASED
    second = removal(an_id("second"), "second", account="left")
    store.append(an_id("second"), 0, [second], current=a_credential("second"), request=None)
    [loaded] = store.load(an_id("second"))
    assert (loaded.payload, loaded.metadata) == (second.payload, second.metadata)
    with psycopg.connect(database_url) as superuser:
        keys = superuser.execute(
            "SELECT wrapped IS NULL FROM personal.keys WHERE account_id = 'left' ORDER BY created_at"
        ).fetchall()
    assert keys == [(True,), (False,)]
