"""Assign positions to committed events and notify the consumers. The leading relay does this.

It polls every 5 ms while there is work, otherwise every 50 ms. With a notification inside the transaction of
an append, all writers would wait for one lock (`docs/reference/event-log.md`, "Notifications").
"""

from collections.abc import Callable
from threading import Event
from time import perf_counter

import structlog

from chassis.database import scalar
from chassis.database_failure import outage_reason
from chassis.runtime.failures import Failures
from chassis.runtime.loops import Step, no_step
from eventlog.consumers import LeaderConnection, leadership, log_batch
from eventlog.storage import (
    NOTIFICATIONS,
    LowerTransactionIds,
    StaleLeader,
    refuse_lower_transaction_ids,
    store_errors,
)

log = structlog.get_logger()

BATCH = 1000
BUSY_SECONDS = 0.005
IDLE_SECONDS = 0.05
_IDLE_AFTER = 200  # rounds without work
# One transaction: a separate notification needs another commit.
_SEQUENCE = """
WITH sequenced AS MATERIALIZED (SELECT es.sequence(%s, %s) AS position), notified AS MATERIALIZED (
    SELECT pg_notify(%s, position::text) FROM sequenced WHERE position > %s
)
SELECT position FROM sequenced LEFT JOIN notified ON true
"""
RECONNECT_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 5.0  # while the database cannot be used
REFUSED_SECONDS = 10.0  # until it checks again whether an operator has adopted the log
ROLE = "regcred_relay"
LEASE = "relay"  # es.sequence and es.published check it


def run(
    database_url: str, *, on_positions: Callable[[int, int], None], stop: Event, step: Step = no_step
) -> None:
    """Lead or wait to lead, until `stop` is set.

    `on_positions(epoch, last position)` is called at the start of each leadership and whenever positions were
    assigned. `step` is called at each step of the loop (`chassis.runtime.loops`).
    """
    failures = Failures("relay_lost_database", unexpected="relay_failed", longest=LONGEST_BACKOFF_SECONDS)
    while not stop.is_set():
        try:
            with leadership(database_url, role=ROLE, name=LEASE, stop=stop, step=step) as connection:
                if connection is not None:
                    with store_errors():
                        _lead(connection, on_positions, failures, stop)
        except StaleLeader:
            log.warning("relay_superseded")
        except LowerTransactionIds as error:
            log.error("relay_refuses", reason=str(error))  # noqa: TRY400 a stack trace adds nothing
            stop.wait(REFUSED_SECONDS)
        except Exception as error:
            stop.wait(failures.add(error, outage_reason(error)))
        stop.wait(RECONNECT_SECONDS)


def _lead(
    connection: LeaderConnection,
    on_positions: Callable[[int, int], None],
    failures: Failures,
    stop: Event,
) -> None:
    refuse_lower_transaction_ids(connection)
    epoch = connection.lease.epoch
    last = int(scalar(connection, "SELECT coalesce(max(position), 0) FROM es.log"))
    log.info("relay_leads", epoch=epoch, position=last)
    on_positions(epoch, last)
    failures.reset()
    idle = 0
    while not stop.is_set():
        started = perf_counter()
        position = int(scalar(connection, _SEQUENCE, (epoch, BATCH, NOTIFICATIONS, last)))
        if position > last:
            on_positions(epoch, position)
            log_batch("sequencing", last + 1, position, started)
            last, idle = position, 0
            continue
        idle += 1
        stop.wait(BUSY_SECONDS if idle < _IDLE_AFTER else IDLE_SECONDS)
