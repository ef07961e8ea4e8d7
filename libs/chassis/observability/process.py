"""Sets up metrics and traces of a process."""

import os
from collections.abc import Mapping

from chassis.observability.exposition import delete_gauges_of_dead_processes
from chassis.observability.tracing import configure_tracing


def observe(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Set up metrics and traces. Call it once in each process; with gunicorn, in the worker."""
    delete_gauges_of_dead_processes(environment)
    configure_tracing(service, environment)
