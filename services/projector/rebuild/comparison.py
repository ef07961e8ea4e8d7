"""Compare the live generation of the read models with the log.

The events are read credential by credential, because the rows of a credential depend only on its own events.
The stored rows are read in the same order, so that only the rows of one credential are in memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from eventlog.events import StoredEvent
from eventlog.integrity import Difference, difference, merge_rows
from eventlog.storage import PersonalKeys, stream_grouped
from projector.write.archived_segments import last_archived_position
from projector.write.combine import combine
from projector.write.generations import consumer_of
from projector.write.projections.audit import personal_paths
from projector.write.projections.audit_index import SPAN
from projector.write.projections.changes import Change, Table
from projector.write.projections.projected_event import project

Connection = psycopg.Connection[Any]
Row = Mapping[str, Any]
Key = tuple[Any, ...]  # that of the credential, and what orders its rows

_CHUNK = 1000  # events of one credential that are projected at once

# The credential of an event; NULL for an event that concerns none.
_GROUP = """CASE s.category WHEN 'credential' THEN coalesce((e.data->>'credential_id')::uuid, e.stream_id)
                 WHEN 'verification' THEN (e.data->>'credential_id')::uuid
                 WHEN 'issuance' THEN (e.data->>'credential_id')::uuid
                 WHEN 'release' THEN (e.data->>'credential_id')::uuid END"""
_WHERE = "l.position <= (SELECT g.position FROM rm.generations g WHERE g.status = 'live')"
# Events that are not applied: dead letters, and those that an operator discarded.
_NOT_APPLIED = """
SELECT l.position, {group} FROM
    (SELECT position FROM es.dead_letters WHERE consumer = %(consumer)s
     UNION SELECT position FROM es.interventions
     WHERE action = 'discarded' AND left(consumer, 10) = 'projector:') AS n
    JOIN es.log l USING (position) JOIN es.events e USING (stream_id, version)
    JOIN es.streams s ON s.stream_id = e.stream_id
"""
_ERASED = """
SELECT s.account_id, max(l.position) FROM es.streams s JOIN es.log l USING (stream_id)
WHERE s.category = 'account' GROUP BY s.account_id
"""
# Rows with the credential and what orders them, in this order. The last is the text that follows a position.
_STORED: Mapping[Table, LiteralString] = {
    "credentials": "SELECT credential_id AS c, NULL AS o, NULL AS t, x.* FROM {s}.credentials x ORDER BY 1",
    "usages": "SELECT credential_id AS c, usage_id AS o, NULL AS t, x.* FROM {s}.usages x ORDER BY 1, 2",
    "verifications": "SELECT credential_id AS c, position AS o, NULL AS t, x.* FROM {s}.verifications x"
    " ORDER BY 1, 2",
    "audit_events": "SELECT credential_id AS c, position AS o, NULL AS t, x.* FROM {s}.audit_events x"
    " ORDER BY 1 NULLS FIRST, 2",
    "audit_images": "SELECT a.credential_id AS c, x.position AS o, x.image AS t, x.* FROM {s}.audit_images x"
    ' LEFT JOIN {s}.audit_events a ON a.position = x.position ORDER BY 1 NULLS FIRST, 2, x.image COLLATE "C"',
}
_INSERTED: tuple[Table, ...] = ("verifications", "audit_events", "audit_images")
_SPANS = """
SELECT coalesce(a.span, s.span) FROM
    (SELECT position / {size} AS span, min(time) AS earliest, max(time) AS latest FROM {s}.audit_events
     GROUP BY 1) AS a
    FULL JOIN {s}.audit_spans s ON s.span = a.span
WHERE ({archived} = 0 OR coalesce(a.span, s.span) * {size} > {archived})
  AND (a.earliest, a.latest) IS DISTINCT FROM (s.earliest, s.latest) ORDER BY 1
"""
# Personal data in these columns of the audit trail is replaced when an account is erased (ADR 14).
_REPLACED = "erased"
_ERASABLE = frozenset(
    (
        *("actor_id", "actor_name", "on_behalf_of", "source_ip", "request_id", "correlation_id"),
        *("credential_name", "reason", "before", "after"),
    )
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the comparison has to know: `erased` has positions by account, `skipped` are positions."""

    schema: str
    archived: int
    skipped: frozenset[int]
    skipped_credentials: frozenset[UUID]
    erased: Mapping[str, int]


