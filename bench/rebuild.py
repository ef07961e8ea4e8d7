"""How fast a generation of the read models is rebuilt.

    python bench/rebuild.py [events [processes]]     # 200,000 by default, and as many as there are processors

Fills a database of its own with realistic events (COPY and the sequencer), rebuilds, and prints events per
second, the ratio to what only reading the same rows takes (`COPY (SELECT …) TO STDOUT`), and what it took of
processors and memory. The server is the wheel's, or REGCRED_TEST_DATABASE_URL (a superuser's; its database is
dropped).
"""

import os
import random  # noqa: TID251 the same events each time
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from bench.personal import fresh_key_file
from projector.rebuilding import Progress, rebuild
from regcred.embedded_postgres import EmbeddedPostgres
from regcred.migrations import migrate
from shared.contracts.credential_events import (
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
from shared.contracts.verdicts import VerificationCode
from shared.contracts.verification_events import Trigger, VerificationFailed, VerificationSucceeded
from shared.events.codec import encode, encode_metadata
from shared.events.envelope import Actor, Metadata, StreamId
from shared.events.personal import part
from shared.eventstore.personal_keys import PersonalKeys
from shared.personal.opening import open_key_file

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNTS = 50
SAME_ROWS = """
COPY (SELECT l.position, e.event_id, s.category, e.stream_id, e.version, e.type, e.schema_version, e.data,
             e.meta, e.recorded_at
      FROM es.log l JOIN es.events e ON e.stream_id = l.stream_id AND e.version = l.version
      JOIN es.streams s ON s.stream_id = l.stream_id ORDER BY l.position) TO STDOUT
"""


def events(number: int) -> Iterator[tuple[StreamId, object, Metadata]]:
    """The lives of many credentials at once: added, verified, checked again every day, edited, removed."""
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
        stream = StreamId.verification(credential_id) if is_outcome else StreamId.credential(credential_id)
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
            detail="the registry took the login",
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
    """As many events, which have no positions yet, sealed as the services do."""
    versions: dict[StreamId, tuple[str, int]] = {}
    with (
        ConnectionPool(url, kwargs={"autocommit": True}, min_size=1, max_size=1, open=True) as pool,
        psycopg.connect(url) as connection,
    ):
        connection.execute(
            "SET session_replication_role = replica"
        )  # foreign keys are looked up for each row
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
                if parted := part(type(payload), data, meta):
                    data, meta = parted.sealed(UUID(int=count), personal.current(pool, metadata.account_id))
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


def number_all(url: str) -> None:
    """Give all of them positions, as the relay does."""
    with psycopg.connect(url, autocommit=True) as connection:
        epoch = connection.execute("SELECT es.lead()").fetchone()
        position, before = 0, -1
        while position > before:
            before = position
            row = connection.execute("SELECT es.sequence(%s, 5000)", epoch).fetchone()
            position = row[0] if row else before
        connection.execute("ANALYZE es.log")


def reading(url: str) -> float:
    """Seconds that PostgreSQL takes to hand out the same rows."""
    began = time.monotonic()
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(SAME_ROWS) as copy:
        for _ in copy:
            pass
    return time.monotonic() - began


def used() -> tuple[float, float]:
    """Seconds of processor, and the most memory in MiB: of this process, and of those that have ended."""
    mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
    return seconds, max(mine.ru_maxrss, theirs.ru_maxrss) / 1024


@contextmanager
def database() -> Iterator[str]:
    given = os.environ.get("REGCRED_TEST_DATABASE_URL")
    folder = tempfile.mkdtemp(prefix="regcred-bench-")
    server = None if given else EmbeddedPostgres(Path(folder) / "data")
    admin = given or (server.url if server else "")
    name = f"bench_{os.getpid()}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(admin, dbname=name)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main(number: int, processes: int | None) -> None:
    with database() as url, fresh_key_file() as key_file:
        migrate(url)
        began = time.monotonic()
        fill(url, number, open_key_file(key_file))
        number_all(url)
        print(f"filled       {number:>9,} events in {time.monotonic() - began:.1f} s")

        began, (before, _) = time.monotonic(), used()
        generation = rebuild(
            url,
            resume=False,
            switch=False,
            report=nobody,
            personal=partial(open_key_file, key_file),
            processes=processes,
        )
        seconds, (after, memory) = time.monotonic() - began, used()
        limit = min(reading(url) for _ in range(3))
        print(f"rebuilt      {number / seconds:>9,.0f} events/s in {seconds:.1f} s")
        print(f"in Python    {after - before:>9.1f} s of processors")
        print(
            f"only reading {number / limit:>9,.0f} events/s; rebuilding takes {seconds / limit:.1f} as long"
        )
        print(f"memory       {memory:>9.1f} MiB, the largest of all processes")
        print(f"load         {os.getloadavg()[0]:>9.1f} (a run beside others tells little)")
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT position FROM rm.generations WHERE generation = %s", (generation,)
            ).fetchone()
            assert row == (number,), row


def nobody(_progress: Progress) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 200_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
