"""Tables on a terminal."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


def print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    """Print a table. `styles` maps the text of a cell up to a colon to its style."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ignore")
    for row in rows:
        # Text, not str: rich would read square brackets in a str as markup.
        table.add_row(*(Text(cell, style=styles.get(cell.partition(":")[0], "")) for cell in row))
    console = Console(highlight=False)
    options = console.options.update(width=1_000_000)
    wanted = Measurement.get(console, options, table).maximum
    # The terminal itself wraps wide lines, so that copied text has no extra line breaks.
    Console(highlight=False, width=max(console.width, wanted)).print(table, soft_wrap=True)
