"""What every `CredentialStore` must do for matching and issuing; a subclass has fixtures `store` and `verify`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import SecretIssued, SecretRefused, Workload
from contracts.verdicts import VerificationCode, VerificationStatus
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from credentials.application.store import CredentialStore, DecidedOnOldVersion, UsedMeanwhile
from eventlog.events import Actor, NewEvent
from eventlog.storage import IdempotencyKeyReused, VersionConflict
from registries.matching import Candidate
from tests.support.credentials_suite import a_credential, removal, request
from tests.support.eventstore_suite import MOMENT, an_event, an_id

Outcome = VerificationSucceeded | VerificationFailed
Verify = Callable[[UUID, int, NewEvent], None]  # behind that version of the credential's verifications


def outcome(
    credential_id: UUID, text: str, code: VerificationCode | None, *, secret_version: int = 1
) -> NewEvent:
    shared: dict[str, Any] = {
        "verification_id": an_id(text),
        "credential_id": credential_id,
        "registry_host": "ghcr.io",
        "provider": "github",
        "secret_version": secret_version,
        "trigger": "added",
        "detail": "",
        "checked_at": MOMENT,
        "duration_ms": 1,
    }
    payload: Outcome
    if code is None:
        payload = VerificationSucceeded(**shared, confidence="strong")
    else:
        payload = VerificationFailed(**shared, code=code, retry_after=None)
    event = an_event(text)
    by_system = replace(event.metadata, actor=Actor(type="system", id="verifier", name="verifier"))
    return replace(event, payload=payload, metadata=by_system)


def a_refusal(issuance_id: UUID, text: str, *, account: str = "acme") -> NewEvent:
    """An event of an issuance's stream."""
    payload = SecretRefused(
        issuance_id=issuance_id,
        project_id="shop",
        workload=Workload(kind="deployment", name="front"),
        registry_host="ghcr.io",
        image="ghcr.io/acme/shop:1",
        reason="no_matching_credential",
        anonymous=False,
        candidates=(),
    )
    return replace(an_event(text, account=account), payload=payload)


