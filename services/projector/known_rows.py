"""Rows of a building generation as its only writer left them, so that it need not read them again.

A credential is loaded, changed and written anew with nearly every event about it; to load it takes some 8 µs
of this process and 3 of PostgreSQL, where an event takes 50 and 25. Whoever changes a generation's rows moves
its checkpoint, in the same transaction: where that stands as this process has left it, so do the rows.
"""

from collections.abc import Mapping
from typing import Any

from projector.folding import Folded, Row, Rows
from projector.projections.changes import Table

MAX_KNOWN = 40_000  # of each table, those written last; a row is about 2 KB


class KnownRows:
    """Empty at first. What is noted holds until `forget`: call that where a transaction did not commit."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Any, Row]] = {}

    def forget(self) -> None:
        self._rows.clear()

    def of(self, keys: Mapping[Table, set[Any]]) -> dict[Table, dict[Any, Row]]:
        """Those of these rows that are known. That one is not known does not mean that there is none."""
        known: dict[Table, dict[Any, Row]] = {}
        for table, wanted in keys.items():
            rows = self._rows.get(table, {})
            known[table] = {key: rows[key] for key in wanted if key in rows}
        return known

    def note(self, before: Rows, folded: Folded) -> None:
        """What was loaded and what was written, where that has changed it."""
        for table, found in before.items():
            rows = self._rows.setdefault(table, {})
            for key, row in {**found, **folded.put[table]}.items():
                rows.pop(key, None)  # to its end: the first are those that were touched longest ago
                rows[key] = row
            for key in folded.gone[table]:
                rows.pop(key, None)
            while len(rows) > MAX_KNOWN:
                del rows[next(iter(rows))]
