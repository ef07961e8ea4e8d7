"""Sets up metrics and traces of a process."""

import os
from collections.abc import Mapping

from chassis.observability.tracing import configure_tracing


def observe(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Set up metrics and traces. Call it once in each process."""
    configure_tracing(service, environment)
