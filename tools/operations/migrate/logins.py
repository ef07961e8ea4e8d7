"""A database login for each service, member of the one group role that the migrations give rights to."""

from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from operations.migrate.identities import GROUP_ROLES, IDENTITIES


def prepare_logins(database_url: str, folder: Path) -> None:
    """Make them, or give them the passwords that stand in `folder` as `<login>.password` now.

    The URL's login owns the database and may create roles; it becomes a member of all group roles itself, for
    `regcred projections` and the first token. Safe to repeat and to run twice at once.
    """
    passwords = {
        identity.login: (folder / f"{identity.login}.password").read_text().strip()
        for identity in IDENTITIES.values()
        if identity.role
    }
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('regcred logins'))")
        for role in GROUP_ROLES:
            connection.execute(
                sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE").format(sql.Identifier(role))
            )
        for identity in IDENTITIES.values():
            if identity.role:
                _prepare(connection, identity.login, identity.role, passwords)


def _prepare(
    connection: psycopg.Connection[tuple[object, ...]], login: str, role: str, passwords: Mapping[str, str]
) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    # No right of its own: whoever has the login acts as the group role, or not at all.
    statement = sql.SQL("{} ROLE {} LOGIN NOINHERIT PASSWORD {}")
    connection.execute(statement.format(verb, sql.Identifier(login), sql.Literal(passwords[login])))
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(connection.info.dbname), sql.Identifier(login)
        )
    )
