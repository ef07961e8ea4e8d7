"""The ids of streams, and derived ids of events. One service writes each category."""

from uuid import UUID, uuid5

from chassis.authentication.token_row import stream_of_token
from eventlog.events import StreamId

_DERIVED = UUID("6f1c9f0e-8f0b-5d0c-9a55-1d2b6c1f7a10")  # namespace of derived stream ids; it never changes


def credential_stream(credential_id: UUID) -> StreamId:
    """The stream of a credential, written by the credentials service."""
    return StreamId("credential", credential_id)


def verification_stream(credential_id: UUID) -> StreamId:
    """The stream of a credential's verifications, written by the verifier."""
    return StreamId("verification", uuid5(_DERIVED, f"verification:{credential_id}"))


def outcome_event_id(verification_id: UUID) -> UUID:
    """The id of the event with the outcome of a verification, so that a second one cannot be appended."""
    return uuid5(_DERIVED, f"outcome:{verification_id}")


def issuance_stream(issuance_id: UUID) -> StreamId:
    """The stream of one request for a pull secret, written once by the credentials service."""
    return StreamId("issuance", issuance_id)


def release_stream(release_id: UUID) -> StreamId:
    """The stream of one release of a workload or project, written once by the credentials service."""
    return StreamId("release", release_id)


def audit_stream(read_id: UUID) -> StreamId:
    """The stream of one read of the audit trail, or of an account's part of one archived segment.

    It is written once, by the query API or by `regcred audit seal`.
    """
    return StreamId("audit", read_id)


def account_stream(erasure_id: UUID) -> StreamId:
    """The stream of one erasure of an account's personal data, written once by an operator."""
    return StreamId("account", erasure_id)


def service_token_stream(token_id: str) -> StreamId:
    """The stream of a service token, written by the credentials service and by `regcred migrate`."""
    return StreamId("service_token", stream_of_token(token_id))


def refusal_stream(refusal_id: UUID) -> StreamId:
    """The stream of one refused request, written once by the service that refused it."""
    return StreamId("refusal", refusal_id)
