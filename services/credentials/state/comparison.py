"""Compare the state on which commands decide with the log.

Both are written in the same transactions, so every difference is a change by others than the service. The
rows are streamed in the order of the credentials: only one of them is in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from contracts.credential import Absent, Active, Credential, evolve
from contracts.issuance_events import SecretIssuedV2
from contracts.release_events import WorkloadReleased
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
# The issuances and releases of each credential that was not removed: its removal deletes its usages.
_ISSUED = "(e.data->>'credential_id')::uuid"
_ISSUED_WHERE = """
(s.category = 'issuance' AND e.type = 'secret.issued' OR s.category = 'release') AND
(SELECT r.type FROM es.events r WHERE r.stream_id = (e.data->>'credential_id')::uuid
 ORDER BY r.version DESC LIMIT 1) <> 'credential.removed'
"""
_USAGES = "SELECT * FROM credentials.usages ORDER BY credential_id"


@dataclass(frozen=True, slots=True)
class UsageDifference:
    """A row of `credentials.usages`, as it should be and as it is; `None`: there is none."""

    expected: Row | None
    stored: Row | None

    def reported(self) -> Difference:
        row = self.expected or self.stored or {}
        key = f"{row['credential_id']} {row['project_id']} {row['workload_kind']}/{row['workload_name']}"
        if self.stored is None:
            return Difference(USAGES, key, "missing")
        if self.expected is None:
            return Difference(USAGES, key, "unexpected")
        names = tuple(name for name, value in self.expected.items() if self.stored[name] != value)
        return Difference(USAGES, key, "changed", names)


def state_differences(connection: Connection, keys: KeyFile | None) -> Iterator[Difference]:
    """The rows of `credentials.current` and `credentials.usages` that differ, and positions after its end.

    The connection is in a transaction, with one snapshot for all statements. Without `keys`, usages,
    names and authentication codes are not compared.

    Raises:
        KeyFileError: the key file is of another installation.
    """
    for _, found in current_differences(connection, keys):
        yield found
    if keys is not None:
        for usage in usage_differences(connection, keys):
            yield usage.reported()
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


def usage_differences(connection: Connection, keys: KeyFile) -> Iterator[UsageDifference]:
    """The rows of `credentials.usages` that differ. Raises `KeyFileError`."""
    expected = _by_workload(_expected_usages(connection, keys))
    for _, wanted, found in merge_rows(expected, _by_workload(_stored_usages(connection))):
        if wanted != found:
            yield UsageDifference(wanted, found)


def _by_workload(rows: Iterable[Row]) -> Iterator[tuple[tuple[Any, ...], Row]]:
    """The usage of each workload, ordered by credential and workload.

    Of several rows of one workload it is the last one, with the latest time of all since the last release,
    which has no time.
    """
    for credential_id, group in groupby(rows, key=itemgetter("credential_id")):
        usages: dict[tuple[str, ...], Row] = {}
        for row in group:
            workload = (row["project_id"], row["workload_kind"], row["workload_name"])
            if row["last_issued_at"] is None:
                usages.pop(workload, None)
                continue
            moments = [one["last_issued_at"] for one in (row, usages.get(workload)) if one]
            usages[workload] = {**row, "last_issued_at": max(moments)}
        for key in sorted(usages):
            yield (credential_id, *key), usages[key]


def _stored_usages(connection: Connection) -> Iterator[Row]:
    with connection.cursor(name="usages", row_factory=dict_row) as cursor:
        yield from cursor.execute(_USAGES)


def _expected_usages(connection: Connection, keys: KeyFile) -> Iterator[Row]:
    """A row for each issuance, as `credentials.issue` writes it, and one without a time for each release.

    Events that cannot be read have none.
    """
    personal = open_personal_keys(keys)
    for credential_id, stored in stream_grouped(
        connection, group=_ISSUED, where=_ISSUED_WHERE, order="e.seq", personal=personal
    ):
        try:
            event = decode_event(stored)
        except EventError:
            continue
        payload = event.payload
        if isinstance(payload, SecretIssuedV2 | WorkloadReleased):
            is_issuance = isinstance(payload, SecretIssuedV2)
            yield {
                "credential_id": credential_id,
                "project_id": payload.project_id,
                "workload_kind": payload.workload.kind.lower(),  # as in the table
                "workload_name": payload.workload.name,
                "last_issued_at": event.metadata.occurred_at if is_issuance else None,
                "secret_version": payload.secret_version if isinstance(payload, SecretIssuedV2) else None,
            }


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
