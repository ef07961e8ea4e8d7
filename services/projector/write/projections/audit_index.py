"""Search tables for rows of the audit trail: by image, and by time."""

from collections.abc import Iterable
from datetime import datetime

from contracts.access_events import AccessDenied
from contracts.credential_events import VerificationRequested
from contracts.issuance_events import SecretIssuedV2, SecretRefusedV2
from contracts.verification_events import VerificationSucceeded
from eventlog.events import RecordedEvent
from projector.write.projections.changes import Change, Insert, Put

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


def spans(changes: Iterable[Change]) -> list[Put]:
    """The changes of `rm.audit_spans` for the audit rows among `changes`, one for each span.

    Times increase with positions, but not strictly, because the clocks of services differ. A span has the
    earliest and the latest time of its events. A query uses them to limit the positions without missing an
    event.
    """
    ranges: dict[int, tuple[datetime, datetime]] = {}
    for change in changes:
        if isinstance(change, Insert) and change.table == "audit_events":
            span, time = change.values["position"] // SPAN, change.values["time"]
            earliest, latest = ranges.get(span, (time, time))
            ranges[span] = (min(earliest, time), max(latest, time))
    return [
        Put(
            "audit_spans",
            span,
            {"span": span, "earliest": earliest, "latest": latest},
            least=("earliest",),
            greatest=("latest",),
        )
        for span, (earliest, latest) in ranges.items()
    ]


def _images(event: object) -> tuple[str, ...]:
    match event:
        case AccessDenied() | SecretIssuedV2() | SecretRefusedV2():
            return event.images
        case VerificationRequested() if event.image:
            return (event.image,)
        case VerificationSucceeded() if event.probe:
            return (event.probe.image,)
        case _:
            return ()
