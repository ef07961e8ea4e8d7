"""A database that refuses writes: a standby, a demoted primary, `default_transaction_read_only`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg_pool import PoolTimeout

from chassis.database import Pool, open_pool
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, join
from credentials.bootstrap import command_api
from operations.migrate.migrations import migrate
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from tests.support.operator_commands import run_command
from tests.support.postgres import migrated_database
from tests.support.standby import PrimaryAndStandby
from tests.support.system import add_body
from tests.support.timing import waiting

ACCOUNT = "/v1/accounts/acme"


@pytest.fixture(scope="module")
def servers() -> Iterator[PrimaryAndStandby]:
    with PrimaryAndStandby() as pair:
        migrate(pair.primary)
        yield pair


def settings_of(home: Path, url: str) -> Settings:
    return Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": url})


def client_of(part: ApiPart, token: str) -> FlaskClient:
    client = join([part]).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def add(client: FlaskClient, name: str) -> Any:
    return client.post(f"{ACCOUNT}/credentials", json=add_body(name, "registry.example.com", "octo", "p"))


def test_commands_continue_after_a_promotion(servers: PrimaryAndStandby, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, servers.standby)
    keys = prepare_keys(settings.key_file)
    prepare_admin_token(tmp_path / "admin.token", servers.primary, keys)
    token = (tmp_path / "admin.token").read_text().strip()
    servers.start_standby()
    commands, queries = command_api(settings), query_api(settings)
    of_both = command_api(settings_of(tmp_path, servers.both))
    try:
        writer, reader, any_host = (client_of(part, token) for part in (commands, queries, of_both))
        refused = add(writer, "refused")
        assert (refused.status_code, refused.get_json()["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        with pytest.raises(PoolTimeout):
            commands.checks["database"]()  # not ready
        # A standby serves queries.
        assert reader.get("/readyz").status_code == 200
        assert reader.get(f"{ACCOUNT}/credentials").status_code == 200
        doctor = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": servers.standby}
        assert "it accepts no writes" in run_command("doctor", doctor).output
        # Of two hosts, commands find the primary, wherever it is in the list.
        assert add(any_host, "first").status_code == 201

        servers.stop_primary()
        servers.promote()
        waiting(lambda: writer.get("/readyz").status_code == 200, "ready after the promotion")
        assert add(writer, "second").status_code == 201
        waiting(lambda: add(any_host, "third").status_code in {201, 409}, "of both hosts")
        assert reader.get(f"{ACCOUNT}/credentials").status_code == 200
    finally:
        for part in (commands, queries, of_both):
            part.close()


@pytest.fixture
def demoted() -> Iterator[str]:
    """A database of this test's own."""
    with migrated_database() as url:
        yield url


def write_in_read_only_transaction(pool: Pool) -> None:
    with pool.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("DELETE FROM auth.tokens WHERE false")


def test_a_connection_to_a_read_only_server_is_not_used_again(demoted: str) -> None:
    """As behind a pooler, which does not report that the server became read-only."""
    with open_pool(demoted, role="regcred_credentials", size=1) as pool:
        with pool.connection() as connection:
            before = connection.info.backend_pid
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            write_in_read_only_transaction(pool)
        with pool.connection() as connection:
            assert connection.info.backend_pid != before


@pytest.mark.parametrize(
    "state",
    ["25006", "25P03", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57P02", "58030", "08006"],
)
def test_a_state_of_the_database_is_reported_as_unavailable(demoted: str, tmp_path: Path, state: str) -> None:
    settings = settings_of(tmp_path, demoted)
    prepare_admin_token(tmp_path / "admin.token", demoted, prepare_keys(settings.key_file))
    with psycopg.connect(demoted, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION es.fail() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
        )
        for table in ("es.events", "auth.tokens", "encrypted.secrets"):
            admin.execute(
                f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION es.fail()"
            )
    part = command_api(settings)
    try:
        client = client_of(part, (tmp_path / "admin.token").read_text().strip())
        token = {"name": "t", "scopes": ["admin"], "accounts": ["acme"]}
        removed = ("es.events", "auth.tokens", "encrypted.secrets")
        for answer in (client.post("/v1/service-tokens", json=token), add(client, "one")):
            assert answer.status_code == 503, (state, answer.get_json())
            assert int(answer.headers["Retry-After"]) > 0
        with psycopg.connect(demoted, autocommit=True) as admin:
            for table in removed:
                admin.execute(f"DROP TRIGGER fail ON {table}")
        assert add(client, "one").status_code == 201
    finally:
        part.close()
