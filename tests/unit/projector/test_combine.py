"""Batches in memory. A random test on PostgreSQL compares them with single statements."""

from uuid import UUID

import pytest

from projector.write.combine import RowExists, combine, keys_of
from projector.write.projections.changes import MAX_GATHERED, Change, Delete, Insert, Put, Update

ONE, TWO = UUID(int=1), UUID(int=2)
ROW = {"credential_id": ONE, "name": "team", "registry_host": "ghcr.io", "secret_version": 1}


def trail(position: int, credential_id: UUID | None = ONE) -> Insert:
    return Insert(
        "audit_events", {"position": position, "credential_id": credential_id}, {"credential_name": "name"}
    )


def test_only_the_last_state_of_a_row_is_written() -> None:
    combined = combine(
        [
            Insert("credentials", ROW),
            Update("credentials", ONE, {"name": "crew"}),
            Update("credentials", ONE, {"name": "gang"}),
        ],
        {},
    )
    assert combined.put["credentials"] == {ONE: {**ROW, "name": "gang"}}
    assert combined.deleted["credentials"] == []


def test_a_row_that_is_deleted_in_the_same_batch_is_not_written() -> None:
    combined = combine([Insert("credentials", ROW), Delete("credentials", ONE)], {})
    assert (combined.put["credentials"], combined.deleted["credentials"]) == ({}, [])
    combined = combine([Delete("credentials", ONE)], {"credentials": {ONE: ROW}})
    assert (combined.put["credentials"], combined.deleted["credentials"]) == ({}, [ONE])


def test_a_change_whose_condition_fails_is_ignored() -> None:
    outcome = Update("credentials", ONE, {"name": "x"}, {"secret_version": 2})
    assert combine([outcome], {"credentials": {ONE: ROW}}).put["credentials"] == {}
    assert combine([outcome], {}).put["credentials"] == {}


def test_a_copied_value_is_the_value_at_that_position() -> None:
    combined = combine(
        [
            trail(1),
            Update("credentials", ONE, {"name": "crew"}),
            trail(2),
            Delete("credentials", ONE),
            trail(3),
            trail(4, None),
        ],
        {"credentials": {ONE: ROW}},
    )
    names = [row["credential_name"] for row in combined.inserts["audit_events"]]
    assert names == ["team", "crew", None, None]


def test_a_put_merges_with_the_existing_row() -> None:
    def put(first: int, last: int, *images: str) -> Put:
        values = {"usage_id": ONE, "first": first, "last": last, "images": list(images), "version": last}
        return Put("usages", ONE, values, least=("first",), greatest=("last",), gathered=("images",))

    combined = combine([put(5, 5, "a", "b"), put(3, 3, "c", "a")], {})
    assert combined.put["usages"] == {
        ONE: {"usage_id": ONE, "first": 3, "last": 5, "images": ["c", "a", "b"], "version": 3}
    }
    many = combine([put(1, 1, *map(str, range(MAX_GATHERED))), put(2, 2, "new")], {}).put["usages"][ONE]
    assert len(many["images"]) == MAX_GATHERED
    assert many["images"][:2] == ["new", "0"]


def test_a_row_cannot_be_inserted_twice() -> None:
    with pytest.raises(RowExists):
        combine([Insert("credentials", ROW)], {"credentials": {ONE: ROW}})


def test_the_rows_of_changes_and_copies_are_loaded() -> None:
    changes: list[Change] = [
        trail(1, TWO),
        Update("credentials", ONE, {"name": "x"}),
        Insert("verifications", {"credential_id": UUID(int=3)}),
        Put("audit_spans", 7, {"span": 7}),
    ]
    assert keys_of(changes) == {"credentials": {ONE, TWO}, "usages": set(), "audit_spans": {7}}
