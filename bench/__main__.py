"""`python -m bench [names] [--quick] [--repeat 3]`: measures, prints a table and writes bench/results.json.

Run it in the root of the repository, on a machine that does nothing else. docs/benchmarks.md describes the
benchmarks. A run of some benchmarks replaces their results in the file and leaves the others.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import click
import structlog

from bench.append import open_append
from bench.benchmark import BenchmarkFactory, Options, Result, measure
from bench.console import open_console
from bench.isolation import open_isolation
from bench.latency import open_latency
from bench.logins import open_logins
from bench.machine import machine_details
from bench.memory import open_memory
from bench.platform_calls import open_platform
from bench.rebuild_process import open_rebuild
from bench.relay import open_relay
from bench.report import document, show

BENCHMARKS: Mapping[str, BenchmarkFactory] = {
    "append": open_append,
    "relay": open_relay,
    "latency": open_latency,
    "rebuild": open_rebuild,
    "memory": open_memory,
    "platform": open_platform,
    "logins": open_logins,
    "console": open_console,
    "isolation": open_isolation,
}
RESULTS = Path(__file__).parent / "results.json"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--quick", is_flag=True, help="Check that everything works; the results mean little.")
@click.option("--repeat", default=3, show_default=True, help="Number of runs; the result is the median.")
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(names: tuple[str, ...], *, quick: bool, repeat: int, output: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    options = Options(quick=quick, repeat=repeat)
    documents = json.loads(output.read_text()) if output.exists() else {}
    results: list[Result] = []
    for name in names or BENCHMARKS:
        machine = machine_details()
        click.echo(f"{name}: {json.dumps(machine)}")
        measured: list[Result] = []
        with BENCHMARKS[name](options) as benchmarks:
            for benchmark in benchmarks:
                measured += measure(benchmark, repeat)
                show(measured)
        documents[name] = document(measured, machine, quick=quick)
        output.write_text(json.dumps(documents, indent=2) + "\n")
        results += measured
    show(results)


if __name__ == "__main__":
    main()
