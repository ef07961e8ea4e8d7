"""The credential as an aggregate: `decide` returns the events that follow from a command. Pure.

`contracts.credential` has the state that follows from the events.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from chassis.invalid_input import FieldProblem, InvalidInput
from contracts.credential import Absent, Active, Credential, FormerSecret, Removed
from contracts.credential_events import (
    NO_OTHER_HOSTS,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    CredentialThawed,
    Hosts,
    Registry,
    SecretKind,
    VerificationRequested,
)
from credentials.domain.commands import (
    AddCredential,
    ChangeDetails,
    Command,
    FreezeCredential,
    RemoveCredential,
    RequestVerification,
    RestrictCredential,
    RollBackSecret,
    RotateSecret,
    ThawCredential,
)
from credentials.domain.errors import (
    CredentialInUse,
    CredentialNotFound,
    FormerSecretGone,
    NoFormerSecret,
)
from credentials.domain.hosts import check_hosts
from credentials.domain.values import check_prefixes

Event = (
    CredentialAdded
    | CredentialDetailsChanged
    | CredentialSecretRotated
    | CredentialSecretRolledBack
    | CredentialRestrictionsChanged
    | CredentialHostsChanged
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
        case RotateSecret():
            return _rotate(command, state)
        case RollBackSecret():
            return _roll_back(command, state)
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
    return (added, *_hosts_changed(command.credential_id, command.besides, NO_OTHER_HOSTS))


def _change(command: ChangeDetails, state: Active) -> tuple[Event, ...]:
    previous = state.details
    details = replace(previous, **command.named())
    events: tuple[Event, ...] = ()
    if details != previous:
        events = (
            CredentialDetailsChanged(credential_id=state.credential_id, details=details, previous=previous),
        )
    hosts = replace(state.besides, **command.named_hosts())
    if hosts != state.besides:
        check_hosts(hosts, state.registry, state.secret.kind)
    return (*events, *_hosts_changed(state.credential_id, hosts, state.besides))


def _hosts_changed(credential_id: UUID, hosts: Hosts, previous: Hosts) -> tuple[CredentialHostsChanged, ...]:
    if hosts == previous:
        return ()
    changed = CredentialHostsChanged(credential_id=credential_id, hosts=hosts, previous=previous)
    return (changed,)


def _rotate(command: RotateSecret, state: Active) -> tuple[Event, ...]:
    if command.registry.host != state.registry.host:
        check_prefixes(state.details, command.registry.host)
    hosts = _hosts_besides(command.registry, command.secret.kind, state)
    rotated = CredentialSecretRotated(
        credential_id=state.credential_id,
        registry=command.registry,
        username=command.username,
        secret=command.secret,
        expires_at=command.expires_at,
        previous_registry=state.registry,
        previous_username=state.username,
        previous_secret=state.secret,
        previous_expires_at=state.details.expires_at,
        previous_valid_until=command.previous_valid_until,
    )
    return (*_hosts_changed(state.credential_id, hosts, state.besides), rotated)


def _hosts_besides(registry: Registry, kind: SecretKind, state: Active) -> Hosts:
    """Return what a credential with another login is for besides its registry.

    A host that becomes the registry is no additional one any more, and is no mirror of itself.

    Raises:
        InvalidInput: an additional host does not fit.
    """
    hosts = Hosts(
        additional_hosts=tuple(host for host in state.besides.additional_hosts if host != registry.host),
        mirror_of=tuple(host for host in state.besides.mirror_of if host != registry.host),
    )
    check_hosts(hosts, registry, kind)
    return hosts


def former_secret(state: Active, at: datetime) -> FormerSecret:
    """Return the login that a rollback restores. Raises `NoFormerSecret`, `FormerSecretGone`."""
    if state.former is None:
        raise NoFormerSecret
    if at >= state.former.valid_until:
        raise FormerSecretGone
    return state.former


def _roll_back(command: RollBackSecret, state: Active) -> tuple[Event, ...]:
    former = former_secret(state, command.at)
    rotation = RotateSecret(
        registry=former.registry,
        username=former.username,
        secret=command.secret,
        expires_at=former.expires_at,
        previous_valid_until=command.previous_valid_until,
    )
    rolled_back = CredentialSecretRolledBack(
        credential_id=state.credential_id, restored_version=former.secret.version
    )
    return (rolled_back, *_rotate(rotation, state))


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
