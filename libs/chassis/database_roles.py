"""Database roles: the logins of services, and which roles a login may take on."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from chassis.database import Connection, scalar


def prepare_logins(
    database_url: str, *, roles: Sequence[str], logins: Mapping[str, str], passwords: Mapping[str, str]
) -> None:
    """Create the logins of services, or give existing ones their current passwords.

    Safe to repeat and to run twice at once. The URL's login owns the database and may create roles. It
    becomes a member of all `roles` itself, for operator commands and the first token.

    Args:
        database_url: the database, as its owner.
        roles: the group roles that the migrations create.
        logins: the name of each login, and the group role that it becomes a member of.
        passwords: the password of each login.
    """
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('regcred logins'))")
        for role in roles:
            connection.execute(
                sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE").format(sql.Identifier(role))
            )
        for login, role in logins.items():
            _prepare(connection, login, role, passwords[login])


def _prepare(connection: Connection, login: str, role: str, password: str) -> None:
    known = scalar(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", (login,))
    verb = sql.SQL("ALTER" if known else "CREATE")
    # The login has no right of its own: it acts as the group role, or not at all.
    statement = sql.SQL("{} ROLE {} LOGIN NOINHERIT PASSWORD {}")
    connection.execute(statement.format(verb, sql.Identifier(login), sql.Literal(password)))
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(connection.info.dbname), sql.Identifier(login)
        )
    )


def memberships(connection: Connection, roles: Sequence[str]) -> dict[str, bool]:
    """Those of `roles` that exist, and whether the login of the connection may take each on."""
    return dict(
        connection.execute(
            "SELECT rolname, pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = ANY (%s)",
            (list(roles),),
        ).fetchall()
    )
