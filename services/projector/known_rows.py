"""Rows of a building generation as its only writer has made them: it need not read them again, nor write them
each time.

Nearly every event about a credential changes its row. To load it takes some 8 µs of this process and 3 of
PostgreSQL, to write it 10 and 10, where all else of an event takes 45 and 15.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from projector.folding import Folded, Row, Rows
from projector.projections.changes import Table

MAX_KNOWN = 40_000  # of each table, those changed last; a row is about 2 KB
_UNKNOWN: Row = {}


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What has changed of a table's rows: the keys of those that are to go, and the rows that are to come."""

    outdated: Sequence[Any]
    rows: Sequence[Row]


class KnownRows:
    """Empty at first. What is said holds until `forget`: call that where a transaction did not commit."""

    def __init__(self) -> None:
        self._tables: dict[Table, _Known] = {}

    def forget(self) -> None:
        self._tables.clear()

    def of(self, keys: Mapping[Table, set[Any]]) -> tuple[dict[Table, dict[Any, Row]], dict[Table, set[Any]]]:
        """Those of these rows that are known, and the keys of which nothing is known."""
        known: dict[Table, dict[Any, Row]] = {}
        unknown: dict[Table, set[Any]] = {}
        for table, wanted in keys.items():
            rows = self._of(table).rows
            found: dict[Any, Row] = {}
            missing: set[Any] = set()
            for key in wanted:
                row = rows.get(key, _UNKNOWN)
                if row is _UNKNOWN:
                    missing.add(key)
                elif row is not None:
                    found[key] = row
            known[table], unknown[table] = found, missing
        return known, unknown

    def loaded(self, loaded: Rows) -> None:
        """These are in the tables, and not yet known."""
        for table, rows in loaded.items():
            known = self._of(table)
            known.rows.update(rows)
            known.stored |= rows.keys()

    def changed(self, folded: Folded) -> None:
        """This has become of rows that were known, and of new ones; it is not written yet."""
        for table, known in self._tables.items():
            changed: Mapping[Any, Row | None] = {**folded.put[table], **dict.fromkeys(folded.gone[table])}
            for key, row in changed.items():
                known.rows.pop(key, None)  # to its end: the first are those that were changed longest ago
                known.rows[key] = row
            known.changed |= changed.keys()

    def unwritten(self) -> Mapping[Table, Unwritten]:
        """What has changed since `written`. Only rows that this process has seen are to go: where another one
        has used the same key, the database is to refuse it.
        """
        return {
            table: Unwritten(
                outdated=[key for key in known.changed if key in known.stored],
                rows=[row for key in known.changed if (row := known.rows[key]) is not None],
            )
            for table, known in self._tables.items()
        }

    @property
    def all_written(self) -> bool:
        return not any(known.changed for known in self._tables.values())

    @property
    def full(self) -> bool:
        """No more than this may be kept from the tables."""
        return any(len(known.changed) > MAX_KNOWN for known in self._tables.values())

    def written(self) -> None:
        """What was `unwritten` is in the tables now."""
        for known in self._tables.values():
            for key in known.changed:
                if known.rows[key] is None:
                    del known.rows[key]
                    known.stored.discard(key)
                else:
                    known.stored.add(key)
            known.changed.clear()

    def trim(self) -> None:
        """Forget those that were changed longest ago where there are too many; never what is unwritten."""
        for known in self._tables.values():
            surplus = max(0, len(known.rows) - MAX_KNOWN)
            for key in list(islice((key for key in known.rows if key not in known.changed), surplus)):
                del known.rows[key]
                known.stored.discard(key)

    def _of(self, table: Table) -> "_Known":
        return self._tables.setdefault(table, _Known())


@dataclass(slots=True)
class _Known:
    """Of one table: rows as they are now, `None` where it is gone and that is not written; keys of those that
    the table has, in whatever state, and of those that have changed since.
    """

    rows: dict[Any, Row | None] = field(default_factory=dict)
    stored: set[Any] = field(default_factory=set)
    changed: set[Any] = field(default_factory=set)
