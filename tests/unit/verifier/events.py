"""Events of one credential, as the verifier meets them."""

from uuid import UUID

from shared.contracts.credential_events import (
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRotated,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
    VerificationRequested,
)
from shared.events.envelope import Actor, Metadata, NewEvent, RecordedEvent, StreamId
from tests.support.eventstore_suite import MOMENT, an_id
from tests.support.memory_eventstore import MemoryEventStore

ID = UUID("5a8f6f0e-0d55-4d3c-9a55-0c2f6c1f7a10")
STREAM = StreamId.credential(ID)
METADATA = Metadata(
    account_id="acme",
    actor=Actor(type="service", id="svc", name="a service"),
    occurred_at=MOMENT,
    request_id="r-1",
    correlation_id="c-1",
    traceparent="00-1-2-01",
)
HUB = Registry(provider="dockerhub", host="docker.io", location=None)
CORP = Registry(provider="custom", host="reg.corp.example:5000", location=None)
DETAILS = Details(
    name="team", description="", scope=Scope(pull=True, push=False), repository_prefixes=(), expires_at=None
)
EVERYBODY = Restrictions(restricted=False, projects=())


def reference(version: int) -> SecretReference:
    return SecretReference(version=version, kind="username_password", fingerprint="ab" * 16)


def added(registry: Registry = HUB) -> CredentialAdded:
    return CredentialAdded(
        credential_id=ID,
        registry=registry,
        username="octo",
        secret=reference(1),
        details=DETAILS,
        restrictions=EVERYBODY,
    )


def rotated(version: int, registry: Registry = HUB) -> CredentialSecretRotated:
    return CredentialSecretRotated(
        credential_id=ID,
        registry=registry,
        username="octo",
        secret=reference(version),
        expires_at=None,
        previous_registry=HUB,
        previous_username="octo",
        previous_secret=reference(version - 1),
        previous_expires_at=None,
        previous_valid_until=MOMENT,
    )


CHANGED = CredentialDetailsChanged(credential_id=ID, details=DETAILS, previous=DETAILS)
RESTRICTED = CredentialRestrictionsChanged(credential_id=ID, restrictions=EVERYBODY, previous=EVERYBODY)
REMOVED = CredentialRemoved(credential_id=ID, reason=None, forced=False)


def requested(version: int, image: str | None = None) -> VerificationRequested:
    return VerificationRequested(credential_id=ID, secret_version=version, trigger="requested", image=image)


class Credential:
    """The stream of one credential, as the credentials service would have written it."""

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
