"""What every `CredentialStore` must do; each adapter's test has a fixture `store`."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from contracts.credential import Active
from contracts.credential_events import (
    CredentialRemoved,
    CredentialRotationRequested,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
)
from credentials.application.store import CredentialStore
from credentials.domain.errors import NameTaken
from eventlog.events import NewEvent
from eventlog.storage import IdempotencyKeyReused, IdempotentRequest, VersionConflict
from tests.support.eventstore_suite import an_event, an_id


def a_credential(
    name: str = "Team",
    *,
    registry_host: str = "ghcr.io",
    secret_version: int = 1,
    expires_at: datetime | None = None,
    restricted: bool = True,
    projects: tuple[str, ...] = ("shop",),
) -> Active:
    return Active(
        credential_id=UUID(int=1),
        registry=Registry(provider="github", host=registry_host, location=None),
        username="octo",
        secret=SecretReference(version=secret_version, kind="username_password", fingerprint="f" * 32),
        details=Details(
            name=name,
            description="",
            scope=Scope(pull=True, push=False),
            repository_prefixes=("acme/",),
            expires_at=expires_at,
        ),
        restrictions=Restrictions(restricted=restricted, projects=projects),
    )


def a_requested_rotation(credential_id: UUID) -> CredentialRotationRequested:
    """A rotation with the id of its credential."""
    credential = a_credential()
    return CredentialRotationRequested(
        credential_id=credential_id,
        rotation_id=credential_id,
        registry=credential.registry,
        username=credential.username,
        secret=credential.secret,
        expires_at=None,
        grace_seconds=0,
        deadline=datetime(2026, 1, 2, tzinfo=UTC),
        force_reason=None,
    )


def removal(credential_id: UUID, text: str, *, account: str = "acme") -> NewEvent:
    """An event of a credential's stream."""
    payload = CredentialRemoved(credential_id=credential_id, reason=text, forced=False)
    return replace(an_event(text, account=account), payload=payload)


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
            an_id(text),
            0,
            [removal(an_id(text), text, account=account)],
            current=a_credential(name),
            request=key,
        )
        return an_id(text)

    def test_appended_events_are_loaded(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "loaded", name="loaded")
        [event] = store.load(credential_id)
        assert event.payload == removal(credential_id, "loaded").payload
        assert store.last_outcome(credential_id, 1) is None
        assert store.outcome_of(an_id("nothing")) is None
        assert store.load(an_id("nothing")) == []

    def test_requested_rotations_are_found_in_pages_until_they_are_settled(
        self, store: CredentialStore
    ) -> None:
        ids = sorted(
            self.add(store, f"rotates-{n}", name=f"rotates-{n}", account="rotates") for n in range(3)
        )
        assert ids[0] not in {one.credential_id for one in store.requested_rotations(None, 1000)}
        for number, credential_id in enumerate(ids):
            waiting = replace(
                a_credential(f"rotates {number}"), requested=a_requested_rotation(credential_id)
            )
            event = removal(credential_id, f"rotates-{number}-2", account="rotates")
            store.append(credential_id, 1, [event], current=waiting, request=None)
        found = [one for one in store.requested_rotations(None, 1000) if one.account_id == "rotates"]
        assert [(one.credential_id, one.rotation_id) for one in found] == [(one, one) for one in ids]
        after_first = store.requested_rotations(ids[0], 1)
        assert [one.credential_id for one in after_first] == [ids[1]]
        assert store.rotation_test(ids[0]) is None
        event = removal(ids[0], "rotates-3", account="rotates")
        store.append(ids[0], 2, [event], current=a_credential("settled"), request=None)
        assert ids[0] not in {one.credential_id for one in store.requested_rotations(None, 1000)}

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
        event = removal(credential_id, "free-2", account="free")
        store.append(credential_id, 1, [event], current=a_credential("second"), request=None)
        assert not store.name_taken("free", "first")
        assert store.name_taken("free", "second")
        store.append(
            credential_id, 2, [removal(credential_id, "free-3", account="free")], current=None, request=None
        )
        assert not store.name_taken("free", "second")

    def test_a_credential_can_change_the_case_of_its_name(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "own", name="own", account="own")
        event = removal(credential_id, "own-2", account="own")
        store.append(credential_id, 1, [event], current=a_credential("OWN"), request=None)
        assert len(store.load(credential_id)) == 2

    def test_a_repeated_append_leaves_the_row_unchanged(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "repeat", name="before", account="repeat")
        event = removal(credential_id, "repeat-2", account="repeat")
        store.append(credential_id, 1, [event], current=a_credential("after"), request=None)
        for repeated, version in ((removal(credential_id, "repeat", account="repeat"), 1), (event, 2)):
            again = store.append(credential_id, 0, [repeated], current=a_credential("before"), request=None)
            assert (again.version, again.replayed) == (version, True)
        assert store.name_taken("repeat", "after")
        assert not store.name_taken("repeat", "before")

    def test_an_append_at_another_version_is_refused(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "version", name="version")
        with pytest.raises(VersionConflict) as refused:
            store.append(
                credential_id, 3, [removal(credential_id, "version-2")], current=a_credential(), request=None
            )
        assert refused.value.actual == 1

    def test_another_account_cannot_append(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "foreign", name="foreign")
        with pytest.raises(VersionConflict):
            store.append(
                credential_id,
                1,
                [removal(credential_id, "foreign-2", account="thief")],
                current=None,
                request=None,
            )
        assert store.name_taken("acme", "foreign")

    def test_a_repeated_request_has_the_first_response(self, store: CredentialStore) -> None:
        self.add(store, "again", name="again", key=request("k-again"))
        known = store.replay("acme", "k-again", b"f" * 32)
        assert known is not None
        assert (known.version, known.replayed, known.response) == (1, True, {"key": "k-again"})
        appended = store.append(
            an_id("again-2"),
            0,
            [removal(an_id("again-2"), "again-2")],
            current=a_credential(),
            request=request("k-again"),
        )
        assert appended.replayed
        assert store.load(an_id("again-2")) == []
        assert store.replay("acme", "k-never", b"f" * 32) is None
        assert store.replay("other", "k-again", b"f" * 32) is None
        with pytest.raises(IdempotencyKeyReused):
            store.replay("acme", "k-again", b"g" * 32)
