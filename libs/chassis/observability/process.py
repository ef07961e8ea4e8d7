"""Sets up metrics and traces of a process."""

import os
from collections.abc import Mapping

from chassis.observability.metric_files import delete_gauges_of_previous_worker
from chassis.observability.tracing import configure_tracing


def observe(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Set up metrics and traces. Call it once in each process; with gunicorn, in the worker."""
    delete_gauges_of_previous_worker(environment)
    configure_tracing(service, environment)
