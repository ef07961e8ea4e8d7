"""By what rows of the audit trail are found where no index of their table serves: images, and moments."""

from collections.abc import Iterable
from datetime import datetime

from projector.projections.changes import Insert, Put
from shared.contracts.credential_events import VerificationRequested
from shared.contracts.issuing_events import SecretIssued, SecretRefused
from shared.contracts.verification_events import VerificationSucceeded
from shared.events.envelope import RecordedEvent

SPAN = 1024  # positions of one row of `rm.audit_spans`


def project(recorded: RecordedEvent) -> list[Insert]:
    """A row of `rm.audit_images` for each image of an event."""
    return [
        Insert(
            "audit_images",
            {"account_id": recorded.metadata.account_id, "image": image, "position": recorded.position},
        )
        for image in dict.fromkeys(_images(recorded.payload))
    ]


def spans(trail: Iterable[Insert]) -> list[Put]:
    """The spans of positions that the times of these rows of the trail widen; of many events, as they lie
    in few of them.

    Positions and times go together, but not strictly: two services' clocks differ. A span says between which
    moments all of its events lie, so that a time is found by position, in the order of the log.
    """
    found: dict[int, tuple[datetime, datetime]] = {}
    for row in trail:
        span: int = row.values["position"] // SPAN
        moment: datetime = row.values["time"]
        earliest, latest = found.get(span, (moment, moment))
        found[span] = min(earliest, moment), max(latest, moment)
    return [
        Put(
            "audit_spans",
            span,
            {"span": span, "earliest": earliest, "latest": latest},
            least=("earliest",),
            greatest=("latest",),
        )
        for span, (earliest, latest) in found.items()
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
