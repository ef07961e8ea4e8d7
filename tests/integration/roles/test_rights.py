"""Each role of a service, as its login and by SET ROLE, tries what belongs to another service."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from contracts import (
    access_events,
    account_events,
    audit_events,
    credential_events,
    issuance_events,
    service_token_events,
    verification_events,
)
from contracts.streams import service_token_stream, verification_stream
from eventlog.events.registry import EVENTS
from tests.integration.roles.calls import OTHER, OWN, credential_data, request
from tests.integration.roles.rights import RIGHTS

Connection = psycopg.Connection[Any]

_MODULES = (  # imported, so that their types are registered
    access_events,
    account_events,
    audit_events,
    credential_events,
    issuance_events,
    service_token_events,
    verification_events,
)
_REFUSED = {"42501", "ES410", "ES412", "ES424", "RM409"}
# The rights of one role, without the tables of generations.
_GRANTED = """
SELECT DISTINCT right_of FROM (
    SELECT 'EXECUTE ' || p.oid::regproc AS right_of, a.grantee
    FROM pg_proc p, aclexplode(p.proacl) a WHERE a.privilege_type = 'EXECUTE'
    UNION ALL
    SELECT a.privilege_type || ' ' || n.nspname || '.' || c.relname, a.grantee
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE c.relkind IN ('r', 'v') AND n.nspname NOT LIKE 'rm\\_g%%' AND NOT (n.nspname = 'rm' AND c.relkind = 'v')
    UNION ALL
    SELECT a.privilege_type || ' ' || n.nspname || '.' || c.relname, a.grantee
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
         aclexplode(t.attacl) a WHERE n.nspname NOT LIKE 'rm\\_g%%'
) AS granted WHERE grantee = %s::regrole
"""
# Which function appends each type. NULL: only the owner of the log.
WRITERS = {
    "access.denied": "auth.append_denied",
    "account.erased": None,
    "audit.read": "audit.append",
    "audit.sealed": None,
    "credential.access_withdrawn": "credentials.append",
    "credential.added": "credentials.append",
    "credential.details_changed": "credentials.append",
    "credential.frozen": "credentials.append",
    "credential.hosts_changed": "credentials.append",
    "credential.removed": "credentials.append",
    "credential.restrictions_changed": "credentials.append",
    "credential.secret_rolled_back": "credentials.append",
    "credential.rotation_requested": "credentials.append",
    "credential.rotation_discarded": "credentials.append",
    "credential.secret_rotated": "credentials.append",
    "credential.thawed": "credentials.append",
    "secret.issued": "credentials.issue",
    "secret.refused": "credentials.issue",
    "service_token.created": "auth.append",
    "service_token.revoked": None,  # of a token that exists: `tests/integration/auth`
    "verification.expiry_approached": "verifier.append",
    "verification.expiry_discovered": "verifier.append",
    "verification.expiry_passed": "verifier.append",
    "verification.failed": "verifier.append",
    "verification.recovered": "verifier.append",
    "verification.requested": "credentials.append",
    "verification.succeeded": "verifier.append",
    "verification.rotation_tested": "verifier.append",
    "workload.released": "credentials.release",
}
READ = UUID(int=4)
CALLS = {
    "auth.append": (
        "regcred_credentials",
        'SELECT auth.append(REQUEST, \'{"token_id": "t", "accounts": ["acme"], "version": 1}\')',
    ),
    "auth.append_denied": ("regcred_query", "SELECT auth.append_denied(REQUEST)"),
    "audit.append": ("regcred_query", "SELECT audit.append(REQUEST)"),
    "credentials.append": ("regcred_credentials", "SELECT credentials.append(REQUEST, NULL)"),
    "credentials.issue": ("regcred_credentials", f"SELECT credentials.issue(REQUEST, '{{{OWN}}}', '{{1}}')"),
    "credentials.release": (
        "regcred_credentials",
        "SELECT credentials.release(REQUEST, '{job}', '{a}')",
    ),
    "verifier.append": ("regcred_verifier", "SELECT verifier.append(REQUEST)"),
}


@pytest.fixture(scope="module", autouse=True)
def contents(database_url: str) -> None:
    """Two accounts with a credential each, applied by the projector; rows of every consumer; a retired generation."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        for credential, account in ((OWN, "acme"), (OTHER, "victim")):
            added = request(credential, "credential.added", account=account, data=credential_data(credential))
            owner.execute(f"SELECT es.append('credential', {added})")
            owner.execute(
                "INSERT INTO encrypted.secrets (account_id, credential_id, version, write_id, key, nonce, ciphertext)"
                " VALUES (%s, %s, 1, 'w', 'k', %s, 'x')",
                (account, credential, b"n" * 12),
            )
            owner.execute(
                "INSERT INTO personal.keys (account_id, number, wrapped) VALUES (%s, 1, 'k')", (account,)
            )
        owner.execute("SELECT es.sequence(es.lead('relay', '1 minute'), 10)")
        owner.execute("UPDATE rm.generations SET position = 2")
        owner.execute("INSERT INTO rm.generations (generation, status, position) VALUES (2, 'retired', 2)")
        owner.execute("CREATE SCHEMA rm_g2")
        owner.execute(
            "INSERT INTO rm_g1.audit_events (position, event_id, account_id, time, action, outcome, actor_type, actor_id,"
            " actor_name, request_id, correlation_id) SELECT l.position, e.event_id, s.account_id, now(), e.type, 'success',"
            " 'user', 'ada', 'Ada', 'r', 'c' FROM es.log l JOIN es.events e USING (stream_id, version)"
            " JOIN es.streams s USING (stream_id)"
        )
        for name in ("housekeeping", "projector", "verifier", "verifier-schedule"):
            owner.execute("SELECT es.lead(%s, '0')", (name,))
        owner.execute("UPDATE es.leases SET expires_at = now() - interval '1 minute' WHERE name <> 'relay'")
        owner.execute("INSERT INTO es.checkpoints VALUES ('housekeeping', 1), ('verifier', 1)")
        for name in ("housekeeping", "publishing", "verifier", "projector:1"):
            owner.execute(
                "INSERT INTO es.dead_letters (consumer, position, stream_id, reason) VALUES (%s, 2, %s, 'x')",
                (name, OTHER),
            )
            owner.execute(
                "INSERT INTO es.retries (consumer, position, stream_id, attempts, due_at, reason)"
                " VALUES (%s, 1, %s, 1, now(), 'x')",
                (name, OWN),
            )
        owner.execute(
            "INSERT INTO es.idempotency (account_id, key, fingerprint, version, response)"
            " VALUES ('acme', 'a key of a caller', 'f', 1, '{}')"
        )


