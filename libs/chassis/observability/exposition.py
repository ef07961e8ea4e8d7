"""Metrics as Prometheus reads them: of this process, or of all processes of the one-machine mode.

There each process keeps its values in files below `PROMETHEUS_MULTIPROC_DIR`, and whichever is asked answers
for all; prometheus-client decides that when it is imported.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

Exposition = Callable[[str], tuple[bytes, str]]  # from what is accepted to the text and its content type


class BuildInfo(Collector):
    """Which regcred this is."""

    def collect(self) -> Sequence[Metric]:
        family = GaugeMetricFamily("regcred_build_info", "1, of this build.", labels=["version", "python"])
        family.add_metric([version("regcred"), python_version()], 1)
        return [family]


def registry_of(collectors: Sequence[Collector], environment: Mapping[str, str]) -> CollectorRegistry:
    """All that one scrape shows: what is counted, and what these collectors find out."""
    registry = CollectorRegistry()
    if environment.get(FOLDER):
        MultiProcessCollector(registry, environment[FOLDER])  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    for collector in (BuildInfo(), *collectors):
        registry.register(collector)
    return registry


def exposition(collectors: Sequence[Collector], environment: Mapping[str, str] = os.environ) -> Exposition:
    """What answers a scrape of a service that serves HTTP anyway."""
    registry = registry_of(collectors, environment)

    def expose(accepted: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accepted)
        return encode(registry), content_type

    return expose


def serve_metrics(
    address: tuple[str, int] | None,
    collectors: Sequence[Collector],
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Serve `/metrics` in a thread of its own, to everybody who reaches that address; nothing without one."""
    if address is not None:
        host, port = address
        start_http_server(port, host, registry_of(collectors, environment))


def empty_folder(folder: Path) -> None:
    """Forget what the processes of an earlier `regcred up` counted."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def forget_dead_processes(environment: Mapping[str, str]) -> None:
    """Gauges of processes that are gone count no longer; what they counted up stays. Call it at a start: that
    is when another one has died.
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
