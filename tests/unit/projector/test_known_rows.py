"""What a building process knows of its rows is what it has made of them last, written or not, and not without end."""

import pytest

from projector import known_rows
from projector.folding import Row, Rows, fold
from projector.known_rows import KnownRows, Unwritten
from projector.projections.changes import Delete, Insert, KeyedTable, Update

TABLE: KeyedTable = "credentials"


def change(known: KnownRows, changes: list[Insert | Update | Delete], keys: str) -> None:
    before, _ = known.of({TABLE: set(keys)})
    known.changed(fold(changes, before))


def known_of(known: KnownRows, keys: str) -> dict[object, object]:
    return dict(known.of({TABLE: set(keys)})[0][TABLE])


def unknown_of(known: KnownRows, keys: str) -> set[object]:
    return known.of({TABLE: set(keys)})[1][TABLE]


def rows_in_order(known: KnownRows) -> list[Row]:
    return sorted(known.unwritten()[TABLE].rows, key=lambda row: row["credential_id"])


def row(key: str, name: str) -> dict[str, object]:
    return {"credential_id": key, "name": name}


@pytest.fixture
def known() -> KnownRows:
    """A credential that was added and renamed, and one that was added and removed; neither is written."""
    known = KnownRows()
    change(known, [Insert(TABLE, row(key, "team")) for key in "ab"], "ab")
    change(known, [Update(TABLE, "a", {"name": "crew"}), Delete(TABLE, "b")], "ab")
    return known


def test_rows_are_known_as_they_were_made_until_they_are_forgotten(known: KnownRows) -> None:
    assert known_of(known, "abc") == {"a": row("a", "crew")}
    assert unknown_of(known, "abc") == {"c"}  # that b is gone is known
    known.forget()
    assert unknown_of(known, "abc") == set("abc")
    assert known.all_written


def test_of_each_row_the_last_state_is_written_once(known: KnownRows) -> None:
    assert known.unwritten() == {TABLE: Unwritten(outdated=[], rows=[row("a", "crew")])}
    assert not known.all_written
    known.written()
    assert known.unwritten() == {TABLE: Unwritten(outdated=[], rows=[])}
    assert known.all_written
    assert known_of(known, "ab") == {"a": row("a", "crew")}
    assert unknown_of(known, "ab") == {"b"}  # the table says that there is none
    change(known, [], "a")  # looked at only
    assert known.all_written
    change(known, [Insert(TABLE, row("b", "again")), Update(TABLE, "a", {"name": "gang"})], "ab")
    assert known.unwritten()[TABLE].outdated == ["a"]
    assert rows_in_order(known) == [row("a", "gang"), row("b", "again")]
    known.written()
    change(known, [Delete(TABLE, "b")], "b")
    assert known.unwritten() == {TABLE: Unwritten(outdated=["b"], rows=[])}


def test_what_was_loaded_goes_before_it_comes_anew() -> None:
    known = KnownRows()
    before: Rows = {TABLE: {"a": row("a", "team"), "b": row("b", "team")}}
    known.loaded(before)
    known.changed(fold([Update(TABLE, "a", {"name": "crew"}), Delete(TABLE, "b")], before))
    assert sorted(known.unwritten()[TABLE].outdated) == ["a", "b"]
    assert rows_in_order(known) == [row("a", "crew")]


def test_those_go_that_were_changed_longest_ago_and_are_written(
    known: KnownRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_rows, "MAX_KNOWN", 2)
    known.written()
    change(known, [Insert(TABLE, row(key, "team")) for key in "cd"], "cd")
    known.trim()
    assert set(known_of(known, "acd")) == {"c", "d"}
    assert not known.full
    change(known, [Insert(TABLE, row("e", "team"))], "e")
    known.trim()
    assert set(known_of(known, "cde")) == {"c", "d", "e"}
    assert known.full  # all three have to be written
    known.written()
    change(known, [Update(TABLE, "c", {"name": "crew"})], "c")
    known.trim()
    assert set(known_of(known, "cde")) == {"c", "e"}
    assert not known.full