@pytest.fixture(scope="module")
def logins(database_url: str) -> Iterator[None]:
    with psycopg.connect(database_url, autocommit=True) as owner:
        for role in RIGHTS:
            login = sql.Identifier(f"login_{role}")
            owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(login))
            owner.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' IN ROLE {}").format(login, sql.Identifier(role))
            )
        yield
        for role in RIGHTS:
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"login_{role}")))


def connect(url: str, role: str, way: str) -> Connection:
    if way == "login":
        return psycopg.connect(make_conninfo(url, user=f"login_{role}", password="x"))
    return psycopg.connect(url, options=f"-c role={role}")


def outcome(connection: Connection, statement: str) -> str:
    """The SQLSTATE of a refusal, `nothing` if no row was changed or returned, or `done`. Nothing is committed."""
    try:
        done = connection.execute(statement.encode()).rowcount
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        return error.sqlstate or repr(error)
    finally:
        connection.rollback()
    return "done" if done else "nothing"


@pytest.mark.parametrize("role", RIGHTS)
def test_every_right_of_a_role_is_in_the_table(database_url: str, role: str) -> None:
    with psycopg.connect(database_url) as owner:
        granted = {row[0] for row in owner.execute(_GRANTED, (role,)).fetchall()}
    assert granted == set(RIGHTS[role])


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize("way", ["login", "SET ROLE"])
@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_reaches_nothing_of_another_service(database_url: str, role: str, way: str) -> None:
    with connect(database_url, role, way) as connection:
        reached = {
            statement: found
            for statements in RIGHTS[role].values()
            for statement in statements
            if (found := outcome(connection, statement)) not in _REFUSED | {"nothing"}
        }
    assert reached == {}


