"""The verdicts of verifications, as codes and statuses.

The codes are part of events and responses and do not change. `no_pull_access` and `no_push_access` are about
an image, never about the login. With `secret_unreadable` there was no login. The codes are described in
`docs/reference/registry-login.md`, "Verification codes".
"""

from enum import StrEnum


class VerificationCode(StrEnum):
    """The reason why a credential is not `verified`."""

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
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 not a secret


class VerificationStatus(StrEnum):
    """The values of a credential's `verification.status`."""

    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    UNVERIFIABLE = "unverifiable"
    UNREACHABLE = "unreachable"


_STATUS = {
    VerificationCode.UNVERIFIABLE: VerificationStatus.UNVERIFIABLE,
    VerificationCode.UNREACHABLE: VerificationStatus.UNREACHABLE,
    # The registry did not report whether the login is valid. It did not refuse it.
    VerificationCode.RATE_LIMITED: VerificationStatus.UNREACHABLE,
}


def status_of(code: VerificationCode) -> VerificationStatus:
    """Return the status that a verification with this code gives its credential."""
    return _STATUS.get(code, VerificationStatus.FAILED)


def known_code(text: str) -> VerificationCode | None:
    """Return the code; `None` for a text that this version does not know, because a newer one wrote it."""
    try:
        return VerificationCode(text)
    except ValueError:
        return None