def read_model_differences(connection: Connection, personal: PersonalKeys) -> Iterator[Difference]:
    """The rows of the live generation that differ from the log up to its checkpoint.

    The connection is in a transaction, with one snapshot for all statements. Credentials with dead letters
    are not compared. Of erased accounts, usages are not compared, and columns may be erased as by
    `rm.erase_account`.

    Raises:
        KeyFileError: the key file is of another installation.
    """
    row = connection.execute("SELECT generation FROM rm.generations WHERE status = 'live'").fetchone()
    if row is None:
        return
    scope = _scope(connection, row[0])
    stored = {table: _StoredRows(connection, scope, table) for table in _STORED}
    events = stream_grouped(connection, group=_GROUP, where=_WHERE, order="l.position", personal=personal)
    for credential_id, group in groupby(events, key=itemgetter(0)):
        expected = _expected_chunks(credential_id, (event for _, event in group), scope)
        for rows, bounds in expected:
            for table, bound in bounds.items():
                found = stored[table].differences(rows.get(table, ()), bound)
                if credential_id in scope.skipped_credentials:
                    continue
                yield from found
    for table in _STORED:
        yield from stored[table].differences((), (2,))
    spans = sql.SQL(_SPANS).format(
        s=sql.Identifier(scope.schema),
        size=sql.Literal(SPAN),
        archived=sql.Literal(scope.archived),
    )
    for (span,) in connection.execute(spans).fetchall():
        yield Difference("rm.audit_spans", str(span), "changed")


def _scope(connection: Connection, generation: int) -> _Scope:
    query = sql.SQL(_NOT_APPLIED).format(group=sql.SQL(_GROUP))
    skipped = connection.execute(query, {"consumer": consumer_of(generation)}).fetchall()
    return _Scope(
        schema=f"rm_g{generation}",
        archived=last_archived_position(connection),
        skipped=frozenset(position for position, _ in skipped),
        skipped_credentials=frozenset(credential for _, credential in skipped if credential is not None),
        erased=dict(connection.execute(_ERASED).fetchall()),
    )


def _credential_key(credential_id: UUID | None) -> Key:
    """Rows without a credential come first, as in `NULLS FIRST`."""
    return (0, 0) if credential_id is None else (1, credential_id.int)


class _StoredRows:
    """The rows of one table, read in the order of their keys."""

    def __init__(self, connection: Connection, scope: _Scope, table: Table) -> None:
        self._table = table
        self._scope = scope
        self._rows = self._read(connection)
        self._next = next(self._rows, None)

    def differences(self, expected: Iterable[tuple[Key, Row]], before: Key) -> list[Difference]:
        """The differences of the next rows, whose keys are less than `before`."""
        found = []
        for key, wanted, row in merge_rows(expected, self._through(before)):
            each = difference(f"rm.{self._table}", _shown(self._table, key, row or wanted), wanted, row)
            if each is not None and wanted is not None and row is not None:
                each = self._without_erased(each, wanted, row)
            if each is not None:
                found.append(each)
        return found

    def _without_erased(self, found: Difference, wanted: Row, row: Row) -> Difference | None:
        """Ignore columns that were replaced when the account was erased."""
        if self._table != "audit_events":
            return found
        if row["position"] >= self._scope.erased.get(row["account_id"], 0):
            return found
        columns = tuple(column for column in found.columns if not _is_erasure(column, wanted, row))
        return Difference(found.table, found.key, found.problem, columns) if columns else None

    def _through(self, before: Key) -> Iterator[tuple[Key, Row]]:
        while self._next is not None and self._next[0] < before:
            yield self._next
            self._next = next(self._rows, None)

    def _read(self, connection: Connection) -> Iterator[tuple[Key, Row]]:
        query = sql.SQL(_STORED[self._table]).format(s=sql.Identifier(self._scope.schema))
        with connection.cursor(name=f"stored_{self._table}", row_factory=dict_row) as cursor:
            cursor.itersize = _CHUNK
            for row in cursor.execute(query):
                credential_id, order, text = row.pop("c"), row.pop("o"), row.pop("t")
                if self._table.startswith("audit_") and not _is_compared(self._scope, order):
                    continue
                if self._table == "usages" and row["account_id"] in self._scope.erased:
                    continue
                yield _key(credential_id, order, text), row


