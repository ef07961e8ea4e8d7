"""How a process makes itself seen, beside its logs: its metrics, and traces where they are wanted."""

import os
from collections.abc import Mapping

from eventlog.storage.database_metrics import DatabaseFigures
from chassis.observability.exposition import Exposition, exposition, forget_dead_processes, serve_metrics
from chassis.observability.tracing import configure_tracing
from chassis.settings.environment import Settings


def observe(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Call it once in each process that works: behind gunicorn, in the worker."""
    forget_dead_processes(environment)
    configure_tracing(service, environment)


def open_exposition(
    settings: Settings, *, role: str, environment: Mapping[str, str] = os.environ
) -> Exposition:
    """The metrics of a service that serves HTTP anyway; the database is read as `role`."""
    return exposition([_figures(settings, role)], environment)


def serve_own_metrics(settings: Settings, *, role: str, environment: Mapping[str, str] = os.environ) -> None:
    """The metrics of a service without HTTP, at REGCRED_METRICS_LISTEN; nothing where that is not set."""
    serve_metrics(settings.metrics_listen, [_figures(settings, role)], environment)


def _figures(settings: Settings, role: str) -> DatabaseFigures:
    url = settings.required_database_url()
    return DatabaseFigures(url, role=role, publishing=settings.broker_url is not None)
