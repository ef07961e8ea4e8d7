"""Search tables for rows of the audit trail: by image, and by time."""

from contracts.credential_events import VerificationRequested
from contracts.issuance_events import SecretIssued, SecretRefused
from contracts.verification_events import VerificationSucceeded
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Insert, Put

SPAN = 1024  # positions of one row of `rm.audit_spans`


def project(recorded: RecordedEvent) -> list[Change]:
    """A row of `rm.audit_images` for each image of an event, and the range of times of its span of positions.

    Times increase with positions, but not strictly, because the clocks of services differ. A span has the
    earliest and the latest time of its events. A query uses them to limit the positions without missing an
    event.
    """
    if recorded.position is None:
        raise ValueError("an event of the log has a position")
    span, moment = recorded.position // SPAN, recorded.metadata.occurred_at
    return [
        *(
            Insert(
                "audit_images",
                {"account_id": recorded.metadata.account_id, "image": image, "position": recorded.position},
            )
            for image in dict.fromkeys(_images(recorded.payload))
        ),
        Put(
            "audit_spans",
            span,
            {"span": span, "earliest": moment, "latest": moment},
            least=("earliest",),
            greatest=("latest",),
        ),
    ]


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
