"""The decisions of commands that replace a secret. Pure.

A requested rotation is done when a login with its secret was accepted, and otherwise discarded. Any other new
secret, and other hosts, take its place.
"""

from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from contracts.credential import Active, FormerSecret
from contracts.credential_events import (
    CredentialHostsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    Hosts,
    Registry,
    SecretKind,
    WhyDiscarded,
)
from contracts.verdicts import VerificationCode
from credentials.domain.commands import RequestRotation, RollBackSecret, RotateSecret, SettleRotation
from credentials.domain.errors import FormerSecretGone, NoFormerSecret
from credentials.domain.hosts import check_hosts
from credentials.domain.values import check_prefixes

RotationCommand = RotateSecret | RollBackSecret | RequestRotation | SettleRotation
RotationEvent = (
    CredentialHostsChanged
    | CredentialRotationRequested
    | CredentialRotationDiscarded
    | CredentialSecretRolledBack
    | CredentialSecretRotated
)


def decide_rotation(command: RotationCommand, state: Active) -> tuple[RotationEvent, ...]:
    """Return the events that follow from a command that replaces the secret, or may do so later.

    Raises:
        NoFormerSecret, FormerSecretGone: nothing can be rolled back.
        InvalidInput: a prefix is the host of another registry, or an additional host does not fit.
    """
    match command:
        case RotateSecret():
            return (*superseded(state), *_rotated(command, state))
        case RollBackSecret():
            return _roll_back(command, state)
        case RequestRotation():
            return _request_rotation(command, state)
        case SettleRotation():
            return _settle_rotation(command, state)
        case _:
            assert_never(command)


def superseded(state: Active) -> tuple[CredentialRotationDiscarded, ...]:
    """Return the event that another secret, or other hosts, take the place of a requested rotation."""
    return (_discarded(state.requested, "superseded"),) if state.requested else ()


def hosts_changed(credential_id: UUID, hosts: Hosts, previous: Hosts) -> tuple[CredentialHostsChanged, ...]:
    """Return the event that a credential is for other hosts, or mirrors; none if they are the same."""
    if hosts == previous:
        return ()
    changed = CredentialHostsChanged(credential_id=credential_id, hosts=hosts, previous=previous)
    return (changed,)


def _rotated(command: RotateSecret, state: Active) -> tuple[RotationEvent, ...]:
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
    return (*hosts_changed(state.credential_id, hosts, state.besides), rotated)


def _request_rotation(command: RequestRotation, state: Active) -> tuple[RotationEvent, ...]:
    """Refuse what the rotation would be refused for, before a login is tried."""
    requested = CredentialRotationRequested(
        credential_id=state.credential_id,
        rotation_id=command.rotation_id,
        registry=command.registry,
        username=command.username,
        secret=command.secret,
        expires_at=command.expires_at,
        grace_seconds=int(command.grace.total_seconds()),
        deadline=command.deadline,
        force_reason=command.force_reason,
    )
    _rotated(_rotation(requested, command.deadline), state)
    return (*superseded(state), requested)


def _settle_rotation(command: SettleRotation, state: Active) -> tuple[RotationEvent, ...]:
    requested, tested = state.requested, command.tested
    if requested is None or requested.rotation_id != command.rotation_id:
        return ()  # it was settled before
    if command.refusal is not None:
        return (_discarded(requested, "refused", detail=command.refusal),)
    if tested is None:
        return (_discarded(requested, "not_in_time"),) if command.at >= requested.deadline else ()
    if tested.code is not None:
        return (_discarded(requested, "not_verified", tested.code, tested.detail),)
    return _rotated(_rotation(requested, command.at), state)


def _rotation(requested: CredentialRotationRequested, at: datetime) -> RotateSecret:
    return RotateSecret(
        registry=requested.registry,
        username=requested.username,
        secret=requested.secret,
        expires_at=requested.expires_at,
        previous_valid_until=at + timedelta(seconds=requested.grace_seconds),
    )


def _discarded(
    requested: CredentialRotationRequested,
    reason: WhyDiscarded,
    code: VerificationCode | None = None,
    detail: str | None = None,
) -> CredentialRotationDiscarded:
    return CredentialRotationDiscarded(
        credential_id=requested.credential_id,
        rotation_id=requested.rotation_id,
        secret_version=requested.secret.version,
        reason=reason,
        code=code,
        detail=detail,
    )


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


def _roll_back(command: RollBackSecret, state: Active) -> tuple[RotationEvent, ...]:
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
    return (*superseded(state), rolled_back, *_rotated(rotation, state))
