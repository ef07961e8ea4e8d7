"""Write the rows of `credentials.current` and `credentials.usages` again that differ from the log."""

from typing import Any

import psycopg
from psycopg import sql

from credentials.state.comparison import current_differences, usage_differences
from secretstore.keyfile import KeyFile

_APPLICATION = "regcred:state"
# Readers continue. Commands and issuances that write a row wait, and find the new one.
_LOCK = "LOCK TABLE credentials.current, credentials.usages IN EXCLUSIVE MODE"
_DELETE_USAGE = """
DELETE FROM credentials.usages WHERE credential_id = %(credential_id)s AND project_id = %(project_id)s
    AND workload_kind = %(workload_kind)s AND workload_name = %(workload_name)s
"""
_INSERT_USAGE = """
INSERT INTO credentials.usages VALUES (%(credential_id)s, %(project_id)s, %(workload_kind)s,
                                       %(workload_name)s, %(expected_at)s, %(expected_version)s)
"""


def rebuild_state(database_url: str, keys: KeyFile) -> int:
    """Write every row that differs from the log, in one transaction. Returns the number of rows.

    The login must own the schema. Rows whose events cannot be read remain as they are.

    Raises:
        KeyFileError: the key file is of another installation.
    """
    with psycopg.connect(database_url, application_name=_APPLICATION, connect_timeout=5) as connection:
        connection.execute(_LOCK)
        changed = _rebuild_current(connection, keys)
        for row in usage_differences(connection):
            connection.execute(_DELETE_USAGE, row)
            if row["expected_at"] is not None:
                connection.execute(_INSERT_USAGE, row)
            changed += 1
    return changed


def _rebuild_current(connection: psycopg.Connection[Any], keys: KeyFile) -> int:
    """Delete all rows that differ before the first is inserted: two rows may have exchanged their names."""
    changed = 0
    for _, found in current_differences(connection, keys):
        if found.problem != "not_compared":
            connection.execute("DELETE FROM credentials.current WHERE credential_id = %s", (found.key,))
            changed += found.problem == "unexpected"  # the others are counted when they are inserted
    for row, found in current_differences(connection, keys):
        if row is not None and found.problem == "missing":
            columns = sql.SQL(", ").join(map(sql.Identifier, row))
            values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
            statement = sql.SQL("INSERT INTO credentials.current ({}) VALUES ({})").format(columns, values)
            connection.execute(statement, list(row.values()))
            changed += 1
    return changed
