"""Creates the roles and logins of services, and reads the roles that a login may switch to."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from chassis.database import Connection, scalar

_INHERIT_OPTION = 160_000  # the version of PostgreSQL that has it


def create_roles(database_url: str, roles: Sequence[str]) -> None:
    """Create the group roles that do not exist. A dump refers to roles and does not contain them."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        known = memberships(connection, roles)
        for role in sorted(set(roles) - known.keys()):
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))


def prepare_logins(
    database_url: str, *, roles: Sequence[str], logins: Mapping[str, str], passwords: Mapping[str, str]
) -> None:
    """Create the logins of services, or set the passwords of existing ones.

    Safe to repeat and to run concurrently. The login of the URL owns the database and can create roles. It
    becomes a member of all `roles`, for operator commands and the first token.

    Args:
        database_url: the database, as its owner.
        roles: the group roles, which migrations create.
        logins: the name of each login, and the group role that it becomes a member of.
        passwords: the password of each login.
    """
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('regcred logins'))")
        # PostgreSQL 15 does not know the option. The owner then has the rights without switching to the role.
        option = " WITH INHERIT FALSE" if connection.info.server_version >= _INHERIT_OPTION else ""
        for role in roles:
            grant = sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role))
            connection.execute(grant + sql.SQL(option))
        for login, role in logins.items():
            _prepare(connection, login, role, passwords[login])


def _prepare(connection: Connection, login: str, role: str, password: str) -> None:
    known = scalar(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", (login,))
    verb = sql.SQL("ALTER" if known else "CREATE")
    # The login has no rights. It must switch to the group role.
    statement = sql.SQL("{} ROLE {} LOGIN NOINHERIT PASSWORD {}")
    connection.execute(statement.format(verb, sql.Identifier(login), sql.Literal(password)))
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(connection.info.dbname), sql.Identifier(login)
        )
    )


def memberships(connection: Connection, roles: Sequence[str]) -> dict[str, bool]:
    """The existing ones of `roles`, and whether the login of the connection may switch to each."""
    return dict(
        connection.execute(
            "SELECT rolname, pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = ANY (%s)",
            (list(roles),),
        ).fetchall()
    )
