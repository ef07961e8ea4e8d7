"""Observability of a process, beside its logs: metrics of its own, and traces where they are configured."""

import os
from collections.abc import Mapping

from chassis.observability.exposition import forget_dead_processes
from chassis.observability.tracing import configure_tracing


def observe(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Call it once in each process that works: behind gunicorn, in the worker."""
    forget_dead_processes(environment)
    configure_tracing(service, environment)
