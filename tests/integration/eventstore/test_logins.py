"""The logins of services: each may act as its own group role, and nothing else."""

from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from chassis.database_roles import memberships
from operations.migrate.identities import GROUP_ROLES, IDENTITIES
from operations.migrate.logins import prepare_logins
from tests.support.postgres import migrated_database

SERVICES = {identity.login: identity.role for identity in IDENTITIES.values() if identity.role}


def passwords(folder: Path, password: str) -> None:
    for login in SERVICES:
        (folder / f"{login}.password").write_text(f"{password}\n")


def test_a_login_is_a_member_of_its_own_role_and_its_password_changes(tmp_path: Path) -> None:
    with migrated_database() as url:
        passwords(tmp_path, "first")
        prepare_logins(url, tmp_path)
        passwords(tmp_path, "second")
        prepare_logins(url, tmp_path)
        for login, role in SERVICES.items():
            with psycopg.connect(make_conninfo(url, user=login, password="second")) as connection:
                held = memberships(connection, GROUP_ROLES)
            assert {name for name, member in held.items() if member} == {role}
