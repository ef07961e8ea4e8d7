"""Serves metrics in the format of Prometheus: of this process, or of all processes in the one-machine mode.

In the one-machine mode each process stores its values in files (`metric_files`), and each process serves the
values of all.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from platform import python_version

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from chassis.observability.metric_files import FOLDER

Exposition = Callable[[str], tuple[bytes, str]]  # from the Accept header to the text and its content type


class BuildInfo(Collector):
    """The version of regcred and of Python."""

    def collect(self) -> Sequence[Metric]:
        family = GaugeMetricFamily(
            "regcred_build_info",
            "Always 1, with the version of regcred and of Python as labels.",
            labels=["version", "python"],
        )
        family.add_metric([version("regcred"), python_version()], 1)
        return [family]


def registry_of(collectors: Sequence[Collector], environment: Mapping[str, str]) -> CollectorRegistry:
    """A registry of the metrics of the process and of these collectors."""
    registry = CollectorRegistry()
    if environment.get(FOLDER):
        MultiProcessCollector(registry, environment[FOLDER])  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    for collector in (BuildInfo(), *collectors):
        registry.register(collector)
    return registry


def exposition(collectors: Sequence[Collector], environment: Mapping[str, str] = os.environ) -> Exposition:
    """A function that renders metrics for a route of a service."""
    registry = registry_of(collectors, environment)

    def expose(accepted: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accepted)
        return encode(registry), content_type

    return expose
