"""Events of a credential's stream, written by the credentials service alone.

Released classes never change: a new version is a new class with an upcaster (`eventlog.events.registry`).
None holds a secret: `SecretReference` says where one is kept, and its fingerprint is a keyed HMAC that
shows whether two secrets are equal, to those who hold the key, and nothing else.

Events that change something carry what was there before, so that the audit trail needs no look-up.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from contracts.fields import (
    CredentialId,
    CredentialName,
    Description,
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
from eventlog.events import event

SecretKind = Literal["username_password", "keyfile", "docker_config", "aws_keys", "service_principal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """A version of a secret in the secret store; `fingerprint` is 32 hex digits of a keyed HMAC-SHA-256."""

    version: SecretVersion
    kind: Annotated[SecretKind, Meta(description="What was given as the secret.")]
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the owner says the credential is for; the registry decides what it may."""

    pull: Annotated[bool, Meta(description="Images are pulled with it.")]
    push: Annotated[bool, Meta(description="Images are pushed with it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """Unrestricted: every project of the account. Restricted with no projects: nobody."""

    restricted: Annotated[bool, Meta(description="False: every project of the account may use it.")]
    projects: Annotated[
        tuple[ProjectId, ...], Meta(max_length=500, description="Who may use it, where it is restricted.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What may change without the secret."""

    name: CredentialName
    description: Description
    scope: Scope
    repository_prefixes: Annotated[
        tuple[RepositoryPrefix, ...],
        Meta(max_length=50, description="What it is for in that registry; empty: all of it."),
    ]
    expires_at: ExpiresAt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Where the login is valid: `host` is canonical (`docker.io`, `ghcr.io`, `registry.example.com:5000`)."""

    provider: ProviderId
    host: RegistryHost
    location: Location | None


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
            description="The previous secret is readable until then at least (RFC 3339), then destroyed.",
        ),
    ]


@event("credential.restrictions_changed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRestrictionsChanged:
    """Who may use it was changed: some projects, or all of the account."""

    credential_id: CredentialId
    restrictions: Restrictions
    previous: Restrictions


@event("credential.removed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRemoved:
    """The credential was removed permanently; its secret is destroyed in the secret store."""

    credential_id: CredentialId
    reason: Reason | None
    forced: Annotated[bool, Meta(description="It was removed although workloads were using it.")]


@event("verification.requested", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequested:
    """Somebody, or the schedule, asked for a new login."""

    credential_id: CredentialId
    secret_version: SecretVersion
    trigger: Annotated[Literal["requested", "scheduled"], Meta(description="Somebody asked, or it was due.")]
    image: Annotated[Image | None, Meta(description="A good login is to be tried on this image.")] = None
