"""What every `CredentialStore` must do; each adapter's test has a fixture `store`."""

from dataclasses import replace
from uuid import UUID

import pytest

from credentials.application.store import CredentialStore, CurrentCredential
from credentials.domain.errors import NameTaken
from shared.eventstore.errors import IdempotencyKeyReused, VersionConflict
from shared.eventstore.store import IdempotentRequest
from tests.support.eventstore_suite import an_event, an_id

ROW = CurrentCredential(
    name="Team",
    provider="github",
    registry_host="ghcr.io",
    repository_prefixes=("acme/",),
    pull=True,
    push=False,
    restricted=True,
    projects=("shop",),
    secret_version=1,
    expires_at=None,
)


def request(key: str, *, fingerprint: bytes = b"f" * 32) -> IdempotentRequest:
    return IdempotentRequest(key=key, fingerprint=fingerprint, response={"key": key})


class CredentialStoreSuite:
    @staticmethod
    def add(
        store: CredentialStore,
        text: str,
        *,
        name: str,
        account: str = "acme",
        key: IdempotentRequest | None = None,
    ) -> UUID:
        store.append(
            an_id(text), 0, [an_event(text, account=account)], current=replace(ROW, name=name), request=key
        )
        return an_id(text)

    def test_what_was_appended_is_loaded(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "loaded", name="loaded")
        [event] = store.load(credential_id)
        assert event.payload == an_event("loaded").payload
        assert store.outcomes(credential_id) == []
        assert store.load(an_id("nothing")) == []

    def test_a_name_is_taken_in_any_case_and_in_its_account_only(self, store: CredentialStore) -> None:
        self.add(store, "name", name="Name One", account="one")
        assert store.name_taken("one", "name ONE")
        assert not store.name_taken("two", "Name One")
        with pytest.raises(NameTaken):
            self.add(store, "name-again", name="NAME one", account="one")
        assert store.load(an_id("name-again")) == []
        self.add(store, "name-elsewhere", name="Name One", account="two")

    def test_a_renamed_or_removed_credential_frees_its_name(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "free", name="first", account="free")
        event = an_event("free-2", account="free")
        store.append(credential_id, 1, [event], current=replace(ROW, name="second"), request=None)
        assert not store.name_taken("free", "first")
        assert store.name_taken("free", "second")
        store.append(credential_id, 2, [an_event("free-3", account="free")], current=None, request=None)
        assert not store.name_taken("free", "second")

    def test_a_credential_keeps_its_own_name(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "own", name="own", account="own")
        event = an_event("own-2", account="own")
        store.append(credential_id, 1, [event], current=replace(ROW, name="OWN"), request=None)
        assert len(store.load(credential_id)) == 2

    def test_an_append_that_is_repeated_leaves_the_row_as_it_is_now(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "repeat", name="before", account="repeat")
        event = an_event("repeat-2", account="repeat")
        store.append(credential_id, 1, [event], current=replace(ROW, name="after"), request=None)
        for repeated, version in ((an_event("repeat", account="repeat"), 1), (event, 2)):
            again = store.append(
                credential_id, 0, [repeated], current=replace(ROW, name="before"), request=None
            )
            assert (again.version, again.replayed) == (version, True)
        assert store.name_taken("repeat", "after")
        assert not store.name_taken("repeat", "before")

    def test_another_version_is_refused(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "version", name="version")
        with pytest.raises(VersionConflict) as refused:
            store.append(credential_id, 3, [an_event("version-2")], current=ROW, request=None)
        assert refused.value.actual == 1

    def test_another_account_cannot_write(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "foreign", name="foreign")
        with pytest.raises(VersionConflict):
            store.append(
                credential_id, 1, [an_event("foreign-2", account="thief")], current=None, request=None
            )
        assert store.name_taken("acme", "foreign")

    def test_a_repeated_request_is_answered_once(self, store: CredentialStore) -> None:
        self.add(store, "again", name="again", key=request("k-again"))
        known = store.replay("acme", "k-again", b"f" * 32)
        assert known is not None
        assert (known.version, known.replayed, known.response) == (1, True, {"key": "k-again"})
        appended = store.append(
            an_id("again-2"), 0, [an_event("again-2")], current=ROW, request=request("k-again")
        )
        assert appended.replayed
        assert store.load(an_id("again-2")) == []
        assert store.replay("acme", "k-never", b"f" * 32) is None
        assert store.replay("other", "k-again", b"f" * 32) is None
        with pytest.raises(IdempotencyKeyReused):
            store.replay("acme", "k-again", b"g" * 32)
