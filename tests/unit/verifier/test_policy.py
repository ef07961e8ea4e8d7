"""The newest secret of an existing credential is verified, once for each event that requests it."""

from dataclasses import replace

import pytest

from contracts.credential_events import Scope
from contracts.verification_events import Trigger
from tests.unit.verifier.events import (
    CHANGED,
    CORP,
    HUB,
    ID,
    REMOVED,
    RESTRICTED,
    Credential,
    added,
    requested,
    rotated,
)
from verifier.policy import Verification, active_credential, verification_for


def test_a_new_secret_is_verified() -> None:
    [event] = Credential(added(CORP)).history()
    assert verification_for(event, [event]) == Verification(
        id=event.event_id,
        account_id="acme",
        credential_id=ID,
        registry=CORP,
        username="octo",
        secret_version=1,
        trigger="added",
    )


@pytest.mark.parametrize(
    ("payloads", "asking", "trigger", "version"),
    [
        ([added(), rotated(2)], 1, "rotated", 2),
        ([added(), requested(1)], 1, "requested", 1),
        ([added(), CHANGED, RESTRICTED], 0, "added", 1),
        ([added(), rotated(2), rotated(3), requested(3), CHANGED], 3, "requested", 3),
        ([added(), requested(1), requested(1)], 1, "requested", 1),
    ],
)
def test_the_newest_secret_is_verified_for_every_trigger(
    payloads: list[object], asking: int, trigger: Trigger, version: int
) -> None:
    history = Credential(*payloads).history()
    wanted = verification_for(history[asking], history)
    assert wanted is not None
    assert (wanted.id, wanted.trigger, wanted.secret_version) == (history[asking].event_id, trigger, version)


def test_a_rotation_can_move_to_another_registry() -> None:
    history = Credential(added(HUB), rotated(2, CORP), requested(2)).history()
    for event in history[1:]:
        wanted = verification_for(event, history)
        assert wanted is not None
        assert wanted.registry == CORP


@pytest.mark.parametrize(
    ("payloads", "asking"),
    [
        ([added(), rotated(2)], 0),  # replaced by a rotation
        ([added(), requested(1), rotated(2)], 1),
        ([added(), rotated(2), rotated(3)], 1),
        ([added(), REMOVED], 0),
        ([added(), rotated(2), REMOVED], 1),
        ([added(), requested(1), REMOVED], 1),
        ([added(), requested(7)], 1),  # an unknown version
        ([added(), CHANGED], 1),  # requests no verification
        ([added(), RESTRICTED], 1),
        ([added(), REMOVED], 1),
    ],
)
def test_replaced_secrets_and_removed_credentials_are_not_verified(
    payloads: list[object], asking: int
) -> None:
    history = Credential(*payloads).history()
    assert verification_for(history[asking], history) is None


def test_a_credential_without_history_is_not_verified() -> None:
    [event] = Credential(added()).history()
    assert verification_for(event, []) is None


def test_added_rotated_and_requested_events_cause_a_verification() -> None:
    history = Credential(added(), CHANGED, RESTRICTED, requested(1), rotated(2), REMOVED).history()
    asking = {event.type for n, event in enumerate(history) if verification_for(event, history[: n + 1])}
    assert asking == {"credential.added", "credential.secret_rotated", "verification.requested"}


def test_an_image_of_another_registry_is_not_probed() -> None:
    history = Credential(
        added(CORP), requested(1, "reg.corp.example:5000/a/b:1"), requested(1, "x.io/a/b:1")
    ).history()
    wanted = [verification_for(event, history) for event in history]
    assert [str(one.image) for one in wanted if one] == ["None", "reg.corp.example:5000/a/b:1", "None"]


@pytest.mark.parametrize("push", [True, False])
def test_the_last_declared_scope_is_used(push: bool) -> None:
    scope = Scope(pull=True, push=push)
    changed = replace(CHANGED, details=replace(CHANGED.details, scope=scope))
    history = Credential(added(CORP), changed, rotated(2, CORP)).history()
    held = active_credential(history)
    assert held is not None
    assert (held.details.scope.push, held.secret.version, held.registry) == (push, 2, CORP)
