"""What is recorded of a login, in the light of what stands in its stream already. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.expiry_events import ExpiryDiscovered, VerificationRecovered
from contracts.verification_events import ImageProbe, VerificationFailed, VerificationSucceeded
from eventlog.events import RecordedEvent
from registries.protocol.login import Verdict
from verifier.policy import Verification

# A login that ends as the last one did says nothing new: it is recorded about once a day, as a sign of life.
UNCHANGED_EVERY = timedelta(hours=20)

Outcome = VerificationSucceeded | VerificationFailed


def events_of(
    wanted: Verification,
    verdict: Verdict,
    history: Sequence[RecordedEvent],
    *,
    checked_at: datetime,
    duration_ms: int,
    expires_at: datetime | None,
) -> list[object]:
    """The outcome, that the credential recovered, and when its secret was found to end."""
    outcome = outcome_of(wanted, verdict, checked_at=checked_at, duration_ms=duration_ms)
    events: list[object] = [outcome]
    failed = _failures(history)
    if failed and isinstance(outcome, VerificationSucceeded):
        events.append(
            VerificationRecovered(
                verification_id=wanted.id,
                credential_id=wanted.credential_id,
                registry_host=wanted.registry.host,
                provider=wanted.registry.provider,
                secret_version=wanted.secret_version,
                previous_code=failed[-1].code,
                failing_since=failed[0].checked_at,
            )
        )
    if expires_at is not None and expires_at != _discovered(history, wanted.secret_version):
        events.append(
            ExpiryDiscovered(
                credential_id=wanted.credential_id,
                registry_host=wanted.registry.host,
                provider=wanted.registry.provider,
                secret_version=wanted.secret_version,
                expires_at=expires_at,
                source="provider" if expires_at == verdict.ends_at else "token",
            )
        )
    return events


def worth_recording(code: str, last_code: str | None, last_recorded: datetime | None, now: datetime) -> bool:
    """Whether a scheduled login is recorded that ended with `code` (`verified` for a good one)."""
    return code != last_code or last_recorded is None or now - last_recorded >= UNCHANGED_EVERY


def outcome_of(wanted: Verification, verdict: Verdict, *, checked_at: datetime, duration_ms: int) -> Outcome:
    """How one login ended."""
    if verdict.code is None:
        return VerificationSucceeded(
            verification_id=wanted.id,
            credential_id=wanted.credential_id,
            registry_host=wanted.registry.host,
            provider=wanted.registry.provider,
            secret_version=wanted.secret_version,
            trigger=wanted.trigger,
            detail=verdict.detail,
            confidence=verdict.confidence,
            checked_at=checked_at,
            duration_ms=duration_ms,
            probe=_probe_of(verdict),
        )
    return VerificationFailed(
        verification_id=wanted.id,
        credential_id=wanted.credential_id,
        registry_host=wanted.registry.host,
        provider=wanted.registry.provider,
        secret_version=wanted.secret_version,
        trigger=wanted.trigger,
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
    """Those since the last good login, the oldest first."""
    failed: list[VerificationFailed] = []
    for event in history:
        if isinstance(event.payload, VerificationSucceeded):
            failed = []
        elif isinstance(event.payload, VerificationFailed):
            failed.append(event.payload)
    return failed


def _discovered(history: Sequence[RecordedEvent], secret_version: int) -> datetime | None:
    """When this secret was last found to end."""
    for event in reversed(history):
        found = event.payload
        if isinstance(found, ExpiryDiscovered) and found.secret_version == secret_version:
            return found.expires_at
    return None
