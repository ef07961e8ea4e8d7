"""The logins of services: each may act as its own group role, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from chassis.database_roles import memberships
from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from operations.migrate.identities import GROUP_ROLES, IDENTITIES
from operations.migrate.logins import prepare_logins
from operations.migrate.migrations import migrate
from tests.support.postgres import migrated_database
from tests.support.tls_postgres import TLSPostgres

SERVICES = {identity.login: identity.role for identity in IDENTITIES.values() if identity.role}


def passwords(folder: Path, password: str) -> None:
    for login in SERVICES:
        (folder / f"{login}.password").write_text(f"{password}\n")


@pytest.fixture(params=["the wheel", "Debian"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of the newest and, from Debian, of an older PostgreSQL."""
    if request.param == "the wheel":
        with migrated_database() as url:
            yield url
        return
    authority = new_authority(now())
    (tmp_path / "ca.crt").write_text(authority.certificate)
    with TLSPostgres(new_server(authority, ["postgres"], now())) as server:
        server.require_passwords()
        url = server.url(host="postgres", authority=tmp_path / "ca.crt")
        migrate(url)
        yield url


def test_a_login_is_a_member_of_its_own_role_and_its_password_changes(database: str, tmp_path: Path) -> None:
    passwords(tmp_path, "first")
    prepare_logins(database, tmp_path)
    passwords(tmp_path, "second")
    prepare_logins(database, tmp_path)
    for login, role in SERVICES.items():
        with psycopg.connect(make_conninfo(database, user=login, password="second")) as connection:
            held = memberships(connection, GROUP_ROLES)
        assert {name for name, member in held.items() if member} == {role}
