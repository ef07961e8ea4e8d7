"""Events of a credential's expiry, and of its recovery after failed logins.

The verifier writes them into the credential's verification stream.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from contracts.fields import CredentialId, ProviderId, RegistryHost, SecretVersion
from contracts.verdicts import VerificationCode
from eventlog.events import event

SecretExpiry = Annotated[datetime, Meta(tz=True, description="When the secret expires, RFC 3339.")]


@event("verification.expiry_discovered", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryDiscovered:
    """The secret itself or its provider states when it expires.

    The expiry that its owner entered stays unchanged.
    """

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: SecretExpiry
    source: Annotated[
        Literal["token", "provider"],
        Meta(
            description="`token`: the claim `exp` of a JSON Web Token. `provider`: reported by GitHub, "
            "GitLab or Google."
        ),
    ]


@event("verification.expiry_approached", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryApproached:
    """The secret expires within `days` days.

    Emitted once for each of 30, 7 and 1. If several of them pass at the same time, only for the last.
    """

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: SecretExpiry
    days: Annotated[int, Meta(ge=1, le=366, description="30, 7 or 1.")]


@event("verification.expiry_passed", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryPassed:
    """The time at which the secret expires has passed. The next login shows whether it did expire."""

    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    expires_at: SecretExpiry


@event("verification.recovered", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRecovered:
    """The registry accepted the login after it had refused earlier ones.

    Follows `verification.succeeded` directly.
    """

    verification_id: Annotated[UUID, Meta(description="The verification that succeeded.")]
    credential_id: CredentialId
    registry_host: RegistryHost
    provider: ProviderId
    secret_version: SecretVersion
    previous_code: Annotated[VerificationCode, Meta(description="The code of the verification before it.")]
    failing_since: Annotated[
        datetime, Meta(tz=True, description="When the first failed login ended, RFC 3339.")
    ]
