"""The projections applied without batches: one statement for each change, one event after the other."""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from eventlog.events import StoredEvent, decode_event
from projector.write.combine import KEYS
from projector.write.projections import audit, audit_index, credentials, usages, verifications
from projector.write.projections.changes import MAX_GATHERED, Change, Delete, Insert, Put, Update

Connection = psycopg.Connection[Any]


def apply_all(connection: Connection, schema: str, events: Iterable[StoredEvent]) -> None:
    for stored in events:
        event = decode_event(stored)
        trail = audit.project(event)
        for changes in (
            trail,
            audit_index.spans(trail),
            audit_index.project(event),
            credentials.project(event),
            usages.project(event),
            verifications.project(event),
        ):
            for change in changes:
                _apply(connection, schema, change)


def _apply(connection: Connection, schema: str, change: Change) -> None:
    table = sql.Identifier(schema, change.table)
    match change:
        case Insert():
            values = dict(change.values)
            for column, source in change.copied.items():
                row = connection.execute(
                    sql.SQL("SELECT {} FROM {} WHERE credential_id = %s").format(
                        sql.Identifier(source), sql.Identifier(schema, "credentials")
                    ),
                    (values["credential_id"],),
                ).fetchone()
                values[column] = row[0] if row else None
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                table,
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(values)),
            )
            connection.execute(statement, _parameters(values))
        case Put():
            statement = sql.SQL(
                "INSERT INTO {} AS old ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}"
            ).format(
                table,
                sql.SQL(", ").join(map(sql.Identifier, change.values)),
                sql.SQL(", ").join([sql.Placeholder()] * len(change.values)),
                sql.Identifier(KEYS[change.table]),
                sql.SQL(", ").join(_new_state(change, column) for column in change.values),
            )
            connection.execute(statement, _parameters(change.values))
        case Update():
            statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(
                table,
                _pairs(change.values, ", "),
                _pairs({KEYS[change.table]: change.key, **change.where}, " AND ", "IS NOT DISTINCT FROM"),
            )
            connection.execute(
                statement,
                [*_parameters(change.values), change.key, *_parameters(change.where)],
            )
        case Delete():
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(
                    table, _pairs({KEYS[change.table]: change.key}, " AND ")
                ),
                [change.key],
            )


def _new_state(change: Put, column: str) -> sql.Composed:
    if column in change.least:
        form = "{0} = least(old.{0}, excluded.{0})"
    elif column in change.greatest:
        form = "{0} = greatest(old.{0}, excluded.{0})"
    elif column in change.gathered:
        form = (
            "{0} = (SELECT array_agg(item ORDER BY place) FROM ("
            "SELECT item, min(n) AS place FROM unnest(excluded.{0} || old.{0}) WITH ORDINALITY AS u (item, n)"
            " GROUP BY item ORDER BY place LIMIT {1}) AS kept)"
        )
    else:
        form = "{0} = excluded.{0}"
    return sql.SQL(form).format(sql.Identifier(column), sql.Literal(MAX_GATHERED))


def _pairs(values: Mapping[str, object], separator: str, relation: LiteralString = "=") -> sql.Composed:
    return sql.SQL(separator).join(
        sql.SQL("{} {} {}").format(sql.Identifier(column), sql.SQL(relation), sql.Placeholder())
        for column in values
    )


def _parameters(values: Mapping[str, object]) -> list[object]:
    return [Jsonb(value) if isinstance(value, dict) else value for value in values.values()]
