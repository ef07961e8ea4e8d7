"""Reads metrics of the log and of its consumers, from functions that every role may call."""

from dataclasses import dataclass

from psycopg.rows import class_row

from chassis.database import Connection

_LOG = """
SELECT log_position, published_position, horizon_lag_seconds, oldest_write_xact_seconds FROM es.log_metrics()
"""
_CONSUMERS = "SELECT consumer, lag_events, lag_seconds, dead_letters FROM es.consumer_metrics()"


@dataclass(frozen=True, slots=True)
class LogMetrics:
    """Positions and ages that show how far the log is processed.

    `log_position` is the last position of the log, `published_position` the last one that the broker has
    confirmed. The ages, in seconds, are those of the oldest event without a position and of the oldest write
    transaction (`None` without rights to see it).
    """

    log_position: int
    published_position: int | None
    horizon_lag_seconds: float
    oldest_write_xact_seconds: float | None


@dataclass(frozen=True, slots=True)
class ConsumerMetrics:
    """The lag of a consumer, and the number of its dead letters."""

    consumer: str
    lag_events: int
    lag_seconds: float
    dead_letters: int


def log_metrics(connection: Connection) -> LogMetrics:
    with connection.cursor(row_factory=class_row(LogMetrics)) as cursor:
        [row] = cursor.execute(_LOG).fetchall()
        return row


def consumer_metrics(connection: Connection) -> list[ConsumerMetrics]:
    with connection.cursor(row_factory=class_row(ConsumerMetrics)) as cursor:
        return cursor.execute(_CONSUMERS).fetchall()
