"""Finds published events that the log does not have, so that their positions are not used again unnoticed.

The database lost them: a standby was promoted that lacked the last commits, or an older backup was restored.
Consumers have handled them, and would take new events with the same positions for repeated ones.
"""

from dataclasses import dataclass

from chassis.database import Connection, scalar
from chassis.runtime.unavailable import Unavailable
from eventlog.broker import last_published

_EVENT_AT = """
SELECT e.event_id FROM es.log l JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
WHERE l.position = %s
"""


@dataclass(frozen=True, slots=True)
class LostEvents:
    """The broker published up to `last`, and the log has the same events up to `common` at least."""

    common: int
    last: int

    def __str__(self) -> str:
        return (
            f"published events are not in the database, the last one with position {self.last}: a standby"
            " that lacked them was promoted, or an older backup was restored. Positions after"
            f" {self.common} may be given to other events"
        )


class PublishedEventsLost(Unavailable):
    """The relay publishes nothing until an operator has accepted the loss."""

    code = "published_events_lost"

    def __init__(self, lost: LostEvents) -> None:
        super().__init__(f"{lost}. Read docs/runbook.md, then run `regcred log accept-loss`")


def find_lost_events(connection: Connection, broker_url: str) -> LostEvents | None:
    """Compare the last published message with the log.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or does not have the queue of the last message.
    """
    last = last_published(broker_url)
    if last is None or scalar(connection, _EVENT_AT, [last.position]) == last.event_id:
        return None
    common = scalar(connection, "SELECT published FROM es.relay WHERE name = 'log'") or 0
    return LostEvents(common, last.position)


def refuse_lost_events(connection: Connection, broker_url: str) -> None:
    """Raise `PublishedEventsLost` if the log lacks published events. Otherwise as `find_lost_events`."""
    lost = find_lost_events(connection, broker_url)
    if lost is not None:
        raise PublishedEventsLost(lost)
