"""What the client prints. Tables are as wide as they need to be: nothing is cut or folded, ids can be copied.

On a terminal rich draws the table, with colour unless `NO_COLOR` is set; anywhere else columns are aligned
with spaces.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.cells import cell_len

from regcred.apiclient.text import shown

_STYLES = {
    "verified": "green",
    "success": "green",
    "failed": "red",
    "failure": "red",
    "denied": "red",
    "unreachable": "yellow",
    "unverifiable": "yellow",
    "pending": "cyan",
}
_GAP = "  "


def print_json(document: Any) -> None:
    """One JSON document, as the API answered it."""
    click.echo(json.dumps(document, indent=2))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A line for each row, under a line of headers."""
    cells = [[shown(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headers, cells)
    else:
        for line in aligned([list(headers), *cells]):
            click.echo(line)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """A name and a value in each line; values of several lines go on under the first."""
    lines = [(name, shown(value, lines=True)) for name, value in fields]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        first, *others = text.split("\n")
        style = _STYLES.get(first.partition(":")[0])
        click.echo(f"{name.ljust(width)}{_GAP}{click.style(first, fg=style) if style else first}".rstrip())
        for other in others:
            click.echo(" " * (width + len(_GAP)) + other)


def notice(text: str) -> None:
    """Something beside the output, on standard error."""
    click.echo(f"regcred: {shown(text)}", err=True)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with columns of equal width."""
    if not rows:
        return []
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        _GAP.join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 most runs of the program draw no table
    from rich.console import Console  # noqa: PLC0415
    from rich.measure import Measurement  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ignore")
    for row in rows:
        # Text, not str: square brackets in data are no markup.
        table.add_row(*(Text(cell, style=_STYLES.get(cell.partition(":")[0], "")) for cell in row))
    console = Console(highlight=False)
    options = console.options.update(width=1_000_000)
    wanted = Measurement.get(console, options, table).maximum
    # Wider than the terminal is left to the terminal, which folds what it shows and not what is copied.
    Console(highlight=False, width=max(console.width, wanted)).print(table, soft_wrap=True)
