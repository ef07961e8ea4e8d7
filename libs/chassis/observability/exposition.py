"""Serves metrics in the format of Prometheus: of this process, or of all processes in the one-machine mode.

In the one-machine mode each process stores its values in files below `PROMETHEUS_MULTIPROC_DIR`, and each
process serves the values of all. prometheus-client reads this variable when it is imported.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

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


def empty_folder(folder: Path) -> None:
    """Delete the values of processes of an earlier `regcred up`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def delete_gauges_of_dead_processes(environment: Mapping[str, str]) -> None:
    """Delete the gauges of processes that have exited.

    Their counters stay. Call it at the start of a process, because a process is started when another one has
    exited.
    """
    if not environment.get(FOLDER):
        return
    for file in Path(environment[FOLDER]).glob("gauge_live*_*.db"):
        if not _is_alive(int(file.stem.rpartition("_")[2])):
            with suppress(FileNotFoundError):
                file.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
