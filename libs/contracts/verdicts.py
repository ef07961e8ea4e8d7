"""The outcome of a verification, or of a good login on an image: codes are stable, they stand in events and
answers. The last two are about an image alone, never about the login.

What each code means: `docs/reference/registry-login.md`, "Verification codes".
"""

from enum import StrEnum


class VerificationCode(StrEnum):
    """Why a verification did not end in `verified`."""

    BAD_CREDENTIAL = "bad_credential"
    MISSING_SCOPE = "missing_scope"
    FORBIDDEN = "forbidden"
    EXPIRED = "expired"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    TLS_ERROR = "tls_error"
    BLOCKED_HOST = "blocked_host"
    NOT_A_REGISTRY = "not_a_registry"
    BAD_CHALLENGE = "bad_challenge"
    UNVERIFIABLE = "unverifiable"
    NO_PULL_ACCESS = "no_pull_access"
    NO_PUSH_ACCESS = "no_push_access"


class VerificationStatus(StrEnum):
    """What the credential's `verification.status` may be."""

    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    UNVERIFIABLE = "unverifiable"
    UNREACHABLE = "unreachable"


_STATUS = {
    VerificationCode.UNVERIFIABLE: VerificationStatus.UNVERIFIABLE,
    VerificationCode.UNREACHABLE: VerificationStatus.UNREACHABLE,
    # The registry did not say whether the credential is good: nothing failed, it could not be asked.
    VerificationCode.RATE_LIMITED: VerificationStatus.UNREACHABLE,
}


def status_of(code: VerificationCode) -> VerificationStatus:
    """The status that a verification which ended with this code gives its credential."""
    return _STATUS.get(code, VerificationStatus.FAILED)
