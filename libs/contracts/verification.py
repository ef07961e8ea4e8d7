"""The JSON form of a verification, pending or finished, and of a test of a login."""

from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.credential import moment
from contracts.verdicts import VerificationCode, VerificationStatus
from contracts.verification_events import ImageProbe, Trigger


def verification_json(
    *,
    verification_id: UUID | None,
    trigger: Trigger,
    secret_version: int | None,
    status: VerificationStatus = VerificationStatus.PENDING,
    code: VerificationCode | None = None,
    detail: str | None = None,
    advice: str | None = None,
    checked_at: datetime | None = None,
    duration_ms: int | None = None,
    probe: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the JSON form of a verification.

    `advice` says what to do at that provider. `probe` is a result of `probe_json`. A test of a login has
    neither an id nor the version of a stored secret.
    """
    return {
        "id": None if verification_id is None else str(verification_id),
        "status": status,
        "code": code,
        "detail": detail,
        "help": advice,
        "trigger": trigger,
        "secret_version": secret_version,
        "checked_at": moment(checked_at),
        "duration_ms": duration_ms,
        "probe": probe,
    }


def probe_json(probe: ImageProbe, advice: str | None) -> dict[str, Any]:
    """Return the JSON form of the access of a valid login to an image."""
    return {"image": probe.image, "code": probe.code, "detail": probe.detail, "help": advice}
