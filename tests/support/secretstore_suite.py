"""What every secret store must do; each adapter subclasses it and gives `store`."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid5

import pytest

from chassis.secret import Secret
from secretstore.store import (
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretStore,
    SecretStoreError,
    SecretVersionConflict,
)

NAMESPACE = UUID("00000000-0000-0000-0000-00000000cafe")
CANARY = "canary-9f2c5b-do-not-show"


def a_path(text: str, account: str = "acme") -> SecretPath:
    return SecretPath(account, uuid5(NAMESPACE, text))


def put(store: SecretStore, path: SecretPath, *texts: str) -> None:
    """Versions 1, 2, … of a path that is new."""
    for version, text in enumerate(texts):
        store.put(path, Secret(text), write_id=f"{path}-{version}", expected_version=version)


def shown(error: BaseException) -> str:
    """Everything that a log, a debugger's summary or an error tracker would take from an exception."""
    chained = "".join(repr(link) + str(link) for link in _chain(error))
    return str(error) + repr(error) + repr(error.args) + "".join(traceback.format_exception(error)) + chained


def _chain(error: BaseException) -> list[BaseException]:
    """The exceptions that are shown with it; `from None` hides what came before."""
    links = []
    link: BaseException | None = error
    while link is not None:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return links


class SecretStoreSuite:
    """A subclass has a fixture `store` whose identity may do everything."""

    def test_a_secret_is_read_as_it_was_put(self, store: SecretStore) -> None:
        path = a_path("put")
        assert store.put(path, Secret("one"), write_id="w", expected_version=0) == 1
        assert store.get(path, 1).reveal() == "one"

    @pytest.mark.parametrize(
        "text",
        ["", " \t\n", "パスワード🔐\u0000é", '"}\\u0022', "x" * 64 * 1024],
        ids=["empty", "blanks", "unicode", "quotes", "64 KiB"],
    )
    def test_a_secret_is_stored_unchanged(self, store: SecretStore, text: str) -> None:
        path = a_path(f"letter-{len(text)}-{text[:4]}")
        put(store, path, text)
        assert store.get(path, 1).reveal() == text

    def test_versions_count_from_one(self, store: SecretStore) -> None:
        path = a_path("count")
        assert store.current_version(path) == 0
        put(store, path, "one", "two", "three")
        assert store.current_version(path) == 3
        assert [store.get(path, version).reveal() for version in (1, 2, 3)] == ["one", "two", "three"]

    @pytest.mark.parametrize("expected", [0, 2, 7])
    def test_a_write_at_another_version_is_refused(self, store: SecretStore, expected: int) -> None:
        path = a_path(f"cas-{expected}")
        put(store, path, "one")
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("other"), write_id="foreign", expected_version=expected)
        assert store.current_version(path) == 1
        assert store.get(path, 1).reveal() == "one"

    def test_a_new_path_has_version_zero(self, store: SecretStore) -> None:
        path = a_path("new-cas")
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("one"), write_id="w", expected_version=3)
        assert store.versions(path) == ()

    def test_a_repeated_write_returns_the_same_version(self, store: SecretStore) -> None:
        path = a_path("again")
        put(store, path, "one")
        for _ in range(2):
            assert store.put(path, Secret("two"), write_id="w-2", expected_version=1) == 2
        assert store.current_version(path) == 2

    def test_a_write_with_the_same_id_and_another_secret_is_refused(self, store: SecretStore) -> None:
        path = a_path("other-secret")
        store.put(path, Secret("one"), write_id="w", expected_version=0)
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("another"), write_id="w", expected_version=0)
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("one"), write_id="another", expected_version=0)

    def test_a_repeated_write_that_is_not_the_newest_is_refused(self, store: SecretStore) -> None:
        path = a_path("not-newest")
        put(store, path, "one", "two")
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("one"), write_id=f"{path}-0", expected_version=0)

    def test_a_repeated_write_of_a_destroyed_version_is_refused(self, store: SecretStore) -> None:
        path = a_path("again-destroyed")
        put(store, path, "one")
        store.destroy(path, [1])
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("one"), write_id=f"{path}-0", expected_version=0)

    @pytest.mark.parametrize("version", [0, 3, -1])
    def test_an_unknown_version_is_missing(self, store: SecretStore, version: int) -> None:
        path = a_path(f"never-{version}")
        put(store, path, "one", "two")
        with pytest.raises(SecretMissing):
            store.get(path, version)

    def test_an_unknown_path_is_missing(self, store: SecretStore) -> None:
        path = a_path("nothing")
        with pytest.raises(SecretMissing):
            store.get(path, 1)
        assert store.versions(path) == ()
        assert store.current_version(path) == 0

    def test_a_destroyed_version_is_reported_as_such_and_others_stay(self, store: SecretStore) -> None:
        path = a_path("destroyed")
        put(store, path, "one", "two", "three")
        store.destroy(path, [1, 3])
        for version in (1, 3):
            with pytest.raises(SecretDestroyed):
                store.get(path, version)
        assert store.get(path, 2).reveal() == "two"
        assert [version.destroyed for version in store.versions(path)] == [True, False, True]

    def test_destroying_a_destroyed_or_missing_version_is_not_an_error(self, store: SecretStore) -> None:
        path = a_path("destroy-again")
        store.destroy(path, [1])
        put(store, path, "one")
        store.destroy(path, [1, 9])
        store.destroy(path, [1])
        assert [version.version for version in store.versions(path)] == [1]

    def test_version_numbers_continue_after_a_destruction(self, store: SecretStore) -> None:
        path = a_path("go-on")
        put(store, path, "one")
        store.destroy(path, [1])
        assert store.current_version(path) == 1
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("two"), write_id="w", expected_version=0)
        assert store.put(path, Secret("two"), write_id="w", expected_version=1) == 2

    def test_removing_deletes_the_path_and_others_stay(self, store: SecretStore) -> None:
        gone, neighbour = a_path("removed"), a_path("removed", account="acme2")
        put(store, gone, "one", "two")
        put(store, neighbour, "kept")
        for _ in range(2):
            store.remove(gone)
        with pytest.raises(SecretMissing):
            store.get(gone, 1)
        assert store.versions(gone) == ()
        assert store.get(neighbour, 1).reveal() == "kept"

    def test_accounts_do_not_share_a_path(self, store: SecretStore) -> None:
        put(store, a_path("shared", account="acme"), "of acme")
        put(store, a_path("shared", account="umbrella"), "of umbrella")
        assert store.get(a_path("shared", account="acme"), 1).reveal() == "of acme"

    def test_a_deleted_version_cannot_be_read_and_others_stay(self, store: SecretStore) -> None:
        path = a_path("deleted")
        put(store, path, "one", "two", "three")
        store.delete(path, [1, 3, 9])
        store.delete(a_path("deleted-nothing"), [1])
        for version in (1, 3):
            with pytest.raises(SecretDestroyed):
                store.get(path, version)
        assert store.get(path, 2).reveal() == "two"
        assert [version.deleted or version.destroyed for version in store.versions(path)] == [
            True,
            False,
            True,
        ]
        with pytest.raises(SecretVersionConflict):
            store.put(path, Secret("three"), write_id=f"{path}-2", expected_version=2)
        assert store.put(path, Secret("four"), write_id="w", expected_version=3) == 4

    def test_every_path_is_listed(self, store: SecretStore) -> None:
        wanted = {a_path(f"find-{number}", account) for number in range(3) for account in ("findme", "f-2")}
        for path in wanted:
            put(store, path, "one")
        removed = a_path("find-0", "f-2")
        store.remove(removed)
        found = list(store.paths())
        assert len(found) == len(set(found))
        assert wanted - {removed} <= set(found)
        assert removed not in found

    def test_one_of_many_concurrent_writers_at_a_version_succeeds(self, store: SecretStore) -> None:
        path = a_path("race")

        def write(number: int) -> int | None:
            try:
                return store.put(path, Secret(f"s{number}"), write_id=f"w{number}", expected_version=0)
            except SecretVersionConflict:
                return None

        with ThreadPoolExecutor(8) as writers:
            results = list(writers.map(write, range(8)))
        winners = [number for number, version in enumerate(results) if version == 1]
        assert len(winners) == 1
        assert results.count(None) == 7
        assert store.get(path, 1).reveal() == f"s{winners[0]}"

    def test_concurrent_repetitions_of_a_write_result_in_one_version(self, store: SecretStore) -> None:
        path = a_path("same-race")
        with ThreadPoolExecutor(4) as writers:
            versions = writers.map(
                lambda _: store.put(path, Secret("same"), write_id="same", expected_version=0), range(4)
            )
            assert list(versions) == [1] * 4
        assert store.current_version(path) == 1

    def test_no_error_contains_a_secret_or_its_path(self, store: SecretStore) -> None:
        path = a_path("canary")
        put(store, path, CANARY, "two")
        store.destroy(path, [2])

        def conflict() -> None:
            store.put(path, Secret(CANARY + "2"), write_id="foreign", expected_version=0)

        attempts: list[Callable[[], object]] = [
            conflict,
            lambda: store.get(path, 2),
            lambda: store.get(path, 9),
        ]
        for attempt in attempts:
            with pytest.raises(SecretStoreError) as raised:
                attempt()
            # The lines of source in a traceback are this file's; what it says is the message and its chain.
            assert CANARY not in shown(raised.value)
            assert str(path.credential_id) not in shown(raised.value)

    def test_check_accepts_an_available_store(self, store: SecretStore) -> None:
        store.check()
