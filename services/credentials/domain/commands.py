"""The commands of a credential. Every value in a command was parsed before."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal
from uuid import UUID

from contracts.credential_events import (
    NO_OTHER_HOSTS,
    Details,
    Hosts,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
)
from contracts.issuance_events import Workload
from contracts.verification_events import RotationTested
from registries.image_reference import ImageReference


class Unchanged(Enum):
    """The type of `UNCHANGED`, for a value that the caller did not set where `None` is a valid value."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED

DEFAULT_GRACE = timedelta(minutes=15)  # in which a replaced secret can be read
MAX_GRACE = timedelta(days=7)
DEFAULT_USE_WINDOW = timedelta(days=30)  # a credential is in use for this time after its secret was issued
VERIFY_WITHIN = timedelta(
    minutes=15
)  # a requested rotation is discarded without an accepted login until then
MAX_WORKLOADS = 100  # listed for one credential


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadUsage:
    """A workload to which a secret was issued, the version of it, and the time of the last issuance."""

    project_id: str
    workload: Workload
    secret_version: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCredential:
    credential_id: UUID
    registry: Registry
    username: str
    secret: SecretReference
    details: Details
    restrictions: Restrictions
    besides: Hosts = NO_OTHER_HOSTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDetails:
    """Change the fields that are not `UNCHANGED`."""

    name: str | Unchanged = UNCHANGED
    description: str | Unchanged = UNCHANGED
    scope: Scope | Unchanged = UNCHANGED
    repository_prefixes: tuple[str, ...] | Unchanged = UNCHANGED
    expires_at: datetime | Unchanged | None = UNCHANGED
    additional_hosts: tuple[str, ...] | Unchanged = UNCHANGED
    mirror_of: tuple[str, ...] | Unchanged = UNCHANGED

    def named(self) -> dict[str, Any]:
        """Return the fields of `Details` that change."""
        return self._named(Details)

    def named_hosts(self) -> dict[str, Any]:
        """Return the fields of `Hosts` that change."""
        return self._named(Hosts)

    def _named(self, part: type[Details | Hosts]) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(part)}
        return {name: value for name, value in values.items() if value is not UNCHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """Replace the secret, the username and the registry.

    The previous secret can be read until `previous_valid_until`, for requests in progress.
    """

    registry: Registry
    username: str
    secret: SecretReference
    expires_at: datetime | None
    previous_valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRotation:
    """Replace the secret, the username and the registry if a login with them is accepted before `deadline`.

    The previous secret can then be read for `grace`. `force_reason` is the reason if workloads lose the
    credential by the rotation.
    """

    rotation_id: UUID
    registry: Registry
    username: str
    secret: SecretReference
    expires_at: datetime | None
    grace: timedelta
    deadline: datetime
    force_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRotation:
    """Do or discard the requested rotation, `at` this time.

    `tested` is the login with its secret (`None`: not tried yet). `refusal` says why the rotation is not
    possible any more.
    """

    rotation_id: UUID
    at: datetime
    tested: RotationTested | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackSecret:
    """Restore the login that the last rotation replaced, if its grace lasts `at` this time.

    `secret` refers to a copy of the former secret, which is a new version. The secret that is replaced can
    be read until `previous_valid_until`, so that a rollback can be rolled back.
    """

    secret: SecretReference
    at: datetime
    previous_valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictCredential:
    restrictions: Restrictions


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeCredential:
    """Issue its secret to nobody, until it is thawed."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawCredential:
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestVerification:
    """Verify the login, and with `image` its access to that image, which must be of the same registry."""

    trigger: Literal["requested", "scheduled"]
    image: ImageReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCredential:
    """Remove it permanently. While workloads use it (`usages`), this must be `forced`."""

    reason: str | None
    forced: bool
    usages: tuple[WorkloadUsage, ...] = ()


Command = (
    AddCredential  # one on each line, so that a new command changes no other line
    | ChangeDetails
    | RotateSecret
    | RequestRotation
    | SettleRotation
    | RollBackSecret
    | RestrictCredential
    | FreezeCredential
    | ThawCredential
    | RequestVerification
    | RemoveCredential
)
