"""Events of one credential, as the verifier reads them."""

from contracts.credential_events import (
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRotated,
    Registry,
    VerificationRequested,
)
from contracts.streams import credential_stream
from eventlog.events import Actor, NewEvent, RecordedEvent
from tests.support import builders
from tests.support.builders import EVERYBODY, details, metadata, secret_reference
from tests.support.eventstore_suite import MOMENT, an_id
from tests.support.memory_eventstore import MemoryEventStore

ID = builders.ID
STREAM = credential_stream(ID)
METADATA = metadata(
    actor=Actor(type="service", id="svc", name="a service"), occurred_at=MOMENT, traceparent="00-1-2-01"
)
HUB = Registry(provider="dockerhub", host="docker.io", location=None)
CORP = Registry(provider="custom", host="reg.corp.example:5000", location=None)
DETAILS = details()


def added(registry: Registry = HUB) -> CredentialAdded:
    return builders.added(registry=registry)


def rotated(version: int, registry: Registry = HUB) -> CredentialSecretRotated:
    return CredentialSecretRotated(
        credential_id=ID,
        registry=registry,
        username="octo",
        secret=secret_reference(version),
        expires_at=None,
        previous_registry=HUB,
        previous_username="octo",
        previous_secret=secret_reference(version - 1),
        previous_expires_at=None,
        previous_valid_until=MOMENT,
    )


CHANGED = CredentialDetailsChanged(credential_id=ID, details=DETAILS, previous=DETAILS)
RESTRICTED = CredentialRestrictionsChanged(credential_id=ID, restrictions=EVERYBODY, previous=EVERYBODY)
REMOVED = CredentialRemoved(credential_id=ID, reason=None, forced=False)


def requested(version: int, image: str | None = None) -> VerificationRequested:
    return VerificationRequested(credential_id=ID, secret_version=version, trigger="requested", image=image)


class Credential:
    """The stream of one credential, as the credentials service writes it."""

    def __init__(self, *payloads: object) -> None:
        self._store = MemoryEventStore()
        for payload in payloads:
            self.happened(payload)

    def happened(self, payload: object) -> RecordedEvent:
        version = len(self.history())
        event = NewEvent(event_id=an_id(f"event {version}"), payload=payload, metadata=METADATA)
        self._store.append(STREAM, version, [event])
        return self.history()[-1]

    def history(self) -> list[RecordedEvent]:
        return self._store.load(STREAM)
