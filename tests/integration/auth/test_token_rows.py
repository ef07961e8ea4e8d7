"""Rows of tokens that the service has not written: an upgrade from 0.9.0, and changes by hand."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from chassis.authentication.factory import open_tokens
from chassis.authentication.tokens import Principal, TokenScope, parse
from chassis.database import open_pool
from credentials.application.service_tokens import RequestedToken
from operations.migrate.preparation import accept_former_tokens, bind_keys, prepare, prepare_admin_token
from regcred.__main__ import main
from tests.support.postgres import fresh_database
from tests.support.tokens import metadata, service_tokens, store_token

CODES = "0084_auth_token_events.sql"


class Installation:
    """A prepared database with its key file."""

    def __init__(self, home: Path, url: str) -> None:
        self.url = url
        self._environment: dict[str, str | None] = {
            **{name: None for name in os.environ if name.startswith("REGCRED_")},
            "REGCRED_HOME": str(home),
            "REGCRED_DATABASE_URL": url,
        }
        self.applied = prepare(url, None)
        self.keys = bind_keys(home / "keys.json", url)

    def token(self, *scopes: TokenScope, accounts: frozenset[str] | None = None) -> str:
        return store_token(self.url, self.keys, scopes, accounts=accounts)

    def principal(self, token: str) -> Principal | None:
        with open_pool(self.url, role="regcred_query", size=1) as pool:
            return open_tokens(pool, self.keys).authenticate(token)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env=self._environment)

    def finding(self) -> dict[str, str]:
        found = json.loads(self.run("doctor", "--json").stdout)["items"]
        return next(item for item in found if item["check"] == "database.state")

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute(statement, values)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with fresh_database() as url:
        yield Installation(tmp_path, url)


def test_tokens_of_0_9_0_are_accepted_once_by_the_migration(installation: Installation) -> None:
    assert CODES in installation.applied
    admin = installation.token(TokenScope.ADMIN, accounts=frozenset({"acme"}))
    prometheus = installation.token(TokenScope.AUDIT_READ, accounts=frozenset())
    before = installation.principal(admin)
    installation.execute("UPDATE auth.tokens SET mac = NULL")  # as 0.9.0 has written them
    assert installation.principal(admin) is None

    accept_former_tokens([], installation.url, installation.keys)  # another run of the migrations
    assert installation.principal(admin) is None
    accept_former_tokens(installation.applied, installation.url, installation.keys)
    assert installation.principal(admin) == before
    metrics = installation.principal(prometheus)
    assert metrics is not None
    assert (metrics.scopes, metrics.is_unlimited) == (frozenset({TokenScope.METRICS_READ}), True)
    assert installation.finding()["result"] == "ok"


def test_a_changed_row_is_found_and_accepted_by_an_operator_only(installation: Installation) -> None:
    token = installation.token(TokenScope.AUDIT_READ, accounts=frozenset({"acme"}))
    assert installation.finding()["result"] == "ok"
    installation.execute("UPDATE auth.tokens SET accounts = NULL")
    found = installation.finding()
    assert found["result"] == "failed"
    assert "auth.tokens" in found["sentence"]
    assert "accept-tokens" in found["remedy"]
    verified = installation.run("log", "verify")
    assert verified.exit_code == 1
    assert "auth.tokens" in verified.output

    declined = CliRunner().invoke(main, ["installation", "accept-tokens"], env=installation._environment)
    assert "audit:read" in declined.output
    assert installation.principal(token) is None
    accepted = installation.run("installation", "accept-tokens", "--yes")
    assert accepted.exit_code == 0, accepted.output
    principal = installation.principal(token)
    assert principal is not None
    assert principal.accounts is None
    assert "of every token" in installation.run("installation", "accept-tokens").output


def test_a_row_from_before_a_revocation_is_found_and_stays_revoked(installation: Installation) -> None:
    token = installation.token(TokenScope.ADMIN)
    other = installation.token(TokenScope.ADMIN)
    found = parse(token)
    assert found
    with psycopg.connect(installation.url, autocommit=True) as owner:
        owner.execute("CREATE TABLE former AS SELECT * FROM auth.tokens")
        revoke(installation, other, found.token_id)
        owner.execute("DELETE FROM auth.tokens WHERE token_id = %s", (found.token_id,))
        owner.execute("INSERT INTO auth.tokens SELECT * FROM former WHERE token_id = %s", (found.token_id,))
    assert installation.principal(token) is None
    assert found.token_id in installation.finding()["sentence"]
    assert installation.run("installation", "accept-tokens", "--yes").exit_code == 0
    assert installation.principal(token) is None
    assert installation.finding()["result"] == "ok"


def revoke(installation: Installation, admin: str, token_id: str) -> None:
    principal = installation.principal(admin)
    assert principal
    with open_pool(installation.url, role="regcred_credentials", size=1) as pool:
        assert service_tokens(pool, installation.keys).revoke(principal, token_id, metadata())


def test_a_deleted_row_of_a_valid_token_is_found_and_then_revoked(installation: Installation) -> None:
    with open_pool(installation.url, role="regcred_credentials", size=1) as pool:
        admin = installation.principal(installation.token(TokenScope.ADMIN))
        assert admin
        commands = service_tokens(pool, installation.keys)
        wanted = RequestedToken(
            name="x", scopes=frozenset({TokenScope.AUDIT_READ}), accounts=None, projects=None, expires_at=None
        )
        valid, revoked = (
            commands.create(admin, wanted, None, metadata(), admit=lambda _: None).stored.token_id
            for _ in range(2)
        )
        assert commands.revoke(admin, revoked, metadata())
    installation.execute("DELETE FROM auth.tokens WHERE token_id IN (%s, %s)", valid, revoked)
    found = installation.finding()
    assert found["result"] == "failed"
    assert f"1 rows differ from the log: auth.tokens {valid}: missing" in found["sentence"]
    verified = installation.run("log", "verify")
    assert (verified.exit_code, valid in verified.output) == (1, True)
    assert "accept-tokens" in verified.output

    accepted = installation.run("installation", "accept-tokens", "--yes")
    assert (accepted.exit_code, valid in accepted.output) == (0, True)
    assert "auth.tokens" not in installation.finding()["sentence"]


def test_the_file_of_an_admin_token_of_0_9_0_is_recorded_so_that_a_lost_one_is_revoked(
    installation: Installation, tmp_path: Path
) -> None:
    file, other = tmp_path / "admin.token", tmp_path / "other.token"
    for path in (file, other):
        path.write_text(installation.token(TokenScope.ADMIN))
    # as 0.9.0 has written both
    installation.execute(
        "UPDATE auth.tokens SET mac = NULL, name = 'admin of this machine', created_by = 'regcred up'"
    )
    accept_former_tokens(installation.applied, installation.url, installation.keys)
    former, stays = file.read_text(), other.read_text()
    prepare_admin_token(file, installation.url, installation.keys)
    assert file.read_text() == former
    assert installation.principal(former)

    file.unlink()
    prepare_admin_token(file, installation.url, installation.keys)
    assert installation.principal(former) is None
    assert installation.principal(file.read_text().strip())
    assert installation.principal(stays)


def test_the_row_of_a_token_is_not_sealed_again_for_a_file_with_a_changed_one(
    installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "admin.token"
    file.write_text(installation.token(TokenScope.AUDIT_READ))
    installation.execute("UPDATE auth.tokens SET created_by = 'regcred up', scopes = '{admin}'")
    prepare_admin_token(file, installation.url, installation.keys)
    assert installation.principal(file.read_text()) is None
