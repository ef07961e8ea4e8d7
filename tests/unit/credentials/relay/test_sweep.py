"""Which versions are left over: decided from facts, tried on the memory store."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.secret import Secret
from credentials.relay.sweep import Leftovers, SweepResult, leftovers, sweep
from secretstore.store import SecretDestroyed, SecretPath, SecretStoreUnavailable, StoredVersion
from tests.support.memory_secretstore import MemorySecretStore
from tests.support.secretstore_suite import a_path, put

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
GRACE = timedelta(minutes=15)
NOTHING = Leftovers(whole_path=False, versions=())


def version(number: int, minutes_old: float = 60, *, destroyed: bool = False) -> StoredVersion:
    return StoredVersion(number, NOW - timedelta(minutes=minutes_old), destroyed)


def found(versions: list[StoredVersion], referenced: set[int]) -> Leftovers:
    return leftovers(versions, lambda number: number in referenced, now=NOW, grace=GRACE)


def test_a_referenced_version_stays() -> None:
    assert found([version(1)], {1}) == NOTHING


def test_an_unreferenced_version_is_destroyed() -> None:
    assert found([version(1), version(2), version(3)], {2}) == Leftovers(whole_path=False, versions=(1, 3))


def test_an_unreferenced_path_is_removed() -> None:
    assert found([version(1), version(2, destroyed=True)], set()) == Leftovers(whole_path=True, versions=())
    assert found([version(1, destroyed=True)], set()) == Leftovers(whole_path=True, versions=())


def test_an_empty_path_has_nothing_to_destroy() -> None:
    assert found([], set()) == NOTHING


@pytest.mark.parametrize(("minutes_old", "goes"), [(14.99, False), (15, True), (15.01, True), (-5, False)])
def test_the_grace_ends_at_its_exact_time(minutes_old: float, goes: bool) -> None:
    assert found([version(1, minutes_old)], set()).whole_path == goes


def test_a_path_with_a_new_version_is_not_swept() -> None:
    """Its command may be about to append, and what came before may be what it refers back to."""
    assert found([version(1), version(2), version(3, 1)], {2}) == NOTHING


def test_a_destroyed_version_is_not_destroyed_again() -> None:
    assert found([version(1, destroyed=True), version(2)], {2}) == NOTHING


@given(
    st.lists(st.tuples(st.floats(0, 60), st.booleans(), st.booleans()), max_size=6),
)
def test_referenced_and_new_versions_are_never_destroyed(drawn: list[tuple[float, bool, bool]]) -> None:
    versions = [version(n, age, destroyed=gone) for n, (age, gone, _) in enumerate(drawn, 1)]
    referenced = {n for n, (_, _, kept) in enumerate(drawn, 1) if kept}
    result = found(versions, referenced)
    young = {v.version for v in versions if NOW - v.created_at < GRACE}
    gone = {v.version for v in versions} if result.whole_path else set(result.versions)
    assert not gone & (referenced | young)
    if not young:
        assert (
            gone | referenced | {v.version for v in versions if v.destroyed}
            == {v.version for v in versions} | referenced
        )


def test_a_sweep_reads_every_path() -> None:
    moment = NOW - timedelta(hours=1)
    store = MemorySecretStore()
    kept, half, orphan = a_path("kept"), a_path("half"), a_path("orphan")
    for path in (kept, half):
        put(store, path, "one", "two")
    put(store, orphan, "one")

    def referenced(path: SecretPath, number: int) -> bool:
        return path == kept or (path == half and number == 2)

    assert sweep(store, referenced, now=NOW, grace=GRACE) == SweepResult(destroyed=1, removed=1)
    assert sweep(store, referenced, now=NOW, grace=GRACE) == SweepResult(destroyed=0, removed=0)
    assert store.get(kept, 1).reveal() == "one"
    with pytest.raises(SecretDestroyed):
        store.get(half, 1)
    assert orphan not in set(store.paths())


def test_an_interrupted_sweep_is_reported_and_can_be_repeated() -> None:
    class Failing(MemorySecretStore):
        failures = 1

        def remove(self, path: SecretPath) -> None:
            if path == a_path("f-1") and self.failures:
                self.failures -= 1
                raise SecretStoreUnavailable("away")
            super().remove(path)

    store = Failing()
    for number in range(3):
        store.put(a_path(f"f-{number}"), Secret("x"), write_id="w", expected_version=0)
    with pytest.raises(SecretStoreUnavailable):
        sweep(store, lambda _path, _version: False, now=NOW, grace=GRACE)
    assert sweep(store, lambda _path, _version: False, now=NOW, grace=GRACE).removed == 2
    assert list(store.paths()) == []
