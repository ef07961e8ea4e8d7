"""The events that record the outcome of a login. They depend on the events in its stream. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from contracts.expiry_events import ExpiryDiscovered, VerificationRecovered
from contracts.verification_events import (
    ImageProbe,
    RotationTested,
    VerificationFailed,
    VerificationSucceeded,
)
from eventlog.events import RecordedEvent
from registries.protocol.login import Verdict
from verifier.policy import Verification

# An unchanged outcome is recorded about once a day only, to show that the credential is still verified.
UNCHANGED_EVERY = timedelta(hours=20)

Outcome = VerificationSucceeded | VerificationFailed


def events_of(
    verification: Verification,
    verdict: Verdict,
    history: Sequence[RecordedEvent],
    *,
    registry_host: str,
    checked_at: datetime,
    duration_ms: int,
    expires_at: datetime | None,
) -> list[object]:
    """The outcome of a verification, and the events that follow from it.

    These are the recovery of the credential and the expiry of its secret, as far as they apply. `history` has
    the newest event of each type in the verification stream, and the first failure after the last accepted
    login.
    """
    outcome = outcome_of(
        verification, verdict, registry_host=registry_host, checked_at=checked_at, duration_ms=duration_ms
    )
    events: list[object] = [outcome]
    failed = _failures(history)
    if failed and isinstance(outcome, VerificationSucceeded):
        events.append(
            VerificationRecovered(
                verification_id=verification.id,
                credential_id=verification.credential_id,
                registry_host=verification.registry.host,
                provider=verification.registry.provider,
                secret_version=verification.secret_version,
                previous_code=failed[-1].code,
                failing_since=failed[0].checked_at,
            )
        )
    if expires_at is not None and expires_at != _discovered(history, verification.secret_version):
        events.append(
            ExpiryDiscovered(
                credential_id=verification.credential_id,
                registry_host=verification.registry.host,
                provider=verification.registry.provider,
                secret_version=verification.secret_version,
                expires_at=expires_at,
                source="provider" if expires_at == verdict.secret_expires_at else "token",
            )
        )
    return events


def rotation_tested(
    verification: Verification,
    rotation_id: UUID,
    verdict: Verdict,
    *,
    registry_host: str,
    checked_at: datetime,
    duration_ms: int,
) -> RotationTested:
    """The outcome of a login with the secret of a requested rotation."""
    return RotationTested(
        rotation_id=rotation_id,
        credential_id=verification.credential_id,
        registry_host=registry_host,
        provider=verification.registry.provider,
        secret_version=verification.secret_version,
        code=verdict.code,
        detail=verdict.detail,
        confidence=verdict.confidence,
        checked_at=checked_at,
        duration_ms=duration_ms,
    )


def worth_recording(code: str, last_code: str | None, last_recorded: datetime | None, now: datetime) -> bool:
    """Whether a scheduled login is recorded. `code` is its outcome (`verified` for an accepted login)."""
    return code != last_code or last_recorded is None or now - last_recorded >= UNCHANGED_EVERY


def outcome_of(
    verification: Verification,
    verdict: Verdict,
    *,
    registry_host: str,
    checked_at: datetime,
    duration_ms: int,
) -> Outcome:
    """The event with the outcome of one login. `registry_host` is the host that the verdict is from."""
    if verdict.code is None:
        return VerificationSucceeded(
            verification_id=verification.id,
            credential_id=verification.credential_id,
            registry_host=registry_host,
            provider=verification.registry.provider,
            secret_version=verification.secret_version,
            trigger=verification.trigger,
            detail=verdict.detail,
            confidence=verdict.confidence,
            checked_at=checked_at,
            duration_ms=duration_ms,
            probe=_probe_of(verdict),
        )
    return VerificationFailed(
        verification_id=verification.id,
        credential_id=verification.credential_id,
        registry_host=registry_host,
        provider=verification.registry.provider,
        secret_version=verification.secret_version,
        trigger=verification.trigger,
        code=verdict.code,
        detail=verdict.detail,
        retry_after=verdict.retry_after,
        checked_at=checked_at,
        duration_ms=duration_ms,
    )


def _probe_of(verdict: Verdict) -> ImageProbe | None:
    probed = verdict.probed
    if probed is None:
        return None
    return ImageProbe(image=str(probed.image), code=probed.code, detail=probed.detail)


def _failures(history: Sequence[RecordedEvent]) -> list[VerificationFailed]:
    """The failed logins since the last accepted one: at least the first and the last of them."""
    failed: list[VerificationFailed] = []
    for event in history:
        if isinstance(event.payload, VerificationSucceeded):
            failed = []
        elif isinstance(event.payload, VerificationFailed):
            failed.append(event.payload)
    return failed


def _discovered(history: Sequence[RecordedEvent], secret_version: int) -> datetime | None:
    """The expiry that was last recorded for this secret."""
    for event in reversed(history):
        found = event.payload
        if isinstance(found, ExpiryDiscovered) and found.secret_version == secret_version:
            return found.expires_at
    return None
