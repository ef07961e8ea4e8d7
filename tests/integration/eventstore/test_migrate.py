"""Migrations: concurrent, repeated, and refused if an applied file was edited or a new one has a low number."""

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis import migrations as chassis_migrations
from chassis.migrations import (
    MigrationChanged,
    MigrationFailed,
    MigrationTooLate,
    applied_migrations,
    migrations,
)
from infra.images.contents import packages
from operations.migrate.migrations import PACKAGES, known_migrations, migrate
from tests.support.log import append_raw, lead, log_is_complete, sequence
from tests.support.postgres import fresh_database
from tests.support.servers import ROOT
from tests.support.timing import PATIENCE

NAMES = [migration.name for migration in known_migrations()]
PROGRAM = (
    "import sys; from operations.migrate.migrations import migrate; print('\\n'.join(migrate(sys.argv[1])))"
)
# Relations, functions and types, without the row types and arrays that come with them.
OBJECTS = """
SELECT n.nspname, 'relation ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'public')
UNION ALL
SELECT n.nspname, 'function ' || p.oid::regprocedure || ' ' || md5(p.prosrc) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
"""
# What its roles may do: a package limits and allows that in the tables of others, too.
RIGHTS = """
SELECT polrelid, polname, '' FROM pg_policy
UNION ALL SELECT attrelid, attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL ORDER BY 1, 2
"""
SCHEMAS = {
    "eventlog": {"es", "personal"},
    "secretstore": {"encrypted", "installation"},
    "auth": {"auth"},
    "credentials": {"credentials"},
    "verifier": {"verifier"},
    "projector": {"rm", "audit"},
}


def test_concurrent_migrations_apply_each_file_once() -> None:
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
        applied = [process.communicate(timeout=PATIENCE)[0].split() for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert sorted(applied) == [[], NAMES]
        assert migrate(url) == []
        with psycopg.connect(url) as superuser:
            generations = superuser.execute("SELECT generation, status FROM rm.generations").fetchall()
        assert generations == [(1, "live")]


def test_a_second_database_of_a_cluster_is_migrated() -> None:
    with fresh_database() as first, fresh_database() as second:
        assert migrate(first) == migrate(second) == NAMES


def test_an_edited_migration_is_refused() -> None:
    with fresh_database() as url:
        migrate(url)
        with psycopg.connect(url) as superuser:
            superuser.execute("UPDATE regcred_migrations SET checksum = 'x' WHERE name = %s", (NAMES[0],))
        with pytest.raises(MigrationChanged, match="no upgrade from versions before") as refused:
            migrate(url)
        assert refused.value.name == NAMES[0]


def test_a_database_of_a_version_before_0_9_0_is_refused_unchanged() -> None:
    """Its files had other names, and higher numbers."""
    with fresh_database() as url, psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute(
            "CREATE TABLE regcred_migrations (name text PRIMARY KEY, checksum text, applied_at timestamptz)"
        )
        superuser.execute(
            "INSERT INTO regcred_migrations VALUES ('0010_event_log.sql'), ('0220_rebuild_shards.sql')"
        )
        with pytest.raises(MigrationTooLate, match="no upgrade from versions before"):
            migrate(url)
        assert superuser.execute(OBJECTS).fetchall() == []


def test_a_new_migration_with_an_earlier_number_is_refused() -> None:
    with fresh_database() as url:
        chassis_migrations.migrate(url, ["secretstore"])
        with pytest.raises(MigrationTooLate) as refused:
            migrate(url)
        assert refused.value.name == NAMES[0]


def test_the_image_of_the_tools_has_all_migrations(tmp_path: Path) -> None:
    """Its packages are enough to prepare a database; no other package can be imported."""
    for package in packages("tools"):
        shutil.copytree(ROOT / package, tmp_path / package)
    path = ":".join(str(tmp_path / root) for root in ("libs", "services", "tools"))
    path = f"{path}:{Path(psycopg.__file__).parent.parent}"
    with fresh_database() as url:
        done = subprocess.run(
            [sys.executable, "-S", "-c", PROGRAM, url],
            env={"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.split() == NAMES, done.stderr


def test_each_migration_changes_objects_of_its_owner_only() -> None:
    """Applied one after another, each file adds or replaces objects in the schemas of its owner only."""
    with fresh_database() as url, psycopg.connect(url, autocommit=True) as superuser:
        before, allowed = set(superuser.execute(OBJECTS).fetchall()), superuser.execute(RIGHTS).fetchall()
        for migration in migrations(PACKAGES):
            owner = migration.name.split("_")[1]
            superuser.execute(migration.text)
            after = set(superuser.execute(OBJECTS).fetchall())
            rights = superuser.execute(RIGHTS).fetchall()
            assert (after, rights) != (before, allowed), migration.name
            assert {schema for schema, _ in after ^ before} <= SCHEMAS[owner], migration.name
            before, allowed = after, rights


def test_the_event_log_needs_no_other_package() -> None:
    with fresh_database() as url:
        chassis_migrations.migrate(url, ["eventlog.storage"])
        with psycopg.connect(url, autocommit=True) as superuser:
            append_raw(superuser, "alone", 0, "alone-1")
            append_raw(superuser, "alone", 1, "alone-2")
            assert sequence(superuser, lead(superuser)) == 2
            assert log_is_complete(superuser)
            superuser.execute("INSERT INTO es.checkpoints (consumer, position) VALUES ('reader', 1)")
            figures = superuser.execute("SELECT consumer, lag_events FROM es.consumer_metrics()").fetchall()
    assert figures == [("reader", 1)]


def test_a_migration_that_fails_changes_nothing_and_a_newer_one_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does an earlier file of the same run, so that the former version works as before."""
    package = f"{tmp_path.name}_upgrade"
    (tmp_path / package / "schema").mkdir(parents=True)
    (tmp_path / package / "__init__.py").touch()
    files = {"9001_upgrade_first.sql": "CREATE SCHEMA upgraded", "9002_upgrade_second.sql": "SELECT 1 / 0"}
    for name, text in files.items():
        (tmp_path / package / "schema" / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with fresh_database() as url, psycopg.connect(url, autocommit=True) as superuser:
        migrate(url)
        with pytest.raises(MigrationFailed, match="9002_upgrade_second"):
            chassis_migrations.migrate(url, [*PACKAGES, package])
        assert sorted(applied_migrations(superuser)) == NAMES
        assert superuser.execute("SELECT FROM pg_namespace WHERE nspname = 'upgraded'").fetchone() is None
        (tmp_path / package / "schema" / "9002_upgrade_second.sql").write_text("SELECT 1")
        assert chassis_migrations.migrate(url, [*PACKAGES, package]) == sorted(files)

        with capture_logs() as logs:
            assert migrate(url) == []  # as the release before does during an upgrade and after a return
        assert [(line["event"], line["migration"]) for line in logs] == [
            ("database_of_newer_release", "9002_upgrade_second.sql")
        ]


def test_migration_numbers_increase() -> None:
    numbers = [int(name[:4]) for name in NAMES]
    assert all(one < next_one for one, next_one in pairwise(numbers))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("0010_one_a.sql", "0010_two_b.sql"), "have the same number"),
        (("10_one_a.sql",), "is not named"),
        (("0010_one.sql",), "is not named"),
    ],
)
def test_files_with_wrong_names_or_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], message: str
) -> None:
    packages = [f"{tmp_path.name}_{number}" for number, _ in enumerate(names)]
    for package, name in zip(packages, names, strict=True):
        (tmp_path / package / "schema").mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "schema" / name).write_text("SELECT 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=message):
        migrations(packages)
