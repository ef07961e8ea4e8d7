"""The state of a credential, folded from its events, and its JSON form.

The credentials service decides on the state and the verifier logs in with it. Responses to commands and
queries have the same JSON form, so that a new field is added to both here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.runtime.clock import rfc3339
from contracts.credential_events import (
    NO_OTHER_HOSTS,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRotated,
    CredentialThawed,
    Details,
    Hosts,
    Registry,
    Restrictions,
    SecretReference,
    VerificationRequested,
)


@dataclass(frozen=True, slots=True)
class Absent:
    """The credential has no event yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerSecret:
    """The login that the last rotation replaced. Its secret can be read until `valid_until`."""

    registry: Registry
    username: str
    secret: SecretReference
    expires_at: datetime | None
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The credential is stored. Unless it is frozen, the projects that its restrictions allow can use it.

    `former` is the login that the last rotation replaced; `None` if there was no rotation. `requested` is the
    rotation that waits for an accepted login. The last one that was discarded is `discarded`, until another
    one is requested or the secret is rotated.
    """

    credential_id: UUID
    registry: Registry
    username: str
    secret: SecretReference
    details: Details
    restrictions: Restrictions
    frozen: bool = False
    former: FormerSecret | None = None
    besides: Hosts = NO_OTHER_HOSTS
    requested: CredentialRotationRequested | None = None
    discarded: CredentialRotationDiscarded | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return every host that the secret is for, that of the registry first."""
        return (self.registry.host, *self.besides.additional_hosts)


@dataclass(frozen=True, slots=True)
class Removed:
    """The credential was removed. Its id is never used again."""

    credential_id: UUID


Credential = Absent | Active | Removed


def evolve(state: Credential, event: object) -> Credential:
    """Return the state after an event. Other events leave it unchanged: recorded events are never refused."""
    match event:
        case CredentialAdded():
            return Active(
                credential_id=event.credential_id,
                registry=event.registry,
                username=event.username,
                secret=event.secret,
                details=event.details,
                restrictions=event.restrictions,
            )
        case CredentialDetailsChanged() if isinstance(state, Active):
            return replace(state, details=event.details)
        case CredentialSecretRotated() if isinstance(state, Active):
            return replace(
                state,
                registry=event.registry,
                username=event.username,
                secret=event.secret,
                details=replace(state.details, expires_at=event.expires_at),
                former=FormerSecret(
                    registry=event.previous_registry,
                    username=event.previous_username,
                    secret=event.previous_secret,
                    expires_at=event.previous_expires_at,
                    valid_until=event.previous_valid_until,
                ),
                requested=None,
                discarded=None,
            )
        case CredentialRotationRequested() if isinstance(state, Active):
            return replace(state, requested=event, discarded=None)
        case CredentialRotationDiscarded() if isinstance(state, Active):
            return replace(state, requested=None, discarded=event)
        case CredentialRestrictionsChanged() if isinstance(state, Active):
            return replace(state, restrictions=event.restrictions)
        case CredentialFrozen() | CredentialThawed() if isinstance(state, Active):
            return replace(state, frozen=isinstance(event, CredentialFrozen))
        case CredentialHostsChanged() if isinstance(state, Active):
            return replace(state, besides=event.hosts)
        case CredentialRemoved():
            return Removed(event.credential_id)
        case _:
            return state


def is_change(event: object) -> bool:
    """Return whether an event changes its credential, and thereby the version that callers edit with."""
    return not isinstance(
        event, VerificationRequested | CredentialRotationRequested | CredentialRotationDiscarded
    )


def fold(events: Iterable[object], state: Credential | None = None) -> Credential:
    """Return the state after all events, starting at `state` or `Absent`."""
    state = state or Absent()
    for event in events:
        state = evolve(state, event)
    return state


def columns(part: Active | Registry | Details | Restrictions | Hosts) -> dict[str, object]:
    """Return a credential or a part of it as columns of a row: one for each value."""
    match part:
        case Registry():
            return {"provider": part.provider, "registry_host": part.host, "location": part.location}
        case Details():
            return {
                "name": part.name,
                "description": part.description,
                "pull": part.scope.pull,
                "push": part.scope.push,
                "repository_prefixes": list(part.repository_prefixes),
                "expires_at": part.expires_at,
            }
        case Hosts():
            return {"additional_hosts": list(part.additional_hosts), "mirror_of": list(part.mirror_of)}
        case Restrictions():
            return {"restricted": part.restricted, "projects": list(part.projects)}
        case Active():
            return {
                **columns(part.registry),
                "username": part.username,
                "secret_version": part.secret.version,
                **columns(part.details),
                **columns(part.restrictions),
                "frozen": part.frozen,
                **columns(part.besides),
                "rotation": rotation_json(part.requested or part.discarded),
            }


def rotation_json(
    event: CredentialRotationRequested | CredentialRotationDiscarded | None,
) -> dict[str, Any] | None:
    """Return the JSON form of a rotation that waits for an accepted login, or was discarded."""
    if event is None:
        return None
    discarded = event if isinstance(event, CredentialRotationDiscarded) else None
    return {
        "id": str(event.rotation_id),
        "status": "discarded" if discarded else "pending",
        "deadline": moment(event.deadline) if isinstance(event, CredentialRotationRequested) else None,
        "reason": discarded.reason if discarded else None,
        "code": discarded.code if discarded else None,
        "detail": discarded.detail if discarded else None,
    }


def credential_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON form, which never contains a secret.

    `row` has the values of `columns` with `credential_id`, `account_id`, `version`, `created_at` and
    `updated_at`, and of the last verification of the current secret `verification_status`,
    `verification_code`, `verification_detail` and `verification_checked_at`.
    """
    return {
        "id": str(row["credential_id"]),
        **_same(row, "account_id name provider registry_host"),
        "additional_hosts": row.get("additional_hosts") or [],  # as `frozen` below
        "mirror_of": row.get("mirror_of") or [],
        **_same(row, "location username repository_prefixes description"),
        "scope": _same(row, "pull push"),
        "restrictions": _same(row, "restricted projects"),
        "secret_version": row["secret_version"],
        "expires_at": moment(row["expires_at"]),
        "frozen": bool(row.get("frozen")),  # an older generation of the read models has no such column
        "verification": {
            "status": row["verification_status"],
            "code": row["verification_code"],
            "detail": row["verification_detail"],
            "checked_at": moment(row["verification_checked_at"]),
        },
        "rotation": row.get("rotation"),  # as `frozen` above
        "version": row["version"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def moment(value: datetime | None) -> str | None:
    """Return the JSON form of a time: RFC 3339, or null."""
    return rfc3339(value) if value else None


def _same(row: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}
