"""Events of a credential's stream, written by the credentials service alone.

Released classes never change: a new version is a new class with an upcaster (`eventlog.events.registry`).
No event contains a secret. `SecretReference` refers to the secret store. Its fingerprint is a keyed HMAC of
account, credential and secret: it shows whether a credential got the same secret again. Until 0.9.0 it was of
the secret alone.

Events of a change contain the previous values, so that the audit trail needs no look-up.

An event replaces everything that an earlier event of its type has set. The first event of a stream and the
newest of each type therefore determine the credential, and commands load no others.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from contracts.fields import (
    CredentialId,
    CredentialName,
    Description,
    Detail,
    ExpiresAt,
    Fingerprint,
    Image,
    Location,
    ProjectId,
    ProviderId,
    Reason,
    RegistryHost,
    RepositoryPrefix,
    SecretVersion,
    Username,
)
from contracts.verdicts import VerificationCode
from eventlog.events import event

SecretKind = Literal["username_password", "keyfile", "docker_config", "aws_keys", "service_principal"]

MAX_PREFIXES = 50
MAX_PROJECTS = 500
# Each host takes a login of at most 15 seconds, one after the other, within the 2 minutes of a claim.
MAX_ADDITIONAL_HOSTS = 5
MAX_MIRRORED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A version of a secret in the secret store."""

    version: SecretVersion
    kind: Annotated[SecretKind, Meta(description="The kind of secret that the caller sent.")]
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The access that the owner declares. The registry decides which access the login has."""

    pull: Annotated[bool, Meta(description="The credential is for pulling images.")]
    push: Annotated[bool, Meta(description="The credential is for pushing images.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """The projects that may use a credential.

    Unrestricted: every project of the account. Restricted without projects: none.
    """

    restricted: Annotated[
        bool, Meta(description="False: every project of the account may use the credential.")
    ]
    projects: Annotated[
        tuple[ProjectId, ...],
        Meta(
            max_length=MAX_PROJECTS,
            description="The projects that may use the credential while it is restricted.",
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The fields of a credential that can change without its secret."""

    name: CredentialName
    description: Description
    scope: Scope
    repository_prefixes: Annotated[
        tuple[RepositoryPrefix, ...],
        Meta(
            max_length=MAX_PREFIXES,
            description="The repositories that the credential is for; empty: all of the registry.",
        ),
    ]
    expires_at: ExpiresAt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The registry that accepts the login. `host` is canonical (`docker.io`, `registry.example.com:5000`)."""

    provider: ProviderId
    host: RegistryHost
    location: Location | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """What a credential is for besides its registry. All hosts are canonical."""

    additional_hosts: Annotated[
        tuple[RegistryHost, ...],
        Meta(max_length=MAX_ADDITIONAL_HOSTS, description="Other hosts that accept the same login."),
    ]
    mirror_of: Annotated[
        tuple[RegistryHost, ...],
        Meta(
            max_length=MAX_MIRRORED,
            description="The registries whose images its hosts also serve, as mirrors (pull-through caches).",
        ),
    ]


NO_OTHER_HOSTS = Hosts(additional_hosts=(), mirror_of=())


@event("credential.added", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialAdded:
    """A credential was saved for the first time."""

    credential_id: CredentialId
    registry: Registry
    username: Username
    secret: SecretReference
    details: Details
    restrictions: Restrictions


@event("credential.details_changed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDetailsChanged:
    """Name, description, declared scope, repository prefixes or expiry were changed."""

    credential_id: CredentialId
    details: Details
    previous: Details


@event("credential.secret_rotated", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSecretRotated:
    """The secret was replaced. The username and the registry may have changed with it."""

    credential_id: CredentialId
    registry: Registry
    username: Username
    secret: SecretReference
    expires_at: ExpiresAt | None
    previous_registry: Registry
    previous_username: Username
    previous_secret: SecretReference
    previous_expires_at: ExpiresAt | None
    previous_valid_until: Annotated[
        datetime,
        Meta(
            tz=True,
            description="Until then the previous secret can be read (RFC 3339). Then it is destroyed.",
        ),
    ]


RotationId = Annotated[UUID, Meta(description="The requested rotation.")]
WhyDiscarded = Annotated[
    Literal["not_verified", "not_in_time", "superseded", "refused"],
    Meta(
        description="`not_verified`: the login was not accepted. `not_in_time`: no login was possible before "
        "the deadline. `superseded`: another secret or other hosts were set. `refused`: the rotation was no "
        "longer possible when the login had been accepted."
    ),
]


@event("credential.rotation_requested", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRotationRequested:
    """A new secret was stored, which replaces the current one only if a login with it is accepted."""

    credential_id: CredentialId
    rotation_id: RotationId
    registry: Registry
    username: Username
    secret: SecretReference
    expires_at: ExpiresAt | None
    grace_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=2**31 - 1,
            description="How long the previous secret can be read after the rotation, in seconds.",
        ),
    ]
    deadline: Annotated[
        datetime, Meta(tz=True, description="Without an accepted login until then, it is discarded.")
    ]
    force_reason: Annotated[
        Reason | None, Meta(description="The reason if the rotation is forced, as workloads lose it.")
    ]


@event("credential.rotation_discarded", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRotationDiscarded:
    """A requested rotation will not happen. Its secret was never issued, and is destroyed."""

    credential_id: CredentialId
    rotation_id: RotationId
    secret_version: SecretVersion
    reason: WhyDiscarded
    code: Annotated[VerificationCode | None, Meta(description="The verdict, if `reason` is `not_verified`.")]
    detail: Detail | None


@event("credential.secret_rolled_back", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSecretRolledBack:
    """The rotation that follows restores the former secret, with its username, registry and expiry."""

    credential_id: CredentialId
    restored_version: Annotated[
        SecretVersion,
        Meta(description="The version that is restored. The rotation stores a copy of it as a new version."),
    ]


@event("credential.restrictions_changed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRestrictionsChanged:
    """The projects that may use the credential were changed."""

    credential_id: CredentialId
    restrictions: Restrictions
    previous: Restrictions


@event("credential.hosts_changed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHostsChanged:
    """The additional hosts were changed, or the registries that its hosts are mirrors of.

    The secret is sent to additional hosts as to the registry of the credential. All are verified again. It is
    not sent to the registries that are mirrored.
    """

    credential_id: CredentialId
    hosts: Hosts
    previous: Hosts


@event("credential.access_withdrawn", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialAccessWithdrawn:
    """Workloads lost a credential by the change that follows, which the caller forced."""

    credential_id: CredentialId
    reason: Reason
    workloads: Annotated[
        int,
        Meta(ge=1, le=2**31 - 1, description="The number of workloads that used the credential and lost it."),
    ]


@event("credential.frozen", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFrozen:
    """The credential was frozen: until it is thawed, its secret is issued to nobody."""

    credential_id: CredentialId
    reason: Reason


@event("credential.thawed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialThawed:
    """The credential was thawed: its secret is issued again."""

    credential_id: CredentialId
    reason: Reason | None


@event("credential.removed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRemoved:
    """The credential was removed permanently. Its secret is destroyed in the secret store."""

    credential_id: CredentialId
    reason: Reason | None
    forced: Annotated[bool, Meta(description="It was removed although workloads used it.")]


@event("verification.requested", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequested:
    """A caller or the schedule requested a new login."""

    credential_id: CredentialId
    secret_version: SecretVersion
    trigger: Annotated[
        Literal["requested", "scheduled"], Meta(description="Requested by a caller, or due by the schedule.")
    ]
    image: Annotated[Image | None, Meta(description="The image whose manifest a valid login requests.")] = (
        None
    )
