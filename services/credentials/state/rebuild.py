"""Write the rows of `credentials.current` and `credentials.usages` again that differ from the log."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from credentials.state.comparison import current_differences, usage_differences
from eventlog.integrity import set_back_positions
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
                                       %(workload_name)s, %(last_issued_at)s, %(secret_version)s)
"""


@dataclass(frozen=True, slots=True)
class RebuiltState:
    """The number of rows that were written again, and the credentials that could not be.

    Another credential has taken the name of each of `name_taken` while its row was missing or had another
    name. They are not issued until one of the two is renamed.
    """

    changed: int
    name_taken: tuple[UUID, ...]


def rebuild_state(database_url: str, keys: KeyFile) -> RebuiltState:
    """Write every row that differs from the log, in one transaction, and set back positions after its end.

    The login must own the schema. Rows whose events cannot be read remain as they are.

    Raises:
        KeyFileError: the key file is of another installation.
    """
    with psycopg.connect(database_url, application_name=_APPLICATION, connect_timeout=5) as connection:
        connection.execute(_LOCK)
        changed, name_taken = _rebuild_current(connection, keys)
        for usage in list(usage_differences(connection, keys)):
            if usage.stored is not None:
                connection.execute(_DELETE_USAGE, usage.stored)
            if usage.expected is not None:
                connection.execute(_INSERT_USAGE, usage.expected)
            changed += 1
        changed += set_back_positions(connection)
    return RebuiltState(changed, tuple(name_taken))


def _rebuild_current(connection: psycopg.Connection[Any], keys: KeyFile) -> tuple[int, list[UUID]]:
    """Delete all rows that differ before the first is inserted: two rows may have exchanged their names."""
    changed, name_taken = 0, []
    for _, found in current_differences(connection, keys):
        if found.problem != "not_compared":
            connection.execute("DELETE FROM credentials.current WHERE credential_id = %s", (found.key,))
            changed += found.problem == "unexpected"  # the others are counted when they are inserted
    for row, found in current_differences(connection, keys):
        if row is not None and found.problem == "missing":
            columns = sql.SQL(", ").join(map(sql.Identifier, row))
            values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
            statement = sql.SQL(
                "INSERT INTO credentials.current ({}) VALUES ({})"
                " ON CONFLICT (account_id, lower(name)) DO NOTHING"
            ).format(columns, values)
            if connection.execute(statement, list(row.values())).rowcount:
                changed += 1
            else:
                name_taken.append(row["credential_id"])
    return changed, name_taken
