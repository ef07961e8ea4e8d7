"""What a building process knows of its rows is what it has written last, and not without end."""

import pytest

from projector import known_rows
from projector.folding import fold
from projector.known_rows import KnownRows
from projector.projections.changes import Delete, Insert, Table, Update


def note(known: KnownRows, changes: list[Insert | Update | Delete], keys: set[object]) -> None:
    before = known.of({"credentials": keys})
    known.note(before, fold(changes, before))


def rows_of(known: KnownRows, *keys: object) -> dict[object, object]:
    table: Table = "credentials"
    return dict(known.of({table: set(keys)})[table])


def test_rows_are_known_as_they_were_written_until_they_are_gone_or_forgotten() -> None:
    known = KnownRows()
    note(known, [Insert("credentials", {"credential_id": key, "name": "team"}) for key in "ab"], set("ab"))
    note(known, [Update("credentials", "a", {"name": "crew"}), Delete("credentials", "b")], set("ab"))
    assert rows_of(known, "a", "b", "c") == {"a": {"credential_id": "a", "name": "crew"}}
    known.forget()
    assert rows_of(known, "a") == {}


def test_those_go_that_were_touched_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_rows, "MAX_KNOWN", 2)
    known = KnownRows()
    note(known, [Insert("credentials", {"credential_id": key}) for key in "ab"], set("ab"))
    note(known, [Update("credentials", "a", {"name": "crew"})], {"a"})
    note(known, [Insert("credentials", {"credential_id": "c"})], {"c"})
    assert set(rows_of(known, "a", "b", "c")) == {"a", "c"}