class IssuingSuite:
    @staticmethod
    def add(store: CredentialStore, text: str, *, account: str, **changes: Any) -> UUID:
        row = a_credential(text, **changes)
        store.append(an_id(text), 0, [removal(an_id(text), text, account=account)], current=row, request=None)
        return an_id(text)

    @staticmethod
    def status(store: CredentialStore, account: str) -> VerificationStatus:
        [candidate] = store.candidates(account, ["ghcr.io"])
        return candidate.verification

    def test_a_candidate_has_every_value_of_the_decision(self, store: CredentialStore) -> None:
        ends = MOMENT + timedelta(days=3)
        self.add(store, "whole", account="whole", expires_at=ends, secret_version=7)
        [found] = store.candidates("whole", ["ghcr.io"])
        assert found == Candidate(
            credential_id=an_id("whole"),
            version=1,
            name="whole",
            registry_host="ghcr.io",
            repository_prefixes=("acme/",),
            scope=Scope(pull=True, push=False),
            restrictions=Restrictions(restricted=True, projects=("shop",)),
            secret_version=7,
            expires_at=ends,
            verification=VerificationStatus.PENDING,
            added_at=found.added_at,
        )

    @pytest.mark.parametrize("projects", [(), ("shop",), ("shop", "web")])
    @pytest.mark.parametrize("restricted", [True, False])
    def test_a_candidate_has_the_restrictions_of_its_credential(
        self, store: CredentialStore, projects: tuple[str, ...], *, restricted: bool
    ) -> None:
        """Restricted to no project is for nobody."""
        name = f"restricted-{restricted}-{len(projects)}"
        self.add(store, name, account=name, restricted=restricted, projects=projects)
        [found] = store.candidates(name, ["ghcr.io"])
        assert found.restrictions == Restrictions(restricted=restricted, projects=projects)

    def test_candidates_belong_to_the_account_and_the_hosts(self, store: CredentialStore) -> None:
        one = self.add(store, "hosts-1", account="hosts")
        two = self.add(store, "hosts-2", account="hosts", registry_host="docker.io")
        self.add(store, "hosts-3", account="hosts", registry_host="gcr.io")
        self.add(store, "hosts-4", account="other-hosts")
        found = store.candidates("hosts", ["docker.io", "ghcr.io", "ghcr.io"])
        assert {candidate.credential_id for candidate in found} == {one, two}
        assert store.candidates("hosts", []) == []

    def test_a_changed_credential_is_a_candidate_of_the_same_age(self, store: CredentialStore) -> None:
        first = self.add(store, "age-1", account="age")
        second = self.add(store, "age-2", account="age")
        event = removal(first, "age-1-changed", account="age")
        store.append(first, 1, [event], current=a_credential("changed"), request=None)
        found = {candidate.credential_id: candidate for candidate in store.candidates("age", ["ghcr.io"])}
        assert (found[first].version, found[first].name) == (2, "changed")
        assert found[first].added_at < found[second].added_at
        store.append(second, 1, [removal(second, "age-2-gone", account="age")], current=None, request=None)
        assert [candidate.credential_id for candidate in store.candidates("age", ["ghcr.io"])] == [first]

    def test_a_candidate_has_the_last_outcome_of_the_current_secret(
        self, store: CredentialStore, verify: Verify
    ) -> None:
        credential_id = self.add(store, "checked", account="acme")
        verify(credential_id, 0, outcome(credential_id, "checked-1", VerificationCode.BAD_CREDENTIAL))
        [found] = store.candidates("acme", ["ghcr.io"])
        assert found.verification == VerificationStatus.FAILED
        verify(credential_id, 1, outcome(credential_id, "checked-2", VerificationCode.RATE_LIMITED))
        assert self.status(store, "acme") == VerificationStatus.UNREACHABLE
        verify(credential_id, 2, outcome(credential_id, "checked-3", None))
        assert self.status(store, "acme") == VerificationStatus.VERIFIED

        event = removal(credential_id, "checked-rotated")
        row = a_credential("checked", secret_version=2)
        store.append(credential_id, 1, [event], current=row, request=None)
        assert self.status(store, "acme") == VerificationStatus.PENDING
        new = outcome(credential_id, "checked-4", VerificationCode.FORBIDDEN, secret_version=2)
        verify(credential_id, 3, new)
        verify(credential_id, 4, outcome(credential_id, "checked-5", None))  # of the old secret, come late
        assert self.status(store, "acme") == VerificationStatus.FAILED

    def test_an_issuance_is_recorded(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "issued", account="issued")
        events = [
            a_refusal(an_id("issuance"), "issuance-1", account="issued"),
            a_refusal(an_id("issuance"), "issuance-2", account="issued"),
        ]
        appended = store.issue(an_id("issuance"), events, decided_on={credential_id: 1}, request=None)
        assert (appended.version, appended.replayed) == (2, False)
        assert [candidate.version for candidate in store.candidates("issued", ["ghcr.io"])] == [1]
        refused = [a_refusal(an_id("issuance-refused"), "issuance-3", account="issued")]
        assert store.issue(an_id("issuance-refused"), refused, decided_on={}, request=None).version == 1

    def test_nothing_is_recorded_for_an_outdated_decision(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "old", account="old")
        changed = removal(credential_id, "old-changed", account="old")
        store.append(credential_id, 1, [changed], current=a_credential("old"), request=None)
        removed = self.add(store, "old-removed", account="old")
        store.append(removed, 1, [removal(removed, "old-gone", account="old")], current=None, request=None)
        foreign = self.add(store, "old-foreign", account="old-other")
        for number, decided_on in enumerate(
            [
                {credential_id: 1},
                {removed: 2},
                {foreign: 1},
                {an_id("nobody"): 1},
                {credential_id: 2, removed: 1},
            ]
        ):
            event = a_refusal(an_id(f"old-{number}"), f"old-issuance-{number}", account="old")
            with pytest.raises(DecidedOnOldVersion):
                store.issue(an_id(f"old-{number}"), [event], decided_on=decided_on, request=request("k-old"))
            assert store.replay("old", "k-old", b"f" * 32) is None
        event = a_refusal(an_id("old-now"), "old-issuance", account="old")
        store.issue(an_id("old-now"), [event], decided_on={credential_id: 2}, request=request("k-old"))

    def test_a_repeated_issuance_is_recorded_once(self, store: CredentialStore) -> None:
        key = request("k-issue")
        credential_id = self.add(store, "repeated", account="repeated")
        first = store.issue(
            an_id("repeated-1"),
            [a_refusal(an_id("repeated-1"), "repeated-e1", account="repeated")],
            decided_on={credential_id: 1},
            request=key,
        )
        second = store.issue(
            an_id("repeated-2"),
            [
                a_refusal(an_id("repeated-2"), "repeated-e2", account="repeated"),
                a_refusal(an_id("repeated-2"), "repeated-e3", account="repeated"),
            ],
            decided_on={credential_id: 1},
            request=key,
        )
        assert (first.replayed, second.replayed) == (False, True)
        assert (second.version, second.response) == (1, {"key": "k-issue"})
        other = request("k-issue", fingerprint=b"g" * 32)
        with pytest.raises(IdempotencyKeyReused):
            store.issue(
                an_id("x"), [a_refusal(an_id("x"), "x", account="repeated")], decided_on={}, request=other
            )

    @staticmethod
    def issue(
        store: CredentialStore, text: str, credential_id: UUID, *, moment: datetime, name: str = "front"
    ) -> None:
        payload = SecretIssued(
            issuance_id=an_id(text),
            project_id="shop",
            workload=Workload(kind="deployment", name=name),
            registry_host="ghcr.io",
            images=("ghcr.io/acme/shop:1",),
            credential_id=credential_id,
            credential_name="team",
            secret_version=1,
            format="basic",
        )
        event = an_event(text, account="used")
        new = replace(event, payload=payload, metadata=replace(event.metadata, occurred_at=moment))
        store.issue(an_id(text), [new], decided_on={credential_id: 1}, request=None)

    def test_a_workload_uses_a_credential_after_an_issuance(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "used", account="used")
        day = timedelta(days=1)
        self.issue(store, "used-1", credential_id, moment=MOMENT)
        self.issue(store, "used-2", credential_id, moment=MOMENT + day, name="back")
        self.issue(store, "used-3", credential_id, moment=MOMENT + 2 * day)
        front, back = store.usages(credential_id, since=MOMENT)
        assert (front.project_id, front.workload, front.secret_version, front.last_used_at) == (
            "shop",
            Workload(kind="deployment", name="front"),
            1,
            MOMENT + 2 * day,
        )
        assert (back.workload.name, back.last_used_at) == ("back", MOMENT + day)
        assert store.usages(credential_id, since=MOMENT + 2 * day) == (front,)
        assert store.usages(an_id("nobody"), since=MOMENT) == ()

        gone = [removal(credential_id, "used-gone", account="used")]
        with pytest.raises(UsedMeanwhile):
            store.remove(credential_id, 1, gone, unused_since=MOMENT + day)
        assert [c.credential_id for c in store.candidates("used", ["ghcr.io"])] == [credential_id]
        removed = store.remove(credential_id, 1, gone, unused_since=MOMENT + 3 * day)
        assert (removed.version, store.candidates("used", ["ghcr.io"])) == (2, [])
        assert store.usages(credential_id, since=MOMENT) == ()

    def test_a_credential_in_use_is_removed_when_use_is_not_checked(self, store: CredentialStore) -> None:
        credential_id = self.add(store, "used-by-force", account="used")
        self.issue(store, "by-force-1", credential_id, moment=MOMENT)
        gone = [removal(credential_id, "by-force-gone", account="used")]
        assert store.remove(credential_id, 1, gone, unused_since=None).version == 2
        with pytest.raises(VersionConflict):
            store.remove(
                credential_id, 1, [removal(credential_id, "again", account="used")], unused_since=None
            )
