"""Compare the state on which commands decide with the log.

Both are written in the same transactions, so every difference is a change by others than the service. The
rows are streamed in the order of the credentials: only one of them is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from contracts.credential import Absent, Active, Credential, evolve
from contracts.verification_events import VerificationFailed, VerificationSucceeded, verdict_of
from credentials.current_row import authenticate_rows, authentication_code, current_row
from eventlog.events import EventError, StoredEvent, decode_event
from eventlog.integrity import Difference, difference, merge_rows, position_differences
from eventlog.storage import stream_grouped
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

Connection = psycopg.Connection[Any]
Row = Mapping[str, Any]

CURRENT = "credentials.current"
USAGES = "credentials.usages"
UNREADABLE: Row = {}  # in place of a row whose events cannot be read

# The state of a credential comes from its own stream, the last verdict from the stream of its verifications.
_GROUP = "CASE s.category WHEN 'verification' THEN (e.data->>'credential_id')::uuid ELSE e.stream_id END"
_WHERE = "s.category IN ('credential', 'verification')"
_ORDER = "s.category, e.version"
_CURRENT = "SELECT * FROM credentials.current ORDER BY credential_id"
# As `credentials.issue` writes them. The removal of a credential deletes its usages.
_USAGES = """
SELECT credential_id, project_id, workload_kind, workload_name, x.last_issued_at AS expected_at,
       x.secret_version AS expected_version, u.last_issued_at, u.secret_version
FROM (SELECT (e.data->>'credential_id')::uuid AS credential_id, e.data->>'project_id' AS project_id,
             e.data#>>'{workload,kind}' AS workload_kind, e.data#>>'{workload,name}' AS workload_name,
             max((e.meta->>'occurred_at')::timestamptz) AS last_issued_at,
             (array_agg((e.data->>'secret_version')::integer ORDER BY e.seq DESC))[1] AS secret_version
      FROM es.events e JOIN es.streams s USING (stream_id)
      JOIN LATERAL (SELECT r.type FROM es.events r WHERE r.stream_id = (e.data->>'credential_id')::uuid
                    ORDER BY r.version DESC LIMIT 1) AS newest ON newest.type <> 'credential.removed'
      WHERE s.category = 'issuance' AND e.type = 'secret.issued'
      GROUP BY 1, 2, 3, 4) AS x
FULL JOIN credentials.usages u USING (credential_id, project_id, workload_kind, workload_name)
WHERE (x.last_issued_at, x.secret_version) IS DISTINCT FROM (u.last_issued_at, u.secret_version)
ORDER BY credential_id
"""


def state_differences(connection: Connection, keys: KeyFile | None) -> Iterator[Difference]:
    """The rows of `credentials.current` and `credentials.usages` that differ, and positions after its end.

    The connection is in a transaction, with one snapshot for all statements. Without `keys`, names and
    authentication codes are not compared.

    Raises:
        KeyFileError: the key file is of another installation.
    """
    for _, found in current_differences(connection, keys):
        yield found
    for row in usage_differences(connection):
        yield _usage_difference(row)
    yield from position_differences(connection)


def current_differences(
    connection: Connection, keys: KeyFile | None
) -> Iterator[tuple[Row | None, Difference]]:
    """The differences of `credentials.current`, each with the expected row (`None`: there is none)."""
    rows = merge_rows(_expected_rows(connection, keys), _stored_rows(connection))
    for credential_id, expected, stored in rows:
        if expected is UNREADABLE:
            yield None, Difference(CURRENT, str(credential_id), "not_compared")
            continue
        compared = {**stored} if stored is not None else None
        if compared is not None and keys is None:
            del compared["mac"], compared["name"]
        found = difference(CURRENT, credential_id, expected, compared)
        if found is not None:
            yield expected, found


def usage_differences(connection: Connection) -> Iterator[dict[str, Any]]:
    """The rows of `credentials.usages` that differ, with the expected and the stored values."""
    with connection.cursor(name="usages", row_factory=dict_row) as cursor:
        yield from cursor.execute(_USAGES)


def _usage_difference(row: Row) -> Difference:
    key = f"{row['credential_id']} {row['project_id']} {row['workload_kind']}/{row['workload_name']}"
    if row["last_issued_at"] is None:
        return Difference(USAGES, key, "missing")
    if row["expected_at"] is None:
        return Difference(USAGES, key, "unexpected")
    pairs = {"last_issued_at": "expected_at", "secret_version": "expected_version"}
    return Difference(
        USAGES, key, "changed", tuple(name for name, expected in pairs.items() if row[name] != row[expected])
    )


def _stored_rows(connection: Connection) -> Iterator[tuple[UUID, Row]]:
    with connection.cursor(name="current", row_factory=dict_row) as cursor:
        for row in cursor.execute(_CURRENT):
            yield row["credential_id"], row


def _expected_rows(connection: Connection, keys: KeyFile | None) -> Iterator[tuple[UUID, Row]]:
    personal = open_personal_keys(keys) if keys is not None else None
    events = stream_grouped(connection, group=_GROUP, where=_WHERE, order=_ORDER, personal=personal)
    for credential_id, group in groupby(events, key=itemgetter(0)):
        if credential_id is None:
            continue
        try:
            row = _row_after(stored for _, stored in group)
        except EventError:
            row = UNREADABLE
        if row is not None:
            if keys is not None and row is not UNREADABLE:
                row = {**row, "mac": authentication_code(row, authenticate_rows(keys))}
            yield credential_id, row


def _row_after(events: Iterable[StoredEvent]) -> Row | None:
    """The row after the events of a credential and then those of its verifications."""
    state: Credential = Absent()
    account_id, version = "", 0
    added_at: datetime | None = None
    verified_version, code = 0, None
    for stored in events:
        event = decode_event(stored)
        payload, account = event.payload, event.metadata.account_id
        if stored.stream.category == "credential":
            state, version = evolve(state, payload), stored.version
            if version == 1:
                account_id, added_at = account, stored.recorded_at
        elif (
            isinstance(payload, VerificationSucceeded | VerificationFailed)
            and account == account_id
            and payload.secret_version >= verified_version  # as `verifier.append`: not of an older secret
        ):
            verified_version, (_, code) = payload.secret_version, verdict_of(payload)
    if not isinstance(state, Active):
        return None
    return {
        **current_row(state, account_id=account_id, version=version),
        "added_at": added_at,
        "verified_version": verified_version,
        "verification_code": code,
    }
