"""The printed table and the file of results."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.benchmark import Measured, Result


def table(results: Sequence[Result]) -> Table:
    """One line for each row. Each measurement is followed by the spread of its samples."""
    shown = Table(
        "benchmark", "unit", "ours", "peer", "limit", "ours/peer", "ours/limit", "target", "reached"
    )
    for result in results:
        reached = result.reached()
        shown.add_row(
            result.row.name,
            result.row.unit,
            _text(result.ours),
            _text(result.peer),
            _text(result.limit),
            f"{result.part('ours/peer'):.2f}" if result.peer else "",
            f"{result.part('ours/limit'):.2f}" if result.limit else "",
            ", ".join(map(str, result.row.targets)),
            "" if reached is None else "yes" if reached else "NO",
        )
    return shown


def show(results: Sequence[Result]) -> None:
    Console(width=170).print(table(results))


def document(results: Sequence[Result], machine: Mapping[str, object], *, quick: bool) -> dict[str, object]:
    """The entry of a benchmark in the file, with all samples and the machine."""
    return {
        "machine": dict(machine),
        "quick": quick,
        "results": [
            {
                "name": result.row.name,
                "unit": result.row.unit,
                "ours": _samples(result.ours),
                "peer": _samples(result.peer),
                "limit": _samples(result.limit),
                "ours_to_peer": round(result.part("ours/peer"), 3) if result.peer else None,
                "ours_to_limit": round(result.part("ours/limit"), 3) if result.limit else None,
                "targets": [str(target) for target in result.row.targets],
                "reached": result.reached(),
            }
            for result in results
        ],
    }


def _text(measured: Measured | None) -> str:
    if measured is None:
        return ""
    digits = 0 if measured.value >= 100 else 1
    return f"{measured.value:,.{digits}f} ±{measured.spread / 2:.0%}"


def _samples(measured: Measured | None) -> dict[str, object] | None:
    if measured is None:
        return None
    return {
        "median": round(measured.value, 3),
        "spread": round(measured.spread, 3),
        "samples": [round(sample, 3) for sample in measured.samples],
    }
