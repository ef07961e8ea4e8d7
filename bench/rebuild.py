"""A long log of realistic events for benchmarks."""

import random  # noqa: TID251 the same events each time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from contracts.credential_events import (
    CredentialAdded,
    CredentialDetailsChanged,
    CredentialRemoved,
    CredentialRestrictionsChanged,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
    VerificationRequested,
)
from contracts.streams import credential_stream, verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import Trigger, VerificationFailed, VerificationSucceeded
from eventlog.events import Actor, Metadata, StreamId, encode, encode_metadata
from eventlog.events.personal import split
from eventlog.storage import PersonalKeys

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = 50


def events(number: int) -> Iterator[tuple[StreamId, object, Metadata]]:
    """Events of many credentials: added, verified, verified again every day, edited, removed."""
    chance = random.Random(7)
    alive: list[tuple[UUID, str, Details, Restrictions]] = []
    for count in range(number):
        moment = BEGIN + timedelta(seconds=count)
        roll = chance.random()
        if roll < 0.08 or not alive:
            credential_id, account = (
                UUID(int=chance.getrandbits(128)),
                f"account-{chance.randrange(ACCOUNTS)}",
            )
            details = Details(
                name=f"team {count}",
                description="pulls of the shop",
                scope=Scope(pull=True, push=False),
                repository_prefixes=("acme/shop/", "acme/base/"),
                expires_at=None,
            )
            everybody = Restrictions(restricted=False, projects=())
            alive.append((credential_id, account, details, everybody))
            payload: object = CredentialAdded(
                credential_id=credential_id,
                registry=Registry(provider="github", host="ghcr.io", location=None),
                username="octo",
                secret=SecretReference(version=1, kind="username_password", fingerprint="f" * 32),
                details=details,
                restrictions=everybody,
            )
        else:
            place = chance.randrange(len(alive))
            credential_id, account, details, restrictions = alive[place]
            if roll < 0.45:
                payload = VerificationRequested(
                    credential_id=credential_id, secret_version=1, trigger="scheduled"
                )
            elif roll < 0.90:
                payload = outcome(
                    UUID(int=chance.getrandbits(128)), credential_id, moment, failed=roll > 0.85
                )
            elif roll < 0.94:
                renamed = Details(
                    name=f"crew {count}",
                    description=details.description,
                    scope=details.scope,
                    repository_prefixes=details.repository_prefixes,
                    expires_at=moment,
                )
                payload = CredentialDetailsChanged(
                    credential_id=credential_id, details=renamed, previous=details
                )
                alive[place] = (credential_id, account, renamed, restrictions)
            elif roll < 0.98:
                projects = Restrictions(restricted=True, projects=(f"project-{count % 9}", "shop"))
                payload = CredentialRestrictionsChanged(
                    credential_id=credential_id, restrictions=projects, previous=restrictions
                )
                alive[place] = (credential_id, account, details, projects)
            else:
                payload = CredentialRemoved(credential_id=credential_id, reason="left", forced=False)
                alive[place] = alive[-1]
                alive.pop()
        is_outcome = isinstance(payload, VerificationSucceeded | VerificationFailed)
        stream = verification_stream(credential_id) if is_outcome else credential_stream(credential_id)
        actor = Actor(type="user", id=f"user-{count % 97}", name="Ada Lovelace")
        yield (
            stream,
            payload,
            Metadata(
                account_id=account,
                actor=actor,
                occurred_at=moment,
                request_id=f"request-{count}",
                correlation_id=f"correlation-{count}",
                source_ip="192.0.2.7",
            ),
        )


def outcome(verification_id: UUID, credential_id: UUID, moment: datetime, *, failed: bool) -> object:
    trigger: Trigger = "scheduled"
    if not failed:
        return VerificationSucceeded(
            verification_id=verification_id,
            credential_id=credential_id,
            registry_host="ghcr.io",
            provider="github",
            secret_version=1,
            trigger=trigger,
            detail="the registry accepted the login",
            confidence="strong",
            checked_at=moment,
            duration_ms=120,
        )
    return VerificationFailed(
        verification_id=verification_id,
        credential_id=credential_id,
        registry_host="ghcr.io",
        provider="github",
        secret_version=1,
        trigger=trigger,
        code=VerificationCode.BAD_CREDENTIAL,
        detail="the registry refused the login",
        retry_after=None,
        checked_at=moment,
        duration_ms=90,
    )


def fill(url: str, number: int, personal: PersonalKeys) -> None:
    """Write `number` events without positions, with encrypted personal data as from the services."""
    versions: dict[StreamId, tuple[str, int]] = {}
    with (
        ConnectionPool(url, kwargs={"autocommit": True}, min_size=1, max_size=1, open=True) as pool,
        psycopg.connect(url) as connection,
    ):
        # Otherwise foreign keys are checked for each row.
        connection.execute("SET session_replication_role = replica")
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY es.events (event_id, stream_id, version, type, schema_version, data, meta) FROM STDIN"
            ) as copy,
        ):
            for count, (stream, payload, metadata) in enumerate(events(number)):
                _, version = versions.get(stream, ("", 0))
                versions[stream] = (metadata.account_id, version + 1)
                name, schema_version, data = encode(payload)
                meta = encode_metadata(metadata)
                if parts := split(type(payload), data, meta):
                    data, meta = parts.encrypted(UUID(int=count), personal.current(pool, metadata.account_id))
                copy.write_row(
                    (
                        UUID(int=count),
                        stream.id,
                        version + 1,
                        name,
                        schema_version,
                        data.decode(),
                        meta.decode(),
                    )
                )
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY es.streams (stream_id, account_id, category, version) FROM STDIN") as copy,
        ):
            for stream, (account, version) in versions.items():
                copy.write_row((stream.id, account, stream.category, version))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE es.events")


def assign_positions(url: str) -> None:
    """Assign positions to all events, as the relay does."""
    with psycopg.connect(url, autocommit=True) as connection:
        epoch = connection.execute("SELECT es.lead('relay', '0')").fetchone()
        position, before = 0, -1
        while position > before:
            before = position
            row = connection.execute("SELECT es.sequence(%s, 5000)", epoch).fetchone()
            position = row[0] if row else before
        connection.execute("ANALYZE es.log")
