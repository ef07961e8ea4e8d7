"""The credential as an aggregate: `decide` returns the events that follow from a command. Pure.

`contracts.credential` has the state that follows from the events.
"""

from dataclasses import replace
from typing import assert_never
from uuid import UUID

from chassis.invalid_input import FieldProblem, InvalidInput
from contracts.credential import Absent, Active, Credential, Removed
from contracts.credential_events import (
    NO_OTHER_HOSTS,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialThawed,
    VerificationRequested,
)
from credentials.domain.commands import (
    AddCredential,
    ChangeDetails,
    Command,
    FreezeCredential,
    RemoveCredential,
    RequestRotation,
    RequestVerification,
    RestrictCredential,
    RollBackSecret,
    RotateSecret,
    SettleRotation,
    ThawCredential,
)
from credentials.domain.errors import CredentialInUse, CredentialNotFound
from credentials.domain.hosts import check_hosts
from credentials.domain.rotation import RotationEvent, decide_rotation, hosts_changed, superseded

Event = (
    CredentialAdded
    | CredentialDetailsChanged
    | RotationEvent
    | CredentialRestrictionsChanged
    | CredentialFrozen
    | CredentialThawed
    | CredentialRemoved
    | VerificationRequested
)


def decide(command: Command, state: Credential) -> tuple[Event, ...]:
    """Return the events that follow from a command; none if it changes nothing.

    Raises:
        CredentialNotFound: the credential does not exist or was removed.
        CredentialInUse: a removal that is not forced, while workloads use the credential.
        NoFormerSecret, FormerSecretGone: nothing can be rolled back.
        InvalidInput: the image to verify is of another registry, a prefix is the host of another one, or an
            additional host does not fit.
        ValueError: the id of a new credential exists.
    """
    if isinstance(command, AddCredential):
        return _add(command, state)
    if not isinstance(state, Active):
        raise CredentialNotFound(_id_of(state))
    match command:
        case ChangeDetails():
            return _change(command, state)
        case RotateSecret() | RollBackSecret() | RequestRotation() | SettleRotation():
            return decide_rotation(command, state)
        case RestrictCredential():
            return _restrict(command, state)
        case FreezeCredential():
            return _freeze(command, state)
        case ThawCredential():
            return _thaw(command, state)
        case RequestVerification():
            return (_request_verification(command, state),)
        case RemoveCredential():
            return (_remove(command, state),)
        case _:
            assert_never(command)


def _add(command: AddCredential, state: Credential) -> tuple[Event, ...]:
    if not isinstance(state, Absent):
        raise ValueError("an id was used twice")  # noqa: TRY004 the value is wrong, not the type
    added = CredentialAdded(
        credential_id=command.credential_id,
        registry=command.registry,
        username=command.username,
        secret=command.secret,
        details=command.details,
        restrictions=command.restrictions,
    )
    check_hosts(command.besides, command.registry, command.secret.kind)
    return (added, *hosts_changed(command.credential_id, command.besides, NO_OTHER_HOSTS))


def _change(command: ChangeDetails, state: Active) -> tuple[Event, ...]:
    previous = state.details
    details = replace(previous, **command.named())
    events: tuple[Event, ...] = ()
    if details != previous:
        events = (
            CredentialDetailsChanged(credential_id=state.credential_id, details=details, previous=previous),
        )
    hosts = replace(state.besides, **command.named_hosts())
    if hosts == state.besides:
        return events
    check_hosts(hosts, state.registry, state.secret.kind)
    return (*events, *superseded(state), *hosts_changed(state.credential_id, hosts, state.besides))


def _request_verification(command: RequestVerification, state: Active) -> VerificationRequested:
    image = command.image
    if image is not None and image.registry_host not in state.hosts:
        detail = f"the credential is for {', '.join(state.hosts)}, the image is of another registry"
        raise InvalidInput((FieldProblem("/image", "host_mismatch", detail),))
    return VerificationRequested(
        credential_id=state.credential_id,
        secret_version=state.secret.version,
        trigger=command.trigger,
        image=None if image is None else str(image),
    )


def _restrict(command: RestrictCredential, state: Active) -> tuple[Event, ...]:
    if command.restrictions == state.restrictions:
        return ()
    changed = CredentialRestrictionsChanged(
        credential_id=state.credential_id, restrictions=command.restrictions, previous=state.restrictions
    )
    return (changed,)


def _freeze(command: FreezeCredential, state: Active) -> tuple[Event, ...]:
    if state.frozen:
        return ()
    return (CredentialFrozen(credential_id=state.credential_id, reason=command.reason),)


def _thaw(command: ThawCredential, state: Active) -> tuple[Event, ...]:
    if not state.frozen:
        return ()
    return (CredentialThawed(credential_id=state.credential_id, reason=command.reason),)


def _remove(command: RemoveCredential, state: Active) -> CredentialRemoved:
    if command.usages and not command.forced:
        raise CredentialInUse(command.usages)
    return CredentialRemoved(
        credential_id=state.credential_id, reason=command.reason, forced=bool(command.usages)
    )


def _id_of(state: Absent | Removed) -> UUID | None:
    return state.credential_id if isinstance(state, Removed) else None
