"""Events of a credential's verification stream, written by the verifier alone."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from contracts import expiry_events  # noqa: F401 registers the other events of this stream
from contracts.credential_events import RotationId
from contracts.fields import (
    CheckedAt,
    CredentialId,
    Detail,
    DurationMs,
    Image,
    ProviderId,
    RegistryHost,
    RetryAfter,
    SecretVersion,
)
from contracts.verdicts import VerificationCode, VerificationStatus, status_of
from eventlog.events import event

Trigger = Annotated[
    Literal["added", "rotated", "requested", "scheduled"], Meta(description="Why the login was tried.")
]
Confidence = Annotated[
    Literal["strong", "weak"], Meta(description="Weak: the registry may accept any login.")
]
VerificationId = Annotated[UUID, Meta(description="The verification.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProbe:
    """The access of a valid login to an image. The login is valid whatever the result is."""

    image: Image
    code: Annotated[
        VerificationCode | None,
        Meta(
            description="Null: it has the access that its scope declares. `no_pull_access`, "
            "`no_push_access`, `unverifiable` (the registry does not report it), or why the request failed."
        ),
    ]
    detail: Detail


@event("verification.succeeded", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSucceeded:
    """The registry accepted the login.

    `confidence` is `weak` if the registry may accept any login. `probe` is present if the request named an
    image.
    """

    verification_id: VerificationId
    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    trigger: Trigger
    detail: Detail
    confidence: Confidence
    checked_at: CheckedAt
    duration_ms: DurationMs
    probe: ImageProbe | None = None


@event("verification.failed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationFailed:
    """The login was refused, could not be tried, or is inconclusive; `code` says which."""

    verification_id: VerificationId
    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    trigger: Trigger
    code: VerificationCode
    detail: Detail
    retry_after: RetryAfter | None
    checked_at: CheckedAt
    duration_ms: DurationMs


@event("verification.rotation_tested", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RotationTested:
    """A login was tried with the secret of a requested rotation, which is not the current one.

    The credentials service then rotates, or discards the new secret. `confidence` is that of an accepted
    login.
    """

    rotation_id: RotationId
    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    code: Annotated[VerificationCode | None, Meta(description="Null: the login was accepted.")]
    detail: Detail
    confidence: Confidence
    checked_at: CheckedAt
    duration_ms: DurationMs


def verdict_of(
    outcome: VerificationSucceeded | VerificationFailed,
) -> tuple[VerificationStatus, VerificationCode | None]:
    """Return the status that an outcome gives its credential, and the code of a failure."""
    if isinstance(outcome, VerificationSucceeded):
        return VerificationStatus.VERIFIED, None
    return status_of(outcome.code), outcome.code
