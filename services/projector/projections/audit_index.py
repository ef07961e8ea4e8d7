"""By what rows of the audit trail are found where no index of their table serves: images, and moments."""

from projector.projections.changes import Change, Insert, Put
from shared.contracts.credential_events import VerificationRequested
from shared.contracts.issuing_events import SecretIssued, SecretRefused
from shared.contracts.verification_events import VerificationSucceeded
from shared.events.envelope import RecordedEvent

SPAN = 1024  # positions of one row of `rm.audit_spans`


def project(recorded: RecordedEvent) -> list[Change]:
    """A row of `rm.audit_images` for each image, and the span of positions that the event's time widens.

    Positions and times go together, but not strictly: two services' clocks differ. A span says between which
    moments all of its events lie, so that a time is found by position, in the order of the log.
    """
    position, metadata = recorded.position or 0, recorded.metadata
    span, moment = position // SPAN, metadata.occurred_at
    found: list[Change] = [
        Insert("audit_images", {"account_id": metadata.account_id, "image": image, "position": position})
        for image in dict.fromkeys(_images(recorded.payload))
    ]
    values = {"span": span, "earliest": moment, "latest": moment}
    found.append(Put("audit_spans", span, values, least=("earliest",), greatest=("latest",)))
    return found


def _images(event: object) -> tuple[str, ...]:
    match event:
        case SecretIssued():
            return event.images
        case SecretRefused():
            return (event.image,)
        case VerificationRequested() if event.image:
            return (event.image,)
        case VerificationSucceeded() if event.probe:
            return (event.probe.image,)
        case _:
            return ()
