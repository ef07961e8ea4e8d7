"""CSV in which spreadsheets run no formula. Archived segments of the audit trail use it without Flask."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

_COLUMNS = tuple(
    """
    position time action outcome reason actor_type actor_id actor_name on_behalf_of source_ip account_id
    credential_id credential_name project_id registry_host image secret_version before after request_id
    correlation_id causation_id id images
    """.split()  # noqa: SIM905 names read better in lines than in a column of quotes
)
# A spreadsheet runs a cell that begins with one of these as a formula (OWASP, CSV injection), including the
# full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_encode = msgspec.json.Encoder().encode


def csv_lines(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of a CSV file: the names of the columns, then one line for each event of the API."""
    return table_lines(_COLUMNS, map(_flat, events))


def table_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """The lines of a CSV file: the names of the columns, then one line for each row."""
    yield ",".join(columns) + "\r\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _flat(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, **{f"actor_{key}": value for key, value in event["actor"].items()}}


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else _encode(value).decode().strip('"')
    return "'" + text if text.startswith(_FORMULA) else text
