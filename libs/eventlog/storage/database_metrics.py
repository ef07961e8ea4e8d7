"""Metrics of log, relay and consumers, which each scrape reads from the database (`es.log_metrics`)."""

from collections.abc import Iterator
from typing import Any

import psycopg
import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.database import ServiceConnection, session
from chassis.database_failure import failure_reason
from chassis.settings.environment import Settings

log = structlog.get_logger()

CONNECT_SECONDS = 2
_STATEMENT = """
SELECT f.log_position, f.published_position, f.horizon_lag_seconds, f.oldest_write_xact_seconds,
       c.consumer, c.checkpoint, c.lag_events, c.lag_seconds, c.dead_letters, c.retrying
FROM es.log_metrics() f LEFT JOIN es.consumer_metrics() c ON true
"""
_LOG = (
    ("es_log_position", "Position of the last event of the log."),
    ("es_published_position", "Position up to which the broker has confirmed every event."),
    ("es_horizon_lag_seconds", "Age of the oldest committed event that has no position yet."),
    (
        "es_oldest_write_xact_seconds",
        "Age of the oldest write transaction of the cluster, which delays positions.",
    ),
)
_CONSUMERS = (
    ("projection_position", "Position up to which a consumer has handled every event."),
    ("projection_lag_events", "Events of the log that a consumer has not handled yet."),
    ("projection_lag_seconds", "Age of the oldest event that a consumer has not handled yet."),
    ("projection_parked", "Events that a consumer could not handle (dead letters)."),
    ("projection_retrying", "Events that failed for a temporary reason and will be retried."),
)


class DatabaseMetrics(Collector):
    """Uses one connection and one statement per scrape, with the role of the scraped process.

    `publishing` is false in an installation without a broker; `es_published_position` is then not exported.
    """

    def __init__(self, database_url: str, *, role: str, publishing: bool) -> None:
        self._database_url = database_url
        self._role = role
        self._publishing = publishing

    @classmethod
    def of(cls, settings: Settings, *, role: str) -> "DatabaseMetrics":
        """The metrics of the log that the settings name, read as `role`."""
        url = settings.required_database_url()
        return cls(url, role=role, publishing=settings.broker_url is not None)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("es_database_up", "Whether the database responded to this scrape.")
        try:
            rows = self._read()
        except psycopg.Error as error:
            log.warning("figures_unavailable", error=type(error).__name__, reason=failure_reason(error))
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for (name, text), value in zip(_LOG, rows[0][:4], strict=True):
            if value is not None and (self._publishing or name != "es_published_position"):
                yield GaugeMetricFamily(name, text, value=value)
        for column, (name, text) in enumerate(_CONSUMERS, start=5):
            family = GaugeMetricFamily(name, text, labels=["consumer"])
            for row in rows:
                if row[4] is not None:
                    family.add_metric([row[4]], row[column])
            yield family

    def _read(self) -> list[tuple[Any, ...]]:
        limits = session(self._role, part="metrics", statement_timeout=f"{CONNECT_SECONDS}s")
        limits["connect_timeout"] = CONNECT_SECONDS
        with ServiceConnection.connect(self._database_url, **limits) as connection:
            connection.response_seconds = CONNECT_SECONDS
            return connection.execute(_STATEMENT).fetchall()
