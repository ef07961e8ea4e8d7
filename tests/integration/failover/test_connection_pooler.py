"""pgbouncer in transaction mode between the services and PostgreSQL: each refuses to work, and says why.

By its default, pgbouncer refuses the parameters of a session. With `ignore_startup_parameters` it drops them.
"""

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout
from structlog.testing import capture_logs

from chassis.database import DatabaseUnavailable, open_pool
from chassis.database_failure import failure_reason
from chassis.migrations import schema_check
from credentials.relay import sequencer
from operations.migrate.preparation import prepare_keys
from secretstore.installation import open_key_file_of
from tests.support.log import scalar
from tests.support.operator_commands import run_command
from tests.support.postgres import migrated_database
from tests.support.servers import free_port, missing, program
from tests.support.timing import PATIENCE, waiting

ROLE = "regcred_relay"
REASON = "a connection pooler is in between"


@contextmanager
def pgbouncer(url: str, folder: Path, *, options: str) -> Iterator[str]:
    """The URL of the same database through a pgbouncer. It does not run as root."""
    found = program("pgbouncer")
    if found is None:
        missing("pgbouncer", "apt-get install pgbouncer")
    server, port = conninfo_to_dict(url), free_port()
    target = " ".join(
        f"{name}={server[name]}" for name in ("host", "port", "user", "password", "dbname") if name in server
    )
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\ndb = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = transaction\nignore_startup_parameters = {options}\n"
    )
    user = None
    if os.geteuid() == 0:
        user = "pgserver"  # it reads the socket of the database
        for path in (folder, config):
            os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        for path in folder.parents:
            with suppress(PermissionError):
                path.chmod(path.stat().st_mode | 0o011)
    process = subprocess.Popen([found, "-q", config], user=user, stderr=subprocess.DEVNULL)
    try:
        through = f"postgresql://postgres@127.0.0.1:{port}/db"
        waiting(lambda: _answers(through), "pgbouncer answers")
        yield through
    finally:
        process.kill()
        process.wait(PATIENCE)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
        return bool(scalar(connection, "SELECT true"))
    return False


@pytest.fixture(scope="module", params=["extra_float_digits", "extra_float_digits,options"])
def urls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The URL of a database through a pooler, and its own."""
    with (
        migrated_database() as direct,
        pgbouncer(direct, tmp_path_factory.mktemp("pgbouncer"), options=request.param) as through,
    ):
        yield through, direct


def test_a_service_is_not_ready_and_does_not_lead_behind_a_pooler(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    through, direct = urls
    prepare_keys(keys := tmp_path / "keys")
    checks: list[Callable[[], Any]] = [
        schema_check(through, ["eventlog.storage"], role=ROLE),
        lambda: open_key_file_of(through, keys),
    ]
    for check in checks:
        with pytest.raises((DatabaseUnavailable, psycopg.OperationalError)) as refused:
            check()
        assert REASON in failure_reason(refused.value)
    with (
        open_pool(through, role=ROLE, size=1) as pool,
        pytest.raises(PoolTimeout),
        pool.connection(timeout=1),
    ):
        pass
    stop = Event()
    with capture_logs() as lines:
        relay = Thread(target=sequencer.run, args=[through], kwargs={"on_positions": print, "stop": stop})
        relay.start()
        waiting(lambda: "relay_lost_database" in {line["event"] for line in lines}, "the relay says why")
        stop.set()
        relay.join(PATIENCE)
    assert REASON in str(lines)
    with psycopg.connect(direct) as connection:
        assert scalar(connection, "SELECT count(*) FROM es.leases") == 0


def test_commands_of_operators_name_the_pooler(urls: tuple[str, str], tmp_path: Path) -> None:
    environment = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": urls[0]}
    refused = run_command("migrate", environment)
    assert refused.exit_code == 1
    assert REASON in refused.stderr
    found = run_command("doctor", environment)
    assert found.exit_code == 1
    assert REASON in found.output
