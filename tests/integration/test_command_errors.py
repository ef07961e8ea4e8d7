"""Mistakes of operators that show only when the database is there."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from chassis.authentication.tokens import parse
from tests.support.operator_commands import run_command
from tests.support.postgres import fresh_database
from tests.support.servers import free_port


@pytest.mark.parametrize("command", ["migrate", "up"])
def test_an_unreachable_broker_is_reported(tmp_path: Path, command: str) -> None:
    broker = f"amqp://regcred:canary-1f0c@127.0.0.1:{free_port()}/"
    assert "the broker is unavailable" in failure(tmp_path, command, REGCRED_BROKER_URL=broker)


@pytest.mark.parametrize("command", ["up", "migrate --admin-token token"])
def test_a_key_file_that_cannot_be_created_is_reported(tmp_path: Path, command: str) -> None:
    sentence = "cannot create the key file /nope/keys.json: No such file or directory"
    assert sentence in failure(tmp_path, command, REGCRED_KEY_FILE="/nope/keys.json")


@pytest.mark.parametrize("option", ["--admin-token", "--metrics-token"])
def test_a_token_file_that_cannot_be_created_is_reported(tmp_path: Path, option: str) -> None:
    sentence = "/nope/token cannot be read or written: No such file or directory"
    assert sentence in failure(tmp_path, f"migrate {option} /nope/token")


def test_a_token_file_that_contains_no_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert "does not contain a token" in failure(tmp_path, f"migrate --admin-token {tmp_path}/token")


def test_an_empty_token_file_is_replaced(tmp_path: Path) -> None:
    """A full disk or a power failure can leave one."""
    (tmp_path / "token").touch()
    with fresh_database() as url:
        environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
        result = run_command(f"migrate --admin-token {tmp_path}/token", environment)
    assert result.exit_code == 0, result.output
    assert parse((tmp_path / "token").read_text().strip())
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"keys.json", "token"}


def test_a_missing_password_file_is_reported(tmp_path: Path) -> None:
    sentence = f"{tmp_path}/regcred-credentials.password cannot be read or written"
    assert sentence in failure(tmp_path, f"migrate --logins {tmp_path}")


def test_a_login_without_rights_is_reported(tmp_path: Path) -> None:
    with fresh_database() as url, psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE regcred_weak LOGIN PASSWORD 'weak'")
        try:
            weak = make_conninfo(url, user="regcred_weak", password="weak")
            sentence = failure(tmp_path, "migrate", REGCRED_DATABASE_URL=weak)
        finally:
            owner.execute("DROP ROLE regcred_weak")
    assert "the login of the database lacks a right: permission denied" in sentence


def test_a_migration_that_fails_is_reported(tmp_path: Path) -> None:
    with fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("CREATE SCHEMA es")
        sentence = failure(tmp_path, "migrate", REGCRED_DATABASE_URL=url)
    assert "migration 0010_eventlog_log.sql failed and was rolled back: " in sentence
    assert 'schema "es" already exists' in sentence


def failure(home: Path, command: str, **variables: str) -> str:
    """Run a command that must end with one sentence and exit code 1. Return the sentence."""
    with fresh_database() as url:
        environment = {
            "REGCRED_HOME": str(home),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_LISTEN": f"127.0.0.1:{free_port()}",
            **variables,
        }
        result = run_command(command, environment)
    assert result.exit_code == 1, result.output
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    return last
