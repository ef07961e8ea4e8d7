"""The audit trail: one row for every event, with the values before and after a change."""

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

import msgspec

from contracts.access_events import AccessDenied
from contracts.account_events import AccountErased
from contracts.audit_events import AuditRead, AuditSealed
from contracts.credential_events import (
    CredentialAccessWithdrawn,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    CredentialThawed,
    Registry,
    SecretReference,
    VerificationRequested,
)
from contracts.expiry_events import (
    ExpiryApproached,
    ExpiryDiscovered,
    ExpiryPassed,
    VerificationRecovered,
)
from contracts.issuance_events import SecretIssuedV2, SecretRefusedV2
from contracts.release_events import WorkloadReleased
from contracts.service_token_events import ServiceTokenCreated, ServiceTokenRevoked
from contracts.verdicts import VerificationCode
from contracts.verification_events import (
    RotationTested,
    VerificationFailed,
    VerificationSucceeded,
    verdict_of,
)
from eventlog.events import EVENTS, EventRegistry, RecordedEvent, personal_fields
from projector.write.projections.changes import Insert

_Expiry = ExpiryDiscovered | ExpiryApproached | ExpiryPassed | VerificationRecovered
_DENIED_COLUMNS = {"reason", "project_id"}
_COPIED = {"credential_name": "name", "registry_host": "registry_host"}


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a row that come from the payload. The other columns come from the metadata.

    `columns` are those that would be copied from the credential's row if the event did not have them.
    """

    credential_id: UUID | None = None
    outcome: Literal["success", "denied", "failure"] = "success"
    reason: str | None = None
    secret_version: int | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    columns: dict[str, object] = {}


def project(recorded: RecordedEvent) -> list[Insert]:
    """The row of `rm.audit_events` for an event. Events with an unknown payload have a row, too."""
    entry, metadata = _entry(recorded), recorded.metadata
    values: dict[str, object] = {
        "position": recorded.position,
        "event_id": recorded.event_id,
        "account_id": metadata.account_id,
        "time": metadata.occurred_at,
        "action": recorded.type,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "actor_type": metadata.actor.type,
        "actor_id": metadata.actor.id,
        "actor_name": metadata.actor.name,
        "on_behalf_of": metadata.on_behalf_of,
        "source_ip": metadata.source_ip,
        "credential_id": entry.credential_id,
        "secret_version": entry.secret_version,
        "before": entry.before,
        "after": entry.after,
        "request_id": metadata.request_id,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        **entry.columns,
    }
    copied = {column: source for column, source in _COPIED.items() if column not in entry.columns}
    return [Insert("audit_events", values, copied)]


@cache
def personal_paths(registry: EventRegistry = EVENTS) -> dict[str, list[tuple[str, ...]]]:
    """The paths of personal data in the columns `reason`, `before` and `after`, by action.

    The classes of the events mark the personal fields.

    A column has a field under its name in the event or in an object of the event. A previous value has the
    name of the current one.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for kind in registry.all_types():
        for path in _paths(personal_fields(kind.payload_class)):
            shown = (path[0].removeprefix("previous_"), *path[1:])
            found.setdefault(kind.name, set()).update(shown[start:] for start in range(len(shown)))
    return {action: sorted(paths) for action, paths in found.items()}


