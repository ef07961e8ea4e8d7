"""What becomes of a credential between its logins: its end comes near, is there, or it is good again. Written
by the verifier into the credential's verification stream.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from contracts.fields import CredentialId, ProviderId, RegistryHost, SecretVersion
from contracts.verdicts import VerificationCode
from eventlog.events import event

Ends = Annotated[datetime, Meta(tz=True, description="When the secret ends, RFC 3339.")]


@event("verification.expiry_discovered", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryDiscovered:
    """The secret itself, or its provider, says when it ends. What its owner says beside it stays as it is."""

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: Ends
    source: Annotated[
        Literal["token", "provider"],
        Meta(
            description="`token`: the claim `exp` of a JSON Web Token. `provider`: GitHub, GitLab or Google "
            "says so."
        ),
    ]


@event("verification.expiry_approached", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryApproached:
    """The secret ends within `days` days. Told once for each of 30, 7 and 1, and of those that are past at
    once only the last.
    """

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: Ends
    days: Annotated[int, Meta(ge=1, le=366, description="30, 7 or 1.")]


@event("verification.expiry_passed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryPassed:
    """The moment is past at which the secret ends. The next login shows whether it did."""

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: Ends


@event("verification.recovered", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRecovered:
    """The login was taken again, after some that were not. Comes right behind `verification.succeeded`."""

    verification_id: Annotated[UUID, Meta(description="The verification that succeeded.")]
    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    previous_code: Annotated[VerificationCode, Meta(description="How the one before it had ended.")]
    failing_since: Annotated[datetime, Meta(tz=True, description="When the first of those ended, RFC 3339.")]
