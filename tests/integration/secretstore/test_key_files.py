"""Only the key file of the installation is used with its database."""

import os
import subprocess
import sys
from pathlib import Path
from secrets import token_bytes

import psycopg
import pytest
from click.testing import CliRunner

from chassis.database import open_pool
from operations.migrate.preparation import bind_keys, prepare_keys
from regcred.__main__ import main
from secretstore.installation import WrongKeyFile, compare_keys, record_keys
from secretstore.keyfile import KEY_BYTES, KeyFile, KeyFileError
from secretstore.personal_keys import open_personal_keys
from tests.integration.secretstore.installations import START, settings_of

K1, K2, PEPPER = (token_bytes(KEY_BYTES) for _ in range(3))


def keys(pepper: bytes = PEPPER, **named: bytes) -> KeyFile:
    return KeyFile(primary=min(named), keys=named, pepper=pepper)


def test_a_key_file_with_a_further_key_is_accepted_and_the_former_one_is_not(
    connection: psycopg.Connection,
) -> None:
    record_keys(keys(k1=K1), connection)
    record_keys(keys(k1=K1, k2=K2), connection)
    compare_keys(keys(k1=K1, k2=K2), connection)
    with pytest.raises(WrongKeyFile, match=r"lacks key k2.*Restore the key file"):
        compare_keys(keys(k1=K1), connection)


@pytest.mark.parametrize("wrong", [keys(k1=K2), keys(k1=K1, pepper=K2), keys(k1=K2, k2=K2)])
def test_another_key_or_pepper_is_refused_and_not_recorded(
    connection: psycopg.Connection, wrong: KeyFile
) -> None:
    record_keys(keys(k1=K1), connection)
    for examine in (compare_keys, record_keys):
        with pytest.raises(WrongKeyFile, match=r"of another installation.*Restore the key file"):
            examine(wrong, connection)
    compare_keys(keys(k1=K1), connection)


def test_a_check_value_contains_no_key(connection: psycopg.Connection) -> None:
    record_keys(keys(k1=K1), connection)
    rows: dict[str, str] = dict(
        connection.execute("SELECT name, value FROM installation.key_checks").fetchall()
    )
    assert set(rows) == {"key k1", "pepper"}
    assert all(key.hex() not in value for value in rows.values() for key in (K1, PEPPER))
    assert keys(k2=K1).check_values()["key k2"] != rows["key k1"]  # it depends on the name