def test_the_lists_of_types_are_those_of_the_contracts(database_url: str) -> None:
    """Each writing function accepts exactly the types of its service."""
    names = {
        kind.name for kind in EVENTS.all_types() if kind.payload_class.__module__.startswith("contracts.")
    }
    assert names == set(WRITERS)
    accepted = {}
    for function, (role, call) in CALLS.items():
        stream = {
            "audit.append": READ,
            "auth.append": service_token_stream("t").id,
            "auth.append_denied": READ,
            "verifier.append": verification_stream(OWN).id,
        }.get(function, OWN)
        data = (
            credential_data(OWN)[:-1] + f', "read_id": "{stream}", "issuance_id": "{stream}",'
            f' "refusal_id": "{stream}", "release_id": "{stream}", "token_id": "t"}}'
        )
        with connect(database_url, role, "SET ROLE") as connection:
            for kind in sorted(names):
                found = outcome(connection, call.replace("REQUEST", request(stream, kind, data=data)))
                if found != "42501":
                    accepted[kind] = function
    assert accepted == {kind: function for kind, function in WRITERS.items() if function}


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("regcred_verifier", "SELECT es.lead('verifier', '1 minute')"),
        ("regcred_verifier", "UPDATE es.checkpoints SET position = 2 WHERE consumer = 'verifier'"),
        ("regcred_verifier", "DELETE FROM es.dead_letters WHERE consumer = 'verifier'"),
        ("regcred_verifier", "UPDATE es.retries SET attempts = 2 WHERE consumer = 'verifier'"),
        ("regcred_relay", "SELECT es.lead('housekeeping', '1 minute')"),
        ("regcred_relay", "UPDATE es.checkpoints SET position = 2"),
        ("regcred_relay", "DELETE FROM es.retries WHERE consumer = 'publishing'"),
        ("regcred_projector", "SELECT es.lead('projector', '1 minute')"),
        ("regcred_projector", "DELETE FROM es.dead_letters WHERE consumer = 'projector:1'"),
    ],
)
def test_a_role_reaches_its_own(database_url: str, role: str, statement: str) -> None:
    with connect(database_url, role, "SET ROLE") as connection:
        assert outcome(connection, statement) == "done"


@pytest.mark.parametrize(
    ("role", "consumer"), [("regcred_verifier", "verifier"), ("regcred_relay", "housekeeping")]
)
def test_no_checkpoint_moves_beyond_the_log(database_url: str, role: str, consumer: str) -> None:
    with connect(database_url, role, "SET ROLE") as connection:
        move = f"UPDATE es.checkpoints SET position = 1000 WHERE consumer = '{consumer}'"  # noqa: S608
        assert outcome(connection, move) == "42501"


def test_a_key_of_one_role_is_used_by_no_other(database_url: str) -> None:
    """The query API makes a key that nobody can unwrap, before the first credential of the account."""
    key = "SELECT wrapped FROM personal.key('new', %s)"
    for role, offered in (
        ("regcred_query", b"query"),
        ("regcred_verifier", b"v"),
        ("regcred_credentials", b"c"),
    ):
        with connect(database_url, role, "SET ROLE") as connection:
            assert connection.execute(key, (offered,)).fetchone() == (offered,)
            assert connection.execute(key, (b"later",)).fetchone() == (offered,)


_DEAD_LETTER = (
    "INSERT INTO es.dead_letters (consumer, position, stream_id, reason) VALUES ('projector:1', {}, %s, 'x')"
)
_RETRACT = "SELECT rm.retract_dead_letters(1, '{2}')"
_REPLACE = """
INSERT INTO rm_g1.audit_events (position, event_id, account_id, time, action, outcome, actor_type, actor_id, actor_name,
    request_id, correlation_id)
SELECT l.position, {}, s.account_id, now(), e.type, 'success', 'user', 'ada', 'Ada', 'r', 'c'
FROM es.log l JOIN es.events e USING (stream_id, version) JOIN es.streams s USING (stream_id) WHERE l.position = 2
"""


def test_the_projector_dead_letters_no_applied_event(database_url: str) -> None:
    with connect(database_url, "regcred_projector", "SET ROLE") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(_DEAD_LETTER.format(1), (OWN,))
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE rm.generations SET position = 0 WHERE generation = 1")


def test_a_dead_letter_is_retracted_only_with_its_replacement(database_url: str) -> None:
    with connect(database_url, "regcred_projector", "SET ROLE") as connection:
        connection.execute(
            "SELECT rm.retract_dead_letters(1, '{1}')"
        )  # no dead letter, so nothing is deleted
        connection.execute(_RETRACT)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not written again"):
            connection.commit()
        connection.execute(_RETRACT)
        connection.execute(_REPLACE.format("gen_random_uuid()"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not written again"):
            connection.commit()
        connection.execute(_RETRACT)
        connection.execute(_REPLACE.format("e.event_id"))
        connection.commit()
    with psycopg.connect(database_url) as owner:
        assert owner.execute("SELECT count(*) FROM rm_g1.audit_events").fetchone() == (2,)
        assert owner.execute("SELECT count(*) FROM rm.retracted").fetchone() == (0,)


def test_the_relay_destroys_only_secrets_that_the_log_does_not_need(database_url: str) -> None:
    destroy = "UPDATE encrypted.secrets SET ciphertext = NULL, nonce = NULL WHERE credential_id = %s"
    with connect(database_url, "regcred_relay", "SET ROLE") as relay, psycopg.connect(database_url) as owner:
        assert relay.execute(destroy, (OWN,)).rowcount == 0
        relay.rollback()
        removed = request(OWN, "credential.removed", version=1, data=credential_data(OWN))
        owner.execute(f"SELECT es.append('credential', {removed})")
        owner.commit()
        assert relay.execute(destroy, (OWN,)).rowcount == 1
        relay.rollback()
