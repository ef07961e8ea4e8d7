"""Differences between stored rows and the log, and the comparison of two ordered sequences of rows. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, Any]
Problem = Literal["missing", "unexpected", "changed", "not_compared"]

_END: tuple[Any, None] = (None, None)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says.

    `key` identifies the row in its table, and `columns` are those that differ. `not_compared`: events of the
    row cannot be read, so it was not compared.
    """

    table: str
    key: str
    problem: Problem
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        return f"{self.table} {self.key}: {self.problem.replace('_', ' ')}{columns}"


def difference(table: str, key: object, expected: Row | None, stored: Row | None) -> Difference | None:
    """The difference between two rows; `None` if there is none. Only columns of the stored row count."""
    if stored is None:
        return Difference(table, str(key), "missing") if expected is not None else None
    if expected is None:
        return Difference(table, str(key), "unexpected")
    columns = tuple(name for name, value in stored.items() if value != expected.get(name))
    return Difference(table, str(key), "changed", columns) if columns else None


def merge_rows(
    expected: Iterable[tuple[Any, Row]], stored: Iterable[tuple[Any, Row]]
) -> Iterator[tuple[Any, Row | None, Row | None]]:
    """Pair the rows of two sequences by key. Both are in the order of their keys, without duplicates."""
    left, right = iter(expected), iter(stored)
    left_key, left_row = next(left, _END)
    right_key, right_row = next(right, _END)
    while left_row is not None or right_row is not None:
        if right_row is None or (left_row is not None and left_key < right_key):
            yield left_key, left_row, None
            left_key, left_row = next(left, _END)
        elif left_row is None or right_key < left_key:
            yield right_key, None, right_row
            right_key, right_row = next(right, _END)
        else:
            yield left_key, left_row, right_row
            left_key, left_row = next(left, _END)
            right_key, right_row = next(right, _END)
