"""The read model of verifications: one row for each."""

import msgspec

from contracts.verification_events import VerificationFailed, VerificationSucceeded, verdict_of
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Insert


def project(recorded: RecordedEvent) -> list[Change]:
    """The changes of `rm.verifications` for an event."""
    event = recorded.payload
    if not isinstance(event, (VerificationSucceeded, VerificationFailed)):
        return []
    status, code = verdict_of(event)
    return [
        Insert(
            "verifications",
            {
                "verification_id": event.verification_id,
                "position": recorded.position,
                "credential_id": event.credential_id,
                "account_id": recorded.metadata.account_id,
                "provider": event.provider,
                "status": status,
                "code": code,
                "detail": event.detail,
                "trigger": event.trigger,
                "secret_version": event.secret_version,
                "checked_at": event.checked_at,
                "duration_ms": event.duration_ms,
                "probe": msgspec.to_builtins(event.probe)
                if isinstance(event, VerificationSucceeded)
                else None,
            },
        )
    ]
