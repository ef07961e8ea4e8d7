"""Payloads of events for the tests of the read models, and a real log that they are appended to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from contracts.credential_events import (
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    CredentialSecretRotated,
    Registry,
    Restrictions,
    VerificationRequested,
)
from contracts.expiry_events import ExpiryDiscovered
from contracts.issuance_events import RefusedCandidate, SecretIssuedV2, SecretRefusedV2, Workload
from contracts.release_events import WorkloadReleased
from contracts.streams import credential_stream, issuance_stream, release_stream, verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from eventlog.events import Metadata, StoredEvent, StreamId, encode, encode_metadata
from tests.support import builders
from tests.support.builders import EVERYBODY, GITHUB
from tests.support.log import append_one, sequence_all

Connection = psycopg.Connection[Any]

TABLES = ("credentials", "usages", "verifications", "audit_events", "audit_images", "audit_spans")
SHOP, CART = "ghcr.io/acme/shop:1", "ghcr.io/acme/cart:2"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DETAILS = builders.details(
    description='with "quotes", \\ and\nlines', repository_prefixes=("acme/", 'o"dd,{}/')
)
SECRET = builders.secret_reference()


def credential(number: int) -> UUID:
    return UUID(int=0xC0FFEE << 64 | number)


def added(number: int, name: str = "team") -> CredentialAdded:
    return builders.added(credential(number), details=replace(DETAILS, name=name))


def renamed(number: int, name: str) -> CredentialDetailsChanged:
    return CredentialDetailsChanged(
        credential_id=credential(number),
        details=replace(DETAILS, name=name, expires_at=MOMENT),
        previous=DETAILS,
    )


def restricted(number: int, *projects: str) -> CredentialRestrictionsChanged:
    return CredentialRestrictionsChanged(
        credential_id=credential(number),
        restrictions=Restrictions(restricted=True, projects=projects),
        previous=EVERYBODY,
    )


def rotated(number: int, version: int) -> CredentialSecretRotated:
    return CredentialSecretRotated(
        credential_id=credential(number),
        registry=Registry(provider="custom", host=f"registry-{version}.example.com", location=None),
        username=f"user-{version}",
        secret=replace(SECRET, version=version),
        expires_at=None,
        previous_registry=GITHUB,
        previous_username="octo",
        previous_secret=replace(SECRET, version=version - 1),
        previous_expires_at=None,
        previous_valid_until=MOMENT,
    )


def requested(number: int, version: int = 1) -> VerificationRequested:
    return VerificationRequested(
        credential_id=credential(number), secret_version=version, trigger="requested"
    )


def removed(number: int) -> CredentialRemoved:
    return CredentialRemoved(credential_id=credential(number), reason="left", forced=False)


def succeeded(number: int, identity: int, version: int = 1) -> VerificationSucceeded:
    return VerificationSucceeded(
        verification_id=UUID(int=0xABC << 64 | identity),
        credential_id=credential(number),
        registry_host="ghcr.io",
        provider="github",
        secret_version=version,
        trigger="added",
        detail="ok",
        confidence="strong",
        checked_at=MOMENT,
        duration_ms=12,
    )


def failed(number: int, identity: int, version: int = 1) -> VerificationFailed:
    return VerificationFailed(
        verification_id=UUID(int=0xABC << 64 | identity),
        credential_id=credential(number),
        registry_host="ghcr.io",
        provider="github",
        secret_version=version,
        trigger="added",
        code=VerificationCode.BAD_CREDENTIAL,
        detail="refused",
        retry_after=None,
        checked_at=MOMENT,
        duration_ms=12,
    )


def issued(
    number: int, issuance: int, *images: str, project: str = "shop", version: int = 1
) -> SecretIssuedV2:
    return SecretIssuedV2(
        issuance_id=UUID(int=0x155 << 64 | issuance),
        project_id=project,
        workload=Workload(kind="deployment", name="front"),
        registry_host="ghcr.io",
        images=images or ("ghcr.io/acme/shop:1",),
        credential_id=credential(number),
        credential_name="team",
        secret_version=version,
        format="docker_config",
        operation="pull",
    )


def released(number: int, release: int) -> WorkloadReleased:
    return WorkloadReleased(
        release_id=UUID(int=0x4E1 << 64 | release),
        credential_id=credential(number),
        project_id="shop",
        workload=Workload(kind="deployment", name="front"),
        reason=None,
    )


def refused(number: int, issuance: int, image: str = "ghcr.io/acme/shop:1") -> SecretRefusedV2:
    return SecretRefusedV2(
        issuance_id=UUID(int=0x155 << 64 | issuance),
        project_id="blog",
        workload=Workload(kind="job", name="nightly"),
        registry_host="ghcr.io",
        images=(image,),
        reason="no_eligible_credential",
        anonymous=False,
        candidates=(RefusedCandidate(credential_id=credential(number), reason="restricted"),),
    )


def end_found(number: int, version: int = 1) -> ExpiryDiscovered:
    return ExpiryDiscovered(
        credential_id=credential(number),
        registry_host="ghcr.io",
        provider="github",
        secret_version=version,
        expires_at=MOMENT + timedelta(days=9),
        source="token",
    )


def of_two_credentials() -> list[object]:
    """Twelve payloads, from adding two credentials to the request of a verification."""
    return [
        added(1, "one"),
        added(2, "two"),
        failed(1, 1),
        issued(1, 1, SHOP, CART),
        refused(2, 2, SHOP),
        issued(2, 3, SHOP, project="blog"),
        restricted(2, "shop"),
        rotated(1, 2),
        succeeded(1, 2, 2),
        issued(1, 4, SHOP, version=2),
        removed(2),
        requested(1, 2),
    ]


def stream_of(payload: Any) -> StreamId:
    if isinstance(payload, SecretIssuedV2 | SecretRefusedV2):
        return issuance_stream(payload.issuance_id)
    if isinstance(payload, WorkloadReleased):
        return release_stream(payload.release_id)
    if isinstance(payload, VerificationSucceeded | VerificationFailed | ExpiryDiscovered):
        return verification_stream(payload.credential_id)
    return credential_stream(payload.credential_id)


def of_acme(_payload: Any) -> str:
    """The account of all payloads if there is only one account."""
    return "acme"


def metadata(count: int = 0, account: str = "acme") -> Metadata:
    return builders.metadata(
        account_id=account,
        occurred_at=MOMENT + timedelta(seconds=count),
        request_id=f"r-{count}",
        correlation_id=f"c-{count}",
    )


def stored(payloads: list[Any], account_of: Callable[[Any], str] = of_acme) -> list[StoredEvent]:
    """Events as the log returns them: positions from 1, versions by stream."""
    versions: dict[UUID, int] = {}
    events = []
    for position, payload in enumerate(payloads, start=1):
        stream = stream_of(payload)
        versions[stream.id] = versions.get(stream.id, 0) + 1
        name, schema_version, data = encode(payload)
        events.append(
            StoredEvent(
                event_id=UUID(int=position),
                stream=stream,
                version=versions[stream.id],
                type=name,
                schema_version=schema_version,
                payload=data.decode(),
                metadata=encode_metadata(metadata(position, account_of(payload))).decode(),
                recorded_at=MOMENT,
                position=position,
            )
        )
    return events


@dataclass
class Log:
    """A writer of the real log, with the connection of a superuser; appended events have a position at once."""

    connection: Connection
    epoch: int
    count: int = 0

    def append(self, *payloads: Any) -> int:
        """The position of the last one."""
        for payload in payloads:
            self.append_payload(payload)
        return self.sequence()

    def append_payload(self, payload: Any) -> None:
        """Append without assigning a position."""
        name, schema_version, data = encode(payload)
        self.append_raw(stream_of(payload), name, data.decode(), schema_version)

    def append_many(self, payloads: Sequence[Any], account_of: Callable[[Any], str] = of_acme) -> int:
        """Append many events at once, to new streams."""
        events = stored(list(payloads), account_of)
        versions = {event.stream: event.version for event in events}
        accounts = {stream_of(payload): account_of(payload) for payload in payloads}
        with self.connection.cursor() as cursor:
            with cursor.copy("COPY es.streams (stream_id, account_id, category, version) FROM STDIN") as copy:
                for stream, version in versions.items():
                    copy.write_row((stream.id, accounts[stream], stream.category, version))
            with cursor.copy(
                "COPY es.events (event_id, stream_id, version, type, schema_version, data, meta) FROM STDIN"
            ) as copy:
                for event in events:
                    row = (event.event_id, event.stream.id, event.version, event.type, event.schema_version)
                    copy.write_row((*row, event.payload, event.metadata))
        return self.sequence()

    def repair(self, position: int, *, schema_version: int) -> None:
        """Change the type or schema version of a stored event, as if a newer program could read it."""
        self.connection.execute("ALTER TABLE es.events DISABLE TRIGGER append_only")
        self.connection.execute(
            "UPDATE es.events e SET schema_version = %s FROM es.log l WHERE l.position = %s"
            " AND e.stream_id = l.stream_id AND e.version = l.version",
            (schema_version, position),
        )
        self.connection.execute("ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only")

    def append_raw(self, stream: StreamId, name: str, data: str, schema_version: int = 1) -> None:
        """Append any event, readable or not."""
        self.count += 1
        row = self.connection.execute(
            "SELECT version FROM es.streams WHERE stream_id = %s", (stream.id,)
        ).fetchone()
        append_one(
            self.connection,
            stream,
            row[0] if row else 0,
            UUID(int=0xE << 64 | self.count),
            name=name,
            schema_version=schema_version,
            data=data,
            meta=encode_metadata(metadata(self.count)).decode(),
        )

    def sequence(self) -> int:
        return sequence_all(self.connection, self.epoch)


@contextmanager
def open_log(database_url: str) -> Iterator[Log]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT es.lead('relay', '0')").fetchone()
        assert row is not None
        yield Log(connection, row[0])


def content(connection: Connection, generation: int) -> dict[str, list[str]]:
    """Every row of a generation as PostgreSQL writes it."""
    return {
        table: [
            row
            for (row,) in connection.execute(
                f"SELECT t::text FROM rm_g{generation}.{table} t ORDER BY t::text"  # noqa: S608 names of this module
            ).fetchall()
        ]
        for table in TABLES
    }
