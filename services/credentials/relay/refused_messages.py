"""Messages that the broker refused: they are retried within bounds, then they are dead letters (ADR 10).

The broker refuses a message if one of its queues does, and does not say which; the other queues have it. So
each retry repeats the message for every consumer. Three rules limit that:

- A message is retried once for each tier.
- All messages of a type go to the same queues. Of those that are due, one of each type is retried first; if
  it is refused, the others of its type are not sent and count as refused.
- While there are dead letters of a type, a refused message of this type becomes one at once.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from chassis.database import Connection
from chassis.observability.metrics import REFUSED_MESSAGES
from credentials.relay.event_messages import Messages
from eventlog.broker import BrokerUnavailable, Publisher
from eventlog.consumers import Delivery, DeliveryOutcome, DeliveryResult, Retries
from eventlog.storage import PersonalKeys, read_log, store_errors

log = structlog.get_logger()

NAME = "publishing"  # in es.retries and es.dead_letters
RETRY_LIMIT = 500  # messages that are retried together
CONFIRM_SECONDS = 10.0
REASON = "the broker refused the message: a queue does not accept it, or no queue is bound"
_FENCE = "SELECT es.fence('relay', %s)"
# Types that are refused now are among the latest dead letters. There may be a row for each event.
_GIVEN_UP = """
SELECT DISTINCT e.type
FROM (SELECT position FROM es.dead_letters WHERE consumer = %s ORDER BY position DESC LIMIT 100) AS latest
JOIN es.log l USING (position) JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
"""


class RefusedMessages:
    """Records and retries refused messages. `tiers` are the delays before each retry."""

    def __init__(self, tiers: Sequence[timedelta], personal: PersonalKeys | None, messages: Messages) -> None:
        self._retries = Retries(NAME, tiers, personal)
        self._messages = messages

    def record(self, connection: Connection, positions: Sequence[int]) -> None:
        """Record that these messages were refused. Their events are then retried or dead letters."""
        if not positions:
            return
        first, last, refused = min(positions), max(positions), frozenset(positions)
        log.warning("messages_refused", first=first, last=last, count=len(refused))
        REFUSED_MESSAGES.inc(len(refused))
        given_up = {name for (name,) in connection.execute(_GIVEN_UP, (NAME,)).fetchall()}
        for event in read_log(connection, first - 1, last - first + 1):
            if event.position in refused:
                again = event.type not in given_up
                outcome = DeliveryOutcome.FAILED if again else DeliveryOutcome.NOT_RETRIABLE
                self._retries.record(connection, DeliveryResult(Delivery(event), outcome, REASON))

    def retry_due(self, connection: Connection, epoch: int, connect: Callable[[], Publisher]) -> None:
        """Publish the messages that are due again, over a connection of their own, and record the results.

        Raises:
            BrokerUnavailable: nothing was recorded.
            StaleLeader: this epoch is over; nothing was recorded.
        """
        due = self._retries.due(connection, RETRY_LIMIT, excluding=())
        if not due:
            return
        with store_errors():
            connection.execute(_FENCE, (epoch,))
        first_of_type: dict[str, Delivery] = {}
        for delivery in due:
            first_of_type.setdefault(delivery.event.type, delivery)
        with connect() as publisher:
            refused = self._publish(connection, publisher, list(first_of_type.values()))
            failed = {name for name, delivery in first_of_type.items() if delivery.position in refused}
            probes = {delivery.position for delivery in first_of_type.values()}
            others = [one for one in due if one.position not in probes and one.event.type not in failed]
            refused |= self._publish(connection, publisher, others)
        with store_errors(), connection.transaction():
            connection.execute(_FENCE, (epoch,))
            for one in due:
                done = one.position not in refused and one.event.type not in failed
                outcome = DeliveryOutcome.DONE if done else DeliveryOutcome.FAILED
                self._retries.record(connection, DeliveryResult(one, outcome, "" if done else REASON))
        log.info("messages_retried", count=len(due), refused=len(refused))

    def _publish(
        self, connection: Connection, publisher: Publisher, deliveries: Sequence[Delivery]
    ) -> set[int]:
        """Publish again, and return the positions that were refused."""
        publisher.submit(*(self._messages.message(connection, delivery.event) for delivery in deliveries))
        if not publisher.wait_all(CONFIRM_SECONDS):
            raise BrokerUnavailable("it did not confirm messages in time")
        refused = publisher.take_refused()
        REFUSED_MESSAGES.inc(len(refused))
        return set(refused)