@pytest.mark.parametrize("role", ["relay", "verifier", "projector", "query"])
def test_only_the_credentials_service_records_keys(url: str, role: str) -> None:
    with (
        psycopg.connect(url, autocommit=True, options=f"-c role=regcred_{role}") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        record_keys(keys(k1=K1), connection)


@pytest.mark.parametrize("service", START)
def test_every_service_refuses_another_key_file(url: str, tmp_path: Path, service: str) -> None:
    bind_keys(tmp_path / "right.json", url)
    prepare_keys(tmp_path / "keys.json")
    with pytest.raises(WrongKeyFile, match="of another installation"):
        START[service](settings_of(tmp_path, url))


def test_a_pool_uses_no_connection_to_a_database_of_another_key_file(url: str, tmp_path: Path) -> None:
    """The database was not reachable when the service started."""
    bind_keys(tmp_path / "right.json", url)

    def examine(connection: psycopg.Connection) -> None:
        compare_keys(keys(k1=K1), connection)

    with open_pool(url, role="regcred_query", size=1, examine=examine) as pool:
        pool.timeout = 1.0
        with pytest.raises(psycopg.OperationalError), pool.connection():
            pass


def test_a_missing_key_file_beside_data_is_not_replaced(
    url: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    bind_keys(tmp_path / "keys.json", url)
    (tmp_path / "keys.json").unlink()
    with pytest.raises(KeyFileError, match="the data in this database needs it"):
        bind_keys(tmp_path / "keys.json", url)
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
    migrate = ["migrate", "--admin-token", str(tmp_path / "token")]
    refused = CliRunner().invoke(main, migrate, env=environment)
    assert (refused.exit_code, "Restore it from its backup" in refused.stderr) == (1, True)
    others = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    command = [sys.executable, "-m", "regcred", "up"]
    done = subprocess.run(command, env={**others, **environment}, capture_output=True, text=True, check=False)
    assert (done.returncode, "Restore it from its backup" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "keys.json").exists()


def test_an_operator_can_accept_a_new_key_file_after_a_loss(url: str, tmp_path: Path) -> None:
    bind_keys(tmp_path / "keys.json", url)
    (tmp_path / "keys.json").unlink()
    prepare_keys(tmp_path / "keys.json")
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
    shown = CliRunner().invoke(main, ["installation", "show"], env=environment)
    assert (shown.exit_code, "of another installation" in shown.stderr) == (1, True)
    for _ in range(2):
        done = CliRunner().invoke(main, ["installation", "adopt", "--keys"], env=environment)
        assert done.exit_code == 0, done.output
        bind_keys(tmp_path / "keys.json", url)
        (tmp_path / "keys.json").unlink()  # then it creates one
    prepare_keys(tmp_path / "keys.json")
    assert CliRunner().invoke(main, ["installation", "adopt", "--keys"], env=environment).exit_code == 0
    assert CliRunner().invoke(main, ["installation", "show"], env=environment).exit_code == 0


def test_accounts_can_be_used_after_the_loss_of_the_key_file(url: str, tmp_path: Path) -> None:
    """What the lost file encrypted is given up, after a confirmation. Nothing changes without it."""
    lost = open_personal_keys(bind_keys(tmp_path / "keys.json", url))
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
    adopt = ["installation", "adopt", "--keys"]
    with open_pool(url, role="regcred_credentials", size=1) as pool:
        lost.current(pool, "acme")
        (tmp_path / "keys.json").unlink()
        running = CliRunner().invoke(main, [*adopt, "--yes"], env=environment)
        assert running.exit_code == 1, running.output
        assert "stop these services, which still have the former keys: regcred_credentials" in running.stderr
        assert not (tmp_path / "keys.json").exists()
    refused = CliRunner().invoke(main, adopt, env=environment)
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True), refused.output
    assert not (tmp_path / "keys.json").exists()

    done = CliRunner().invoke(main, [*adopt, "--yes"], env=environment)
    assert done.exit_code == 0, done.output
    assert "of 1 accounts is given up" in done.stdout
    with open_pool(url, role="regcred_credentials", size=1) as pool:
        personal = open_personal_keys(bind_keys(tmp_path / "keys.json", url))
        created = personal.current(pool, "acme")
        again = CliRunner().invoke(main, adopt, env=environment)  # changes nothing, so services may run
        assert (again.exit_code, "given up" in again.stdout) == (0, False), again.output
        assert open_personal_keys(bind_keys(tmp_path / "keys.json", url)).current(pool, "acme").number == (
            created.number
        )


def test_an_unreadable_key_of_one_role_costs_no_personal_data_of_another(url: str, tmp_path: Path) -> None:
    """A compromised service stores such a key; an operator gives it up."""
    personal = open_personal_keys(bind_keys(tmp_path / "keys.json", url))
    with open_pool(url, role="regcred_credentials", size=1) as pool:
        number = personal.current(pool, "acme").number
    with psycopg.connect(url, autocommit=True, options="-c role=regcred_query") as query:
        query.execute("SELECT personal.key('acme', 'garbage')")
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
    done = CliRunner().invoke(main, ["installation", "adopt", "--keys", "--yes"], env=environment)
    assert (done.exit_code, "of 1 accounts is given up" in done.stdout) == (0, True), done.output
    with psycopg.connect(url) as owner:
        kept = owner.execute("SELECT number FROM personal.keys WHERE wrapped IS NOT NULL").fetchall()
    assert kept == [(number,)]
