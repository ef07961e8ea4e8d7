"""What may be asked of a credential. Every value in a command has been parsed already."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal
from uuid import UUID

from contracts.credential_events import Details, Registry, Restrictions, Scope, SecretReference
from contracts.issuance_events import Workload
from registries.image_reference import ImageReference


class Unchanged(Enum):
    """Stands for a value that the caller did not name, where `None` is one of the values."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED

DEFAULT_GRACE = timedelta(minutes=15)  # for which a replaced secret is kept
MAX_GRACE = timedelta(days=7)
DEFAULT_USE_WINDOW = timedelta(days=30)  # in use is what was given out within
MAX_WORKLOADS = 500  # that are told of one credential


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadUsage:
    """A workload of a project that was given a credential's secret, in which version, and when last."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDetails:
    """Change what is named; `UNCHANGED` leaves as it is."""

    name: str | Unchanged = UNCHANGED
    description: str | Unchanged = UNCHANGED
    scope: Scope | Unchanged = UNCHANGED
    repository_prefixes: tuple[str, ...] | Unchanged = UNCHANGED
    expires_at: datetime | Unchanged | None = UNCHANGED

    def named(self) -> dict[str, Any]:
        """The fields of `Details` that change."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not UNCHANGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """Replace the secret, and with it, where given, the username and the registry.

    The one before is kept until `previous_valid_until`, for what has it in hand.
    """

    registry: Registry
    username: str
    secret: SecretReference
    expires_at: datetime | None
    previous_valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictCredential:
    restrictions: Restrictions


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestVerification:
    """Try the login; with `image`, a good one on that image too, which has to be of its registry."""

    trigger: Literal["requested", "scheduled"]
    image: ImageReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCredential:
    """Remove it for ever. `usages` are the workloads that use it, and that `forced` removes it from."""

    reason: str | None
    forced: bool
    usages: tuple[WorkloadUsage, ...] = ()


Command = (
    AddCredential | ChangeDetails | RotateSecret | RestrictCredential | RequestVerification | RemoveCredential
)
