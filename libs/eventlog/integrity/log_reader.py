"""Reads the log from PostgreSQL as rows of a hash chain, in pages and in constant memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from chassis.database import scalar
from eventlog.integrity.chain import START, Anchor, Fault, FaultKind, HashedEvent, Link
from eventlog.integrity.errors import NoSuchPosition

PAGE = 2000

_LINKS = """
SELECT l.position, l.hash,
       to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.event_id::text,
       l.stream_id::text, s.category, s.account_id, l.version, e.type, e.schema_version,
       e.data::text, e.meta::text  -- in the order of the fields of HashedEvent
FROM es.log l
LEFT JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
LEFT JOIN es.streams s ON s.stream_id = l.stream_id
WHERE l.position > %s ORDER BY l.position
"""
_WAITING = """
SELECT count(*) FROM es.events e, es.tail() t WHERE (e.xid, e.seq) > (t.xid, t.seq) AND e.seq > t.adopted
"""
# Queries for faults that the chain does not show.
_EVENTS = """
SELECT NULL::bigint, format('event %s (version %s of %s) is older than the last position, and has none; '
                            'run `regcred log adopt`',
                            e.event_id, e.version, e.stream_id)
FROM es.events e, es.tail() t
WHERE ((e.xid, e.seq) <= (t.xid, t.seq) OR e.seq <= t.adopted)
  AND NOT EXISTS (SELECT FROM es.log l WHERE l.stream_id = e.stream_id AND l.version = e.version)
ORDER BY e.seq LIMIT 1
"""
_STREAMS = """
SELECT NULL::bigint, format('stream %s is at version %s, but has %s events up to version %s',
                            s.stream_id, s.version, coalesce(e.events, 0), coalesce(e.newest, 0))
FROM es.streams s
LEFT JOIN (SELECT stream_id, count(*) AS events, max(version) AS newest FROM es.events GROUP BY stream_id) e
    USING (stream_id)
WHERE (s.version, s.version) IS DISTINCT FROM (e.newest, e.events)
ORDER BY s.stream_id LIMIT 1
"""
_ORDER = """
SELECT l.position, 'transaction id or number of this event is not that of its position'
FROM es.log l JOIN es.events e USING (stream_id, version)
WHERE (l.xid, l.seq) IS DISTINCT FROM (e.xid, e.seq)
ORDER BY l.position LIMIT 1
"""
_OUTSIDE_CHAIN = (
    (FaultKind.EVENT_OUTSIDE, _EVENTS),
    (FaultKind.MISSING_EVENT, _STREAMS),
    (FaultKind.ORDER_CHANGED, _ORDER),
)


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads the log over one connection. It writes nothing."""

    connection: psycopg.Connection[Any]

    @classmethod
    @contextmanager
    def snapshot(cls, database_url: str) -> Iterator["LogReader"]:
        """Read one moment of the log. A read-only transaction does not delay positions (ADR 2)."""
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield cls(connection)

    def end(self) -> Anchor:
        """The last position and its hash as stored. `START` if the log is empty."""
        last = scalar(self.connection, "SELECT coalesce(max(position), 0) FROM es.log")
        return self.anchor_at(last)

    def anchor_at(self, position: int) -> Anchor:
        """The hash that is stored at a position. Position 0 gives `START`.

        Raises:
            NoSuchPosition: the log has no such position.
        """
        if position == 0:
            return START
        query = "SELECT hash FROM es.log WHERE position = %s"
        row = self.connection.execute(query, (position,)).fetchone()
        if row is None:
            raise NoSuchPosition(position)
        return Anchor(position, bytes(row[0]))

    def links(self, after: int) -> Iterator[Link]:
        """The rows after position `after`, in order. The cursor needs a transaction."""
        with self.connection.cursor(name="links") as cursor:
            cursor.itersize = PAGE
            for position, digest, *fields in cursor.execute(_LINKS, (after,)):
                entry = (
                    None
                    if None in fields
                    else HashedEvent(**dict(zip(HashedEvent.__slots__, fields, strict=True)))
                )
                yield Link(position, entry, bytes(digest))

    def fault_outside_chain(self) -> Fault | None:
        """A fault that the chain does not cover: an inserted event, an incomplete stream, a changed order."""
        # The planner expects to find a row early and chooses nested loops. An intact log has no row to find.
        self.connection.execute("SET LOCAL enable_nestloop = off")
        for kind, query in _OUTSIDE_CHAIN:
            row = self.connection.execute(query).fetchone()
            if row is not None:
                return Fault(kind, row[0], row[1])
        return None

    def waiting_for_position(self) -> int:
        """The number of events that have no position yet. The chain does not cover them."""
        return int(scalar(self.connection, _WAITING))
