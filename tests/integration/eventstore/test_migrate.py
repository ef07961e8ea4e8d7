"""Migrations: by two at once, again, and refused where an applied file was edited."""

import subprocess
import sys
from importlib.resources import files

import psycopg
import pytest

from shared.eventstore.migrate import MigrationChanged, migrate
from tests.support.postgres import fresh_database

NAMES = sorted(
    entry.name
    for entry in (files("shared.eventstore") / "migrations").iterdir()
    if entry.name.endswith(".sql")
)
PROGRAM = "import sys; from shared.eventstore.migrate import migrate; print('\\n'.join(migrate(sys.argv[1])))"


def test_two_processes_at_once_apply_each_file_once() -> None:
    with fresh_database() as url:
        both = [
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, url],
                env={"PYTHONPATH": ":".join(sys.path)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        applied = [process.communicate(timeout=60)[0].split() for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert sorted(applied) == [[], NAMES]
        assert migrate(url) == []


def test_a_second_database_of_the_cluster_finds_the_roles_there() -> None:
    with fresh_database() as first, fresh_database() as second:
        assert migrate(first) == migrate(second) == NAMES


def test_an_edited_file_is_refused() -> None:
    with fresh_database() as url:
        migrate(url)
        with psycopg.connect(url) as superuser:
            superuser.execute("UPDATE regcred_migrations SET checksum = 'x' WHERE name = %s", (NAMES[0],))
        with pytest.raises(MigrationChanged) as refused:
            migrate(url)
        assert refused.value.name == NAMES[0]
