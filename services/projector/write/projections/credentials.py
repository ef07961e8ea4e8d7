"""The read model of credentials: one row for each, with its current state."""

from contracts.credential import columns, rotation_json
from contracts.credential_events import (
    CredentialAccessWithdrawn,
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialFrozen,
    CredentialHostsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialRotationDiscarded,
    CredentialRotationRequested,
    CredentialSecretRolledBack,
    CredentialSecretRotated,
    CredentialThawed,
)
from contracts.expiry_events import ExpiryDiscovered
from contracts.verdicts import VerificationStatus
from contracts.verification_events import VerificationFailed, VerificationSucceeded, verdict_of
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Delete, Insert, Update

_PENDING: dict[str, object] = {
    "verification_status": VerificationStatus.PENDING,
    "verification_code": None,
    "verification_detail": None,
    "verification_checked_at": None,
}


def project(recorded: RecordedEvent) -> list[Change]:
    """The changes of `rm.credentials` for an event."""
    event = recorded.payload
    stamp: dict[str, object] = {"version": recorded.version, "updated_at": recorded.metadata.occurred_at}
    match event:
        case CredentialAdded():
            return [
                Insert(
                    "credentials",
                    {
                        "credential_id": event.credential_id,
                        "account_id": recorded.metadata.account_id,
                        **columns(event.registry),
                        "username": event.username,
                        "secret_version": event.secret.version,
                        **columns(event.details),
                        **columns(event.restrictions),
                        "frozen": False,
                        "additional_hosts": [],
                        "mirror_of": [],
                        **_PENDING,
                        **stamp,
                        "created_at": recorded.metadata.occurred_at,
                    },
                )
            ]
        case CredentialDetailsChanged():
            values = {**columns(event.details), **stamp}
            if event.details.expires_at == event.previous.expires_at:
                del values["expires_at"]  # not changed by the user: an expiry found in the secret is retained
        case CredentialRestrictionsChanged():
            values = {**columns(event.restrictions), **stamp}
        case CredentialSecretRotated():
            values = {
                **columns(event.registry),
                "username": event.username,
                "secret_version": event.secret.version,
                "expires_at": event.expires_at,
                "rotation": None,
                **_PENDING,  # the last verification was of the old secret
                **stamp,
            }
        case (
            CredentialFrozen()
            | CredentialThawed()
            | CredentialHostsChanged()
            | CredentialAccessWithdrawn()
            | CredentialSecretRolledBack()
        ):
            values = {**_issuance_values(event), **stamp}
        case CredentialRotationRequested() | CredentialRotationDiscarded() as rotation:
            values = {"rotation": rotation_json(rotation)}  # no change of the credential
        case CredentialRemoved():
            return [Delete("credentials", event.credential_id)]
        case VerificationSucceeded() | VerificationFailed():
            return [_outcome(event)]
        case ExpiryDiscovered():
            return [
                Update(
                    "credentials",
                    event.credential_id,
                    {"expires_at": event.expires_at},
                    where={"secret_version": event.secret_version, "expires_at": None},
                )
            ]
        case _:
            return []
    return [Update("credentials", event.credential_id, values)]


def _issuance_values(
    event: CredentialFrozen
    | CredentialThawed
    | CredentialHostsChanged
    | CredentialAccessWithdrawn
    | CredentialSecretRolledBack,
) -> dict[str, object]:
    match event:
        case CredentialFrozen() | CredentialThawed():
            return {"frozen": isinstance(event, CredentialFrozen)}
        case CredentialHostsChanged():  # the last verification was at the previous hosts
            return {**columns(event.hosts), **_PENDING}
        case _:  # the event that follows has the change
            return {}


def _outcome(event: VerificationSucceeded | VerificationFailed) -> Change:
    status, code = verdict_of(event)
    return Update(
        "credentials",
        event.credential_id,
        {
            "verification_status": status,
            "verification_code": code,
            "verification_detail": event.detail,
            "verification_checked_at": event.checked_at,
        },
        # The outcome of an older secret does not apply to the current one.
        where={"secret_version": event.secret_version},
    )