def _key(credential_id: UUID | None, order: object, text: object) -> Key:
    order = order.int if isinstance(order, UUID) else order
    return (*_credential_key(credential_id), *(part for part in (order, text) if part is not None))


def _shown(table: Table, key: Key, row: Row | None) -> object:
    """What names a row to an operator."""
    if row is not None and table in {"credentials", "usages", "verifications"}:
        return row[{"credentials": "credential_id", "usages": "usage_id"}.get(table, "verification_id")]
    return " ".join(map(str, key[2:]))


@cache
def _personal_paths() -> Mapping[str, Sequence[Sequence[str]]]:
    return personal_paths()


def _is_erasure(column: str, wanted: Row, row: Row) -> bool:
    """Whether `rm.erase_account` replaces the wanted value of a column by that of the row."""
    paths = _personal_paths().get(row["action"], [])
    match column:
        case "before" | "after":
            return bool(row[column] == _erased(wanted[column], paths))
        case "actor_id" | "actor_name" if row["actor_type"] == "system":
            return False
        case "reason" if ("reason",) not in paths:
            return False
    return column in _ERASABLE and row[column] == _REPLACED


def _erased(document: Any, paths: Sequence[Sequence[str]]) -> Any:
    """The document without the texts at these paths, as `rm.erased`."""
    for path in paths:
        document = _erased_at(document, path)
    return document


def _erased_at(document: Any, path: Sequence[str]) -> Any:
    if not path:
        return _REPLACED if isinstance(document, str) else document
    if not isinstance(document, dict) or path[0] not in document:
        return document
    return {**document, path[0]: _erased_at(document[path[0]], path[1:])}


def _is_compared(scope: _Scope, position: int) -> bool:
    return position > scope.archived and position not in scope.skipped


def _expected_chunks(
    credential_id: UUID | None, events: Iterator[StoredEvent], scope: _Scope
) -> Iterator[tuple[Mapping[Table, Sequence[tuple[Key, Row]]], Mapping[Table, Key]]]:
    """The expected rows of a credential in parts, each with the keys before which its rows end.

    Rows that change are in the last part.
    """
    group = _credential_key(credential_id)
    state: dict[Table, dict[Any, Row]] = {"credentials": {}, "usages": {}}
    while chunk := list(islice(events, _CHUNK)):
        changes: list[Change] = []
        for event in map(project, chunk):
            if event.position not in scope.skipped:
                changes += [*event.audit_rows, *event.audit_index, *event.changes]
        combined = combine(changes, state)
        for table, rows in state.items():
            rows.update(combined.put[table])
            for key in combined.deleted[table]:
                del rows[key]
        end = (*group, (chunk[-1].position or 0) + 1)
        inserted = {
            table: sorted(_inserted(credential_id, table, combined.inserts, scope), key=itemgetter(0))
            for table in _INSERTED
        }
        yield inserted, dict.fromkeys(inserted, end)
    end = (group[0], group[1] + 1)
    credentials = [(_key(credential_id, None, None), row) for row in state["credentials"].values()]
    usages = sorted(
        (
            (_key(credential_id, key, None), row)
            for key, row in state["usages"].items()
            if row["account_id"] not in scope.erased
        ),
        key=itemgetter(0),
    )
    yield {"credentials": credentials, "usages": usages}, dict.fromkeys(_STORED, end)


def _inserted(
    credential_id: UUID | None,
    table: Table,
    inserts: Mapping[Table, Sequence[Row]],
    scope: _Scope,
) -> Iterator[tuple[Key, Row]]:
    for row in inserts.get(table, ()):
        if table == "verifications" or _is_compared(scope, row["position"]):
            text = row["image"] if table == "audit_images" else None
            yield _key(credential_id, row["position"], text), _as_stored(row)


def _as_stored(row: Row) -> Row:
    """The row with JSON as the database returns it: without tuples and enumerations."""
    documents = {
        name: msgspec.json.decode(msgspec.json.encode(value))
        for name, value in row.items()
        if isinstance(value, dict)
    }
    return {**row, **documents} if documents else row
