"""Reads of streams. Their cost does not depend on the length of the stream."""

from collections.abc import Mapping
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from eventlog.events.codec import decode_event
from eventlog.events.envelope import RecordedEvent, StreamId
from eventlog.storage.log import stored_event
from eventlog.storage.personal_keys import PersonalKeys

# One index look-up for each type (es.events_by_type). The first event is not in that index.
_NEWEST: LiteralString = """
WITH RECURSIVE newest (type, version) AS (
    (SELECT e.type, e.version FROM es.events e WHERE e.stream_id = %(stream)s AND e.version > 1
     ORDER BY e.type DESC, e.version DESC LIMIT 1)
    UNION ALL
    SELECT next.type, next.version FROM newest CROSS JOIN LATERAL (
        SELECT e.type, e.version FROM es.events e
        WHERE e.stream_id = %(stream)s AND e.type < newest.type AND e.version > 1
        ORDER BY e.type DESC, e.version DESC LIMIT 1) AS next
)
SELECT %(stream)s::uuid, 1::bigint UNION ALL SELECT %(stream)s::uuid, version FROM newest
"""
_ONE: LiteralString = "SELECT stream_id, version FROM es.events WHERE event_id = %(event)s"
# LATERAL with LIMIT: one index look-up for each selected event. The planner overestimates their number, and
# would read the complete table while that is small.
_SELECTED: LiteralString = """
SELECT e.event_id, s.category, s.stream_id, e.version, e.type, e.schema_version, e.data::text, e.meta::text,
       e.recorded_at, s.account_id, k.wrapped
FROM ({}) AS selected (stream_id, version)
CROSS JOIN LATERAL (
    SELECT * FROM es.events WHERE stream_id = selected.stream_id AND version = selected.version LIMIT 1) AS e
JOIN es.streams s ON s.stream_id = e.stream_id
LEFT JOIN personal.keys k ON k.account_id = s.account_id AND k.number = (e.meta#>>'{{personal,key}}')::integer
ORDER BY e.version
"""


def load_newest(
    connection: psycopg.Connection[Any], stream: StreamId, personal: PersonalKeys | None
) -> list[RecordedEvent]:
    """The first event of a stream and the newest event of each type, the oldest first.

    The version of the last one is that of the stream. They determine the state of a stream whose events each
    replace everything that an earlier event of their type has set. `personal` as in `read_log`.
    """
    return load_selected(connection, _NEWEST, {"stream": stream.id}, personal)


def load_event(
    connection: psycopg.Connection[Any], event_id: UUID, personal: PersonalKeys | None
) -> RecordedEvent | None:
    """The event with this id; `None` if there is none. `personal` as in `read_log`."""
    return next(iter(load_selected(connection, _ONE, {"event": event_id}, personal)), None)


def load_selected(
    connection: psycopg.Connection[Any],
    selection: LiteralString,
    parameters: Mapping[str, object],
    personal: PersonalKeys | None,
) -> list[RecordedEvent]:
    """The events of which a query returns stream id and version, ordered by version.

    `personal` as in `read_log`.
    """
    rows = connection.execute(_SELECTED.format(selection), parameters).fetchall()
    return [decode_event(stored_event((None, *row), personal)) for row in rows]
