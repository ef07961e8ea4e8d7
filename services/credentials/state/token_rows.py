"""Rows of `auth.tokens` that the service has not written: find them, and accept them for an operator.

The connection must be that of the owner of the database. No role of a service has the right to accept rows.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg

from chassis.authentication.token_row import (
    COLUMNS,
    AuthenticateRow,
    TokenRow,
    row_code,
    row_of,
    stream_of_token,
)
from chassis.authentication.tokens import StoredToken, TokenScope
from eventlog.integrity import Difference

Connection = psycopg.Connection[Any]

TOKENS = "auth.tokens"
_ROWS = f"SELECT {COLUMNS} FROM auth.tokens ORDER BY created_at, token_id"  # noqa: S608 constants
_STREAMS = """
SELECT DISTINCT ON (e.stream_id) e.stream_id, e.version, e.type, e.recorded_at
FROM es.streams s JOIN es.events e USING (stream_id)
WHERE s.category = 'service_token' ORDER BY e.stream_id, e.version DESC
"""
_ACCEPT = """
UPDATE auth.tokens SET scopes = %s, accounts = %s, projects = %s, revoked_at = %s, version = %s, mac = %s
WHERE token_id = %s
"""


def token_differences(connection: Connection, authenticate: AuthenticateRow) -> Iterator[Difference]:
    """The rows that authenticate nobody, because the service has not written them in this form."""
    for row, _, _ in _damaged(connection, authenticate):
        yield Difference(TOKENS, row.token.token_id, "changed")


def damaged_tokens(connection: Connection, authenticate: AuthenticateRow) -> list[StoredToken]:
    """The tokens of these rows, as the rows describe them."""
    return [row.token for row, _, _ in _damaged(connection, authenticate)]


def accept_damaged_tokens(connection: Connection, authenticate: AuthenticateRow) -> None:
    """Accept these rows as they are. One whose last event is a revocation is revoked again."""
    with connection.transaction():
        for row, version, revoked_at in _damaged(connection, authenticate):
            _accept(connection, replace(row.token, revoked_at=revoked_at), version, authenticate)


def accept_tokens_of_0_9_0(connection: Connection, authenticate: AuthenticateRow) -> int:
    """Accept every row without a code, in the run that adds the codes. Returns their number.

    A token for no account could only read `/metrics`. It gets the scope for that.
    """
    with connection.transaction():
        rows = [row for row in map(row_of, connection.execute(_ROWS).fetchall()) if row.mac is None]
        for row in rows:
            token = row.token
            if token.accounts == frozenset() and TokenScope.ADMIN not in token.scopes:
                token = replace(
                    token, scopes=frozenset({TokenScope.METRICS_READ}), accounts=None, projects=None
                )
            _accept(connection, token, row.version, authenticate)
    return len(rows)


def _damaged(
    connection: Connection, authenticate: AuthenticateRow
) -> list[tuple[TokenRow, int, datetime | None]]:
    """Each such row with the version of its stream, and the time of a revocation that is its last event.

    A revoked row authenticates nobody, whatever else it says: it is not among them.
    """
    streams = {
        stream_id: (version, recorded_at if kind == "service_token.revoked" else None)
        for stream_id, version, kind, recorded_at in connection.execute(_STREAMS)
    }
    found = []
    for row in map(row_of, connection.execute(_ROWS).fetchall()):
        version, revoked_at = streams.get(stream_of_token(row.token.token_id), (0, None))
        if row.token.revoked_at is None and not row.is_authentic(version, authenticate):
            found.append((row, version, revoked_at))
    return found


def _accept(connection: Connection, token: StoredToken, version: int, authenticate: AuthenticateRow) -> None:
    code = row_code(token, version, authenticate)
    accounts = None if token.accounts is None else sorted(token.accounts)
    projects = None if token.projects is None else sorted(token.projects)
    values = (sorted(token.scopes), accounts, projects, token.revoked_at, version, code, token.token_id)
    connection.execute(_ACCEPT, values)
