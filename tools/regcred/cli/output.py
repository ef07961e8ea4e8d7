"""The output of the client. Tables are not cut or folded, so that ids can be copied.

On a terminal rich draws the table, with colour unless `NO_COLOR` is set. Otherwise columns are aligned with
spaces.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.cells import cell_len

from regcred.apiclient.text import shown

STYLES = {
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
    """Print one JSON document of the API."""
    click.echo(json.dumps(document, indent=2))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a line of headers and a line for each row."""
    cells = [[shown(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        # Most runs of the program draw no table, and the import of rich is slow.
        from regcred.cli.rich_table import print_rich  # noqa: PLC0415

        print_rich(headers, cells, STYLES)
    else:
        for line in aligned([list(headers), *cells]):
            click.echo(line)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print a name and a value on each line. Further lines of a value are aligned below its first line."""
    lines = [(name, shown(value, lines=True)) for name, value in fields]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        first, *others = text.split("\n")
        style = STYLES.get(first.partition(":")[0])
        click.echo(f"{name.ljust(width)}{_GAP}{click.style(first, fg=style) if style else first}".rstrip())
        for other in others:
            click.echo(" " * (width + len(_GAP)) + other)


def notice(text: str) -> None:
    """Print a message on standard error."""
    click.echo(f"regcred: {shown(text)}", err=True)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines in which each column has one width."""
    if not rows:
        return []
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        _GAP.join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
