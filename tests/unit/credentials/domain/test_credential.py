"""The aggregate: given what has happened, when a command comes, then these events, or a refusal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chassis.invalid_input import InvalidInput
from contracts.credential import Absent, Active, Removed, evolve, fold
from contracts.credential_events import (
    CredentialDetailsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRotated,
    Restrictions,
    VerificationRequested,
)
from contracts.issuance_events import Workload
from credentials.domain.commands import (
    AddCredential,
    ChangeDetails,
    Command,
    RemoveCredential,
    RequestVerification,
    RestrictCredential,
    RotateSecret,
    WorkloadUsage,
)
from credentials.domain.credential import decide
from credentials.domain.errors import CredentialInUse, CredentialNotFound
from registries.image_reference import ImageReference
from tests.support.builders import EVERYBODY, GITHUB, ID, added, details, secret_reference

DETAILS = details("team-ghcr", repository_prefixes=("acme/",))
SHOP = Restrictions(restricted=True, projects=("shop",))
SECRET = secret_reference()
ADD = AddCredential(
    credential_id=ID, registry=GITHUB, username="octo", secret=SECRET, details=DETAILS, restrictions=EVERYBODY
)
ADDED = added(details=DETAILS)
REMOVED = CredentialRemoved(credential_id=ID, reason=None, forced=False)
NEXT = replace(SECRET, version=2, fingerprint="cd" * 16)
ROTATE = RotateSecret(
    registry=GITHUB,
    username="cat",
    secret=NEXT,
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    previous_valid_until=datetime(2026, 1, 2, tzinfo=UTC),
)
OTHERS: list[Command] = [
    ChangeDetails(name="other"),
    ROTATE,
    RestrictCredential(restrictions=SHOP),
    RequestVerification(trigger="requested"),
    RemoveCredential(reason=None, forced=False),
]


def test_add_decides_one_event() -> None:
    assert decide(ADD, Absent()) == (ADDED,)


def test_an_id_is_used_once() -> None:
    for history in ([ADDED], [ADDED, REMOVED]):
        with pytest.raises(ValueError, match="used twice"):
            decide(ADD, fold(history))


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("history", [[], [ADDED, REMOVED]], ids=["never added", "removed"])
def test_a_missing_credential_accepts_no_command(command: Command, history: list[object]) -> None:
    with pytest.raises(CredentialNotFound):
        decide(command, fold(history))


def test_a_change_of_details_has_the_previous_ones() -> None:
    [event] = decide(ChangeDetails(name="new-name", description="why"), fold([ADDED]))
    assert event == CredentialDetailsChanged(
        credential_id=ID, details=replace(DETAILS, name="new-name", description="why"), previous=DETAILS
    )


def test_unchanged_details_result_in_no_event() -> None:
    assert decide(ChangeDetails(name="team-ghcr", scope=DETAILS.scope), fold([ADDED])) == ()
    assert decide(ChangeDetails(), fold([ADDED])) == ()


def test_an_expiry_is_removed_only_on_request() -> None:
    dated = fold([replace(ADDED, details=replace(DETAILS, expires_at=datetime(2027, 1, 1, tzinfo=UTC)))])
    assert decide(ChangeDetails(name="team-ghcr"), dated) == ()
    [event] = decide(ChangeDetails(expires_at=None), dated)
    assert isinstance(event, CredentialDetailsChanged)
    assert event.details.expires_at is None


def test_rotating_replaces_secret_username_and_expiry() -> None:
    [event] = decide(ROTATE, fold([ADDED]))
    assert event == CredentialSecretRotated(
        credential_id=ID,
        registry=GITHUB,
        username="cat",
        secret=NEXT,
        expires_at=ROTATE.expires_at,
        previous_registry=GITHUB,
        previous_username="octo",
        previous_secret=SECRET,
        previous_expires_at=None,
        previous_valid_until=ROTATE.previous_valid_until,
    )
    state = fold([ADDED, event])
    assert isinstance(state, Active)
    assert (state.secret, state.username, state.details.expires_at) == (NEXT, "cat", ROTATE.expires_at)


def test_a_restriction_can_be_set_and_lifted() -> None:
    [event] = decide(RestrictCredential(restrictions=SHOP), fold([ADDED]))
    assert event == CredentialRestrictionsChanged(credential_id=ID, restrictions=SHOP, previous=EVERYBODY)
    assert decide(RestrictCredential(restrictions=SHOP), fold([ADDED, event])) == ()
    [lifted] = decide(RestrictCredential(restrictions=EVERYBODY), fold([ADDED, event]))
    assert isinstance(lifted, CredentialRestrictionsChanged)
    assert lifted.previous == SHOP


def test_a_verification_is_requested_for_the_current_secret() -> None:
    rotated = decide(ROTATE, fold([ADDED]))
    [event] = decide(RequestVerification(trigger="scheduled"), fold([ADDED, *rotated]))
    assert event == VerificationRequested(credential_id=ID, secret_version=2, trigger="scheduled")


def test_an_image_to_verify_must_be_of_the_same_registry() -> None:
    image = ImageReference.parse("ghcr.io/acme/shop:1")
    [event] = decide(RequestVerification(trigger="requested", image=image), fold([ADDED]))
    assert isinstance(event, VerificationRequested)
    assert event.image == "ghcr.io/acme/shop:1"
    with pytest.raises(InvalidInput) as caught:
        decide(RequestVerification(trigger="requested", image=ImageReference.parse("nginx")), fold([ADDED]))
    assert [(p.pointer, p.code) for p in caught.value.problems] == [("/image", "host_mismatch")]


def test_a_removed_credential_accepts_no_command() -> None:
    [event] = decide(RemoveCredential(reason="left the team", forced=True), fold([ADDED]))
    assert event == CredentialRemoved(credential_id=ID, reason="left the team", forced=False)
    assert fold([ADDED, event]) == Removed(ID)


def test_recorded_events_are_never_refused() -> None:
    assert evolve(Absent(), REMOVED) == Removed(ID)
    assert evolve(Removed(ID), decide(ChangeDetails(name="other"), fold([ADDED]))[0]) == Removed(ID)
    assert evolve(fold([ADDED]), object()) == fold([ADDED])


USER = WorkloadUsage(
    project_id="shop",
    workload=Workload(kind="deployment", name="front"),
    secret_version=1,
    last_used_at=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_a_credential_in_use_is_removed_only_with_force() -> None:
    with pytest.raises(CredentialInUse) as refused:
        decide(RemoveCredential(reason="left", forced=False, usages=(USER,)), fold([ADDED]))
    assert refused.value.usages == (USER,)
    [event] = decide(RemoveCredential(reason="leaked", forced=True, usages=(USER,)), fold([ADDED]))
    assert event == CredentialRemoved(credential_id=ID, reason="leaked", forced=True)