def _paths(fields: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, inner in fields.items():
        if inner is True:
            yield (name,)
        else:
            yield from ((name, *path) for path in _paths(inner))


def _entry(recorded: RecordedEvent) -> _Entry:
    event, account_id = recorded.payload, recorded.metadata.account_id
    match event:
        case CredentialAdded():
            return _Entry(
                credential_id=event.credential_id,
                secret_version=event.secret.version,
                after={
                    "registry": _json(event.registry),
                    "username": event.username,
                    "secret_fingerprint": _fingerprint(account_id, event.secret),
                    "details": _json(event.details),
                    "restrictions": _json(event.restrictions),
                },
                columns={"credential_name": event.details.name, "registry_host": event.registry.host},
            )
        case CredentialDetailsChanged():
            return _Entry(
                credential_id=event.credential_id,
                before=_json(event.previous),
                after=_json(event.details),
                columns={"credential_name": event.details.name},
            )
        case (
            CredentialSecretRotated()
            | CredentialSecretRolledBack()
            | CredentialRotationRequested()
            | CredentialRotationDiscarded()
            | RotationTested()
        ):
            return _rotation(account_id, event)
        case CredentialRestrictionsChanged() | CredentialHostsChanged():
            return _access_change(event)
        case (
            AccountErased()  # one on each line, so that a new event changes no other line
            | CredentialAccessWithdrawn()
            | CredentialFrozen()
            | CredentialThawed()
            | CredentialRemoved()
        ):
            after = {"workloads": event.workloads} if isinstance(event, CredentialAccessWithdrawn) else None
            return _Entry(credential_id=_credential_of(recorded), reason=event.reason, after=after)
        case VerificationRequested():
            return _Entry(
                credential_id=event.credential_id,
                secret_version=event.secret_version,
                after={"trigger": event.trigger},
                columns={"image": event.image} if event.image else {},
            )
        case (
            VerificationSucceeded()
            | VerificationFailed()
            | VerificationRecovered()
            | ExpiryDiscovered()
            | ExpiryApproached()
            | ExpiryPassed()
        ):
            return _verification(event)
        # The credential of a filter is not set: the read would be listed among the events of that credential.
        case AuditRead() | AuditSealed() | ServiceTokenCreated() | ServiceTokenRevoked():
            return _Entry(after=_json(event))
        case AccessDenied() | SecretIssuedV2() | SecretRefusedV2() | WorkloadReleased():
            return _access(event)
        case _:
            return _Entry(credential_id=_credential_of(recorded))


_Rotation = (
    CredentialSecretRotated
    | CredentialSecretRolledBack
    | CredentialRotationRequested
    | CredentialRotationDiscarded
    | RotationTested
)


def _rotation(account_id: str, event: _Rotation) -> _Entry:
    match event:
        case CredentialSecretRolledBack():
            after = {"restored_version": event.restored_version}
            return _Entry(credential_id=event.credential_id, after=after)
        case CredentialRotationRequested():
            return _rotation_requested(account_id, event)
        case CredentialRotationDiscarded():
            return _Entry(
                credential_id=event.credential_id,
                outcome="failure",
                reason=event.reason,
                secret_version=event.secret_version,
                after={"rotation_id": _json(event.rotation_id), "code": event.code, "detail": event.detail},
            )
        case RotationTested():
            return _Entry(
                credential_id=event.credential_id,
                outcome="failure" if event.code else "success",
                reason=event.code,
                secret_version=event.secret_version,
                after={
                    "rotation_id": _json(event.rotation_id),
                    "detail": event.detail,
                    "duration_ms": event.duration_ms,
                },
                columns={"registry_host": event.registry_host},
            )
        case CredentialSecretRotated():
            return _rotated(account_id, event)


def _rotation_requested(account_id: str, event: CredentialRotationRequested) -> _Entry:
    requested = _login(account_id, event.registry, event.username, event.secret) | {
        "expires_at": _json(event.expires_at),
        "rotation_id": _json(event.rotation_id),
        "deadline": _json(event.deadline),
    }
    return _Entry(
        credential_id=event.credential_id,
        reason=event.force_reason,
        secret_version=event.secret.version,
        after=requested,
        columns={"registry_host": event.registry.host},
    )


def _rotated(account_id: str, event: CredentialSecretRotated) -> _Entry:
    return _Entry(
        credential_id=event.credential_id,
        secret_version=event.secret.version,
        before=_login(account_id, event.previous_registry, event.previous_username, event.previous_secret)
        | {"expires_at": _json(event.previous_expires_at)},
        after=_login(account_id, event.registry, event.username, event.secret)
        | {"expires_at": _json(event.expires_at)},
        columns={"registry_host": event.registry.host},
    )


def _access_change(event: CredentialRestrictionsChanged | CredentialHostsChanged) -> _Entry:
    after = event.hosts if isinstance(event, CredentialHostsChanged) else event.restrictions
    return _Entry(credential_id=event.credential_id, before=_json(event.previous), after=_json(after))


def _credential_of(recorded: RecordedEvent) -> UUID | None:
    """The credential of an event in a credential's stream. The id of the stream is that of the credential."""
    return recorded.stream.id if recorded.stream.category == "credential" else None


def _access(event: AccessDenied | SecretIssuedV2 | SecretRefusedV2 | WorkloadReleased) -> _Entry:
    match event:
        case AccessDenied():
            return _denied(event)
        case SecretIssuedV2():
            return _issued(event)
        case SecretRefusedV2():
            return _refused(event)
        case WorkloadReleased():
            return _released(event)


def _denied(event: AccessDenied) -> _Entry:
    after = {name: value for name, value in _json(event).items() if name not in _DENIED_COLUMNS}
    hosts = {image.partition("/")[0] for image in event.images}
    return _Entry(
        outcome="denied",
        reason=event.reason,
        # `credential_id` is only what the caller named: nothing of that credential is copied into the row.
        after=after,
        columns={
            "project_id": event.project_id,
            "registry_host": hosts.pop() if len(hosts) == 1 else None,
            "image": ", ".join(event.images) or None,
        },
    )


def _issued(event: SecretIssuedV2) -> _Entry:
    return _Entry(
        credential_id=event.credential_id,
        secret_version=event.secret_version,
        after={
            "issuance_id": _json(event.issuance_id),
            "workload": _json(event.workload),
            "images": _json(event.images),
            "format": event.format,
            **_operation(event),
        },
        columns={
            "credential_name": event.credential_name,
            "project_id": event.project_id,
            "registry_host": event.registry_host,
            "image": ", ".join(event.images),
        },
    )


def _refused(event: SecretRefusedV2) -> _Entry:
    return _Entry(
        outcome="denied",
        reason=event.reason,
        after={
            "issuance_id": _json(event.issuance_id),
            "workload": _json(event.workload),
            "anonymous": event.anonymous,
            **_operation(event),
            "candidates": _json(event.candidates),
            **({"images": _json(event.images)} if len(event.images) > 1 else {}),
        },
        columns={
            "project_id": event.project_id,
            "registry_host": event.registry_host,
            "image": ", ".join(event.images),
        },
    )


def _operation(event: SecretIssuedV2 | SecretRefusedV2) -> dict[str, str]:
    """The operation if it is not a pull. Rows of 0.9.0 have none."""
    return {} if event.operation == "pull" else {"operation": event.operation}


def _released(event: WorkloadReleased) -> _Entry:
    return _Entry(
        credential_id=event.credential_id,
        reason=event.reason,
        after={"release_id": _json(event.release_id), "workload": _json(event.workload)},
        columns={"project_id": event.project_id},
    )


def _verification(event: VerificationSucceeded | VerificationFailed | _Expiry) -> _Entry:
    if not isinstance(event, VerificationSucceeded | VerificationFailed):
        return _expiry(event)
    _, code = verdict_of(event)
    probe = event.probe if isinstance(event, VerificationSucceeded) else None
    columns: dict[str, object] = {"registry_host": event.registry_host}
    if probe is not None:
        columns["image"] = probe.image
    return _Entry(
        credential_id=event.credential_id,
        outcome="failure" if code else "success",
        reason=code,
        secret_version=event.secret_version,
        after={"trigger": event.trigger, "detail": event.detail, "duration_ms": event.duration_ms}
        | ({"probe": _json(probe)} if probe else {}),
        columns=columns,
    )


def _expiry(event: _Expiry) -> _Entry:
    passed = isinstance(event, ExpiryPassed)
    if isinstance(event, VerificationRecovered):
        after = {"previous_code": event.previous_code.value, "failing_since": _json(event.failing_since)}
    else:
        after = {"expires_at": _json(event.expires_at)}
    return _Entry(
        credential_id=event.credential_id,
        outcome="failure" if passed else "success",
        reason=VerificationCode.EXPIRED.value if passed else None,
        secret_version=event.secret_version,
        after=after | ({"days": event.days} if isinstance(event, ExpiryApproached) else {}),
        columns={"registry_host": event.registry_host},
    )


def _login(account_id: str, registry: Registry, username: str, secret: SecretReference) -> dict[str, Any]:
    return {
        "registry": _json(registry),
        "username": username,
        "secret_version": secret.version,
        "secret_fingerprint": _fingerprint(account_id, secret),
    }


def _fingerprint(account_id: str, secret: SecretReference) -> str:
    """A fingerprint that is equal for equal secrets of one account (ADR 11).

    The keyed fingerprint in the event is equal across accounts. From it, two auditors could conclude that
    their accounts share a secret.
    """
    return sha256(f"{account_id}\n{secret.fingerprint}".encode()).hexdigest()[:32]


def _json(value: object) -> Any:
    return msgspec.to_builtins(value)
