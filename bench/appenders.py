"""The work of one writer: an append of a service, an append of the peer, or a bare insert of the same bytes.

Every writer has its own streams, so that there are no conflicts. All of them create an event, append it and
wait for the commit. Statements are prepared.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import psycopg

from bench.peer import open_peer
from bench.personal import fresh_keys
from chassis.database import open_pool
from contracts.credential import Active
from contracts.credential_events import (
    CredentialAdded,
    CredentialDetailsChanged,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
)
from contracts.streams import credential_stream, verification_stream
from contracts.verification_events import VerificationSucceeded
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import Actor, Metadata, NewEvent, encode, encode_metadata
from eventlog.storage import IdempotentRequest, PersonalKeys, append_request, call_append, keys_of
from verifier.postgres_store import PostgresVerificationStore
from verifier.verifier import ACTOR as VERIFIER

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STREAMS = 50  # of each writer
_IDS = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_REGISTRY = Registry(provider="github", host="ghcr.io", location=None)
_EVERYBODY = Restrictions(restricted=False, projects=())
_PERSON = Actor(type="user", id="user-7", name="Ada Lovelace")
_ADDRESS = "192.0.2.7"
_SECRET = SecretReference(version=1, kind="username_password", fingerprint="f" * 32)
BARE_TABLE = """
CREATE TABLE bare (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, stream_id uuid NOT NULL,
    version bigint NOT NULL, type text NOT NULL, data jsonb NOT NULL, meta jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_BARE_INSERT = (
    "INSERT INTO bare (event_id, stream_id, version, type, data, meta) VALUES (%s, %s, %s, %s, %s, %s)"
)


_APPEND = "SELECT * FROM es.append('credential', %s)"


def append_events(url: str, number: int) -> Callable[[], None]:
    """Only `es.append`, which the functions of all services call: key, compare-and-swap and deduplication."""
    personal = fresh_keys()
    _change_credentials(url, number, personal)  # the streams
    pool = open_pool(url, role="postgres", size=1)  # services may not call it
    key_of = keys_of(pool, personal)

    def append(count: int, credential_id: UUID, version: int) -> None:
        event = _event(number, "change", count, _changed(credential_id, count))
        request = _request(number, count)
        stream = credential_stream(credential_id)
        argument = append_request(stream, version, [event], request, key_of)
        call_append(pool, _APPEND, [argument], request)

    return _turns(append, number)


def change_credentials(url: str, number: int) -> Callable[[], None]:
    """`credentials.append`: key, compare-and-swap, deduplication and the row of `credentials.current`."""
    return _change_credentials(url, number, fresh_keys())


def _change_credentials(url: str, number: int, personal: PersonalKeys) -> Callable[[], None]:
    store = PostgresCredentialStore(open_pool(url, role="regcred_credentials", size=1), personal)
    for credential_id in _credentials(number):
        added = CredentialAdded(
            credential_id=credential_id,
            registry=_REGISTRY,
            username="octo",
            secret=_SECRET,
            details=_details(credential_id, 0),
            restrictions=_EVERYBODY,
        )
        event = _event(number, f"added {credential_id}", 0, added)
        store.append(credential_id, 0, [event], current=_current(added.details), request=None)

    def append(count: int, credential_id: UUID, version: int) -> None:
        changed = _changed(credential_id, count)
        store.append(
            credential_id,
            version,
            [_event(number, "change", count, changed)],
            current=_current(changed.details),
            request=_request(number, count),
        )

    return _turns(append, number)


def credential_changes(url: str, personal: PersonalKeys, *, size: int) -> Callable[[UUID, int], None]:
    """Return a function that changes the description of a credential after a version. `size`: of its pool."""
    store = PostgresCredentialStore(open_pool(url, role="regcred_credentials", size=size), personal)
    metadata = _event(0, "", 0, None).metadata

    def change(credential_id: UUID, version: int) -> None:
        changed = _changed(credential_id, version)
        event = NewEvent(
            event_id=uuid5(credential_id, f"change {version}"),
            payload=changed,
            metadata=replace(metadata, account_id="acme"),
        )
        store.append(credential_id, version, [event], current=_current(changed.details), request=None)

    return change


def record_verifications(url: str, number: int) -> Callable[[], None]:
    """`verifier.append`: key, compare-and-swap, deduplication and the outcome in `credentials.current`."""
    personal = fresh_keys()
    _change_credentials(url, number, personal)  # the credentials that were verified
    store = PostgresVerificationStore(open_pool(url, role="regcred_verifier", size=1), personal)

    def append(count: int, credential_id: UUID, version: int) -> None:
        event = _event(
            number, "verification", count, _succeeded(credential_id, number, count), actor=VERIFIER, at=None
        )
        stream = verification_stream(credential_id)
        request = replace(_request(number, count), key=f"verification:{number}-{count}")
        store.append(stream, version - 1, [event], request=request)

    return _turns(append, number)


def peer(url: str, number: int) -> Callable[[], None]:
    """`Application.save` of an aggregate with one new event, in the default mode of the peer."""
    new, change = open_peer(url)
    aggregates = {credential_id: new() for credential_id in _credentials(number)}

    def append(count: int, credential_id: UUID, _version: int) -> None:
        name, data, meta = _bytes(_event(number, "change", count, _changed(credential_id, count)))
        change(aggregates[credential_id], name, data, meta)

    return _turns(append, number)


def insert(url: str, number: int) -> Callable[[], None]:
    """A bare insert of the same event into a table without another index, in autocommit mode."""
    connection = psycopg.connect(url, autocommit=True)

    def append(count: int, credential_id: UUID, version: int) -> None:
        event = _event(number, "change", count, _changed(credential_id, count))
        name, data, meta = _bytes(event)
        connection.execute(
            _BARE_INSERT, (event.event_id, credential_id, version, name, data, meta), prepare=True
        )

    return _turns(append, number)


def _turns(append: Callable[[int, UUID, int], None], number: int) -> Callable[[], None]:
    """Return a function that appends to the streams in turn, each time after the version of the stream."""
    turns = ((round_ + 1, credential) for round_ in itertools.count() for credential in _credentials(number))
    counted: Iterator[tuple[int, tuple[int, UUID]]] = enumerate(turns)

    def once() -> None:
        count, (version, credential_id) = next(counted)
        append(count, credential_id, version)

    return once


def _credentials(number: int) -> list[UUID]:
    return [uuid5(_IDS, f"credential {number} {which}") for which in range(STREAMS)]


def _details(credential_id: UUID, count: int) -> Details:
    return Details(
        name=f"team {credential_id.hex[:20]}",
        description=f"pulls of the shop {count}",
        scope=Scope(pull=True, push=False),
        repository_prefixes=("acme/shop/", "acme/base/"),
        expires_at=None,
    )


def _changed(credential_id: UUID, count: int) -> CredentialDetailsChanged:
    return CredentialDetailsChanged(
        credential_id=credential_id,
        details=_details(credential_id, count + 1),
        previous=_details(credential_id, count),
    )


def _succeeded(credential_id: UUID, number: int, count: int) -> VerificationSucceeded:
    return VerificationSucceeded(
        verification_id=uuid5(_IDS, f"verified {number} {count}"),
        credential_id=credential_id,
        registry_host="ghcr.io",
        provider="github",
        secret_version=1,
        trigger="scheduled",
        detail="the registry accepted the login",
        confidence="strong",
        checked_at=BEGIN + timedelta(seconds=count),
        duration_ms=120,
    )


def _event(
    number: int, what: str, count: int, payload: object, *, actor: Actor = _PERSON, at: str | None = _ADDRESS
) -> NewEvent:
    """An event of a user with an address. Events of regcred have no personal data in their metadata."""
    metadata = Metadata(
        account_id=f"account-{number}",
        actor=actor,
        occurred_at=BEGIN + timedelta(seconds=count),
        request_id=f"request-{number}-{count}",
        correlation_id=f"correlation-{number}-{count}",
        source_ip=at,
    )
    return NewEvent(event_id=uuid5(_IDS, f"{what} {number} {count}"), payload=payload, metadata=metadata)


def _bytes(event: NewEvent) -> tuple[str, str, str]:
    """Type, payload and metadata in their stored form."""
    name, _, data = encode(event.payload)
    return name, data.decode(), encode_metadata(event.metadata).decode()


def _request(number: int, count: int) -> IdempotentRequest:
    response = {"status": 200, "credential_id": f"{number}", "version": count}
    return IdempotentRequest(key=f"key-{number}-{count}", fingerprint=b"f" * 32, response=response)


def _current(details: Details) -> Active:
    return Active(
        credential_id=UUID(int=0),
        registry=_REGISTRY,
        username="octo",
        secret=_SECRET,
        details=details,
        restrictions=_EVERYBODY,
    )
