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
_MISSING = """
FROM (SELECT DISTINCT ON (e.stream_id) e.data->>'token_id' AS token_id, e.type, e.version
      FROM es.streams s JOIN es.events e USING (stream_id)
      WHERE s.category = 'service_token' ORDER BY e.stream_id, e.version DESC) AS last
WHERE last.type <> 'service_token.revoked'
  AND NOT EXISTS (SELECT FROM auth.tokens t WHERE t.token_id = last.token_id)
"""
# The hash of a token is only in its row, so a deleted row cannot authenticate again.
_INSERT_REVOKED = f"""
INSERT INTO auth.tokens (token_id, name, hash, scopes, created_at, created_by, revoked_at, version)
SELECT token_id, 'deleted by hand', decode(repeat('00', 32), 'hex'), ARRAY['none'], clock_timestamp(),
       'regcred installation accept-tokens', clock_timestamp(), version {_MISSING}
"""
_LOCKED = f"SELECT {COLUMNS} FROM auth.tokens WHERE token_id = %s FOR UPDATE"  # noqa: S608 constants
_SET_CREATOR = "UPDATE auth.tokens SET created_by = %s, mac = %s WHERE token_id = %s"
_ACCEPT = """
UPDATE auth.tokens SET scopes = %s, accounts = %s, projects = %s, revoked_at = %s, version = %s, mac = %s
WHERE token_id = %s
"""


def token_differences(connection: Connection, authenticate: AuthenticateRow) -> Iterator[Difference]:
    """The rows that authenticate nobody, because the service has not written them in this form or not at all.

    A row is missing if the token has a stream that does not end with its revocation. Tokens of 0.9.0 have no
    stream.
    """
    for row, _, _ in _damaged(connection, authenticate):
        yield Difference(TOKENS, row.token.token_id, "changed")
    for token_id in missing_tokens(connection):
        yield Difference(TOKENS, token_id, "missing")


def missing_tokens(connection: Connection) -> list[str]:
    """The ids of the tokens whose rows somebody has deleted, without the revoked ones."""
    return [token_id for (token_id,) in connection.execute(f"SELECT token_id {_MISSING} ORDER BY 1")]


def damaged_tokens(connection: Connection, authenticate: AuthenticateRow) -> list[StoredToken]:
    """The tokens of these rows, as the rows describe them."""
    return [row.token for row, _, _ in _damaged(connection, authenticate)]


def accept_damaged_tokens(connection: Connection, authenticate: AuthenticateRow) -> None:
    """Accept these rows as they are. One whose last event is a revocation is revoked again.

    A token whose row is missing gets a row that is revoked.
    """
    with connection.transaction():
        connection.execute(_INSERT_REVOKED)
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


def record_creator_of_0_9_0(
    connection: Connection, token: StoredToken, authenticate: AuthenticateRow, *, former: str, creator: str
) -> None:
    """Write `creator` into the row of `token`, if it is authentic, of 0.9.0, and `former` created it."""
    with connection.transaction():
        columns = connection.execute(_LOCKED, (token.token_id,)).fetchone()
        row = None if columns is None else row_of(columns)
        if row is None or row.token.created_by != former or not row.is_authentic(0, authenticate):
            return
        code = row_code(replace(row.token, created_by=creator), 0, authenticate)
        connection.execute(_SET_CREATOR, (creator, code, token.token_id))


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
