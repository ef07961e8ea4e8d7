"""A command reads as few events of a long stream as of a short one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from chassis.database import Pool, open_pool
from chassis.ids import new_id
from contracts.credential_events import Restrictions
from contracts.expiry_events import VerificationRecovered
from contracts.streams import credential_stream, outcome_event_id, verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import VerificationFailed, VerificationSucceeded
from credentials.application.credentials import Credentials
from credentials.domain.commands import ChangeDetails
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import NewEvent
from registries.protocol.login import Verdict
from tests.integration.credentials.test_rotation_grace import NOW, REQUEST, secret
from tests.support.builders import EVERYBODY, GITHUB, details, metadata
from tests.support.log import stream_events
from tests.support.memory_secretstore import MemorySecretStore
from verifier.outcomes import events_of
from verifier.policy import Verification
from verifier.postgres_store import PostgresVerificationStore
from verifier.verifier import ACTOR

ROUNDS = 40


@dataclass
class World:
    """A credential, and the number of rows of es.events that the database reads for an action."""

    pools: Sequence[Pool]
    database_url: str
    store: PostgresCredentialStore
    verifications: PostgresVerificationStore
    credentials: Credentials = field(init=False)
    credential_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        secrets = MemorySecretStore()
        self.credentials = Credentials(
            self.store, secrets, secret_fingerprint=lambda _: "ab" * 16, new_id=new_id
        )
        self.credential_id = self.credentials.add(
            REQUEST, secret("old"), details("long"), EVERYBODY
        ).credential_id

    def rows_read(self, action: Callable[[], object]) -> int:
        self._flush()
        with psycopg.connect(self.database_url, autocommit=True) as superuser:
            superuser.execute(
                "ANALYZE es.events"
            )  # as autovacuum does, so that plans fit the size of the table
            before = _rows(superuser)
            action()
            self._flush()
            return _rows(superuser) - before

    def _flush(self) -> None:
        """Make the statistics of every connection visible to others."""
        for pool in self.pools:  # of one connection
            with pool.connection() as connection:
                connection.execute("SELECT pg_stat_force_next_flush()")

    def change(self, text: str) -> None:
        self.credentials.change(REQUEST, self.credential_id, None, lambda _: ChangeDetails(description=text))

    def restrict(self, project: str) -> None:
        restrictions = Restrictions(restricted=True, projects=(project,))
        self.credentials.restrict(REQUEST, self.credential_id, None, restrictions)

    def rotate(self) -> None:
        self.credentials.rotations.rotate(REQUEST, self.credential_id, None, lambda _: secret("new"))

    def request_verification(self) -> UUID:
        return UUID(self.credentials.request_verification(REQUEST, self.credential_id).body["id"])

    def record(self, *outcomes: VerificationSucceeded | VerificationFailed) -> None:
        stream = verification_stream(self.credential_id)
        newest = self.verifications.newest(stream)
        events = [
            NewEvent(
                event_id=outcome_event_id(outcome.verification_id),
                payload=outcome,
                metadata=metadata(account_id="acme", actor=ACTOR, occurred_at=NOW),
            )
            for outcome in outcomes
        ]
        self.verifications.append(stream, newest[-1].version if newest else 0, events)

    def succeeded(self, secret_version: int, verification_id: UUID | None = None) -> VerificationSucceeded:
        return VerificationSucceeded(
            verification_id=verification_id or new_id(),
            credential_id=self.credential_id,
            registry_host=GITHUB.host,
            provider=GITHUB.provider,
            secret_version=secret_version,
            trigger="requested",
            detail="accepted",
            confidence="strong",
            checked_at=NOW,
            duration_ms=1,
        )

    def failed(self, secret_version: int, checked_at: datetime = NOW) -> VerificationFailed:
        return VerificationFailed(
            verification_id=new_id(),
            credential_id=self.credential_id,
            registry_host=GITHUB.host,
            provider=GITHUB.provider,
            secret_version=secret_version,
            trigger="scheduled",
            code=VerificationCode.UNREACHABLE,
            detail="no response",
            retry_after=None,
            checked_at=checked_at,
            duration_ms=1,
        )


def _rows(superuser: psycopg.Connection[tuple[int]]) -> int:
    row = superuser.execute(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE schemaname = 'es' AND relname = 'events'"
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with (
        open_pool(database_url, role="regcred_credentials", size=1) as pool,
        open_pool(database_url, role="regcred_verifier", size=1) as verifier_pool,
    ):
        yield World(
            (pool, verifier_pool),
            database_url,
            PostgresCredentialStore(pool),
            PostgresVerificationStore(verifier_pool),
        )
    with psycopg.connect(database_url) as superuser:
        superuser.execute("DELETE FROM credentials.current")  # the name is free again


def test_a_command_reads_few_events_of_a_long_stream(world: World) -> None:
    def round_of(number: int) -> dict[str, Callable[[], object]]:
        return {
            "change": lambda: world.change(f"change {number}"),
            "restrict": lambda: world.restrict(f"project-{number}"),
            "verify": world.request_verification,
            "rotate": world.rotate,
            "result": lambda: world.credentials.outcome_of(UUID(int=number)),
            "impact": lambda: world.credentials.removal(REQUEST, world.credential_id, None),
        }

    for action in round_of(0).values():
        action()
    for number in range(1, ROUNDS):
        for action in round_of(number).values():
            action()
        world.record(world.succeeded(1), world.failed(number))
    [*_, last] = loaded = world.store.load(world.credential_id)
    assert last.version > 3 * ROUNDS
    assert len(loaded) == 5
    read = {name: world.rows_read(action) for name, action in round_of(ROUNDS).items()}
    outcomes = 65  # those among which that of the current secret is searched
    assert all(rows <= 15 + outcomes for rows in read.values()), read
    assert read["verify"] <= 15, read


def test_a_verifier_reads_the_newest_events_and_the_first_failure(world: World) -> None:
    stream = verification_stream(world.credential_id)
    later = [NOW + timedelta(minutes=n) for n in range(ROUNDS)]
    for _ in range(2):
        world.record(*(world.failed(1, NOW - timedelta(days=1)) for _ in range(ROUNDS)), world.succeeded(1))
        world.record(*(world.failed(1, at) for at in later))
        read = world.rows_read(lambda: world.verifications.newest(stream))
        history = world.verifications.newest(stream)
        assert len(history) <= 5
        assert read <= 20
        assert history[-1].version == len(stream_events(world.pools[1], stream))
        recovered = events_of(
            Verification(
                id=new_id(),
                account_id="acme",
                credential_id=world.credential_id,
                registry=GITHUB,
                username="octo",
                secret_version=1,
                trigger="scheduled",
            ),
            Verdict(code=None, detail="accepted"),
            history,
            registry_host=GITHUB.host,
            checked_at=NOW,
            duration_ms=1,
            expires_at=None,
        )[1]
        assert isinstance(recovered, VerificationRecovered)
        assert recovered.failing_since == NOW


def test_a_late_outcome_of_an_old_secret_does_not_hide_that_of_the_current_one(world: World) -> None:
    world.rotate()
    verification_id = world.request_verification()
    assert world.credentials.outcome_of(verification_id) is None
    current = world.succeeded(2, verification_id)
    world.record(world.failed(1), current, *(world.succeeded(1) for _ in range(8)), world.failed(1))
    recorded = world.store.last_outcome(world.credential_id, 2)
    assert recorded is not None
    assert (recorded.outcome, recorded.version) == (current, 2)
    assert world.credentials.outcome_of(verification_id) == recorded
    assert world.store.last_outcome(world.credential_id, 3) is None


def test_the_newest_events_determine_the_same_credential_as_all_events(world: World) -> None:
    for number in range(4):
        world.change(f"change {number}")
        world.rotate()
        world.restrict(f"project-{number}")
        world.request_verification()
    stream = credential_stream(world.credential_id)
    everything, newest = stream_events(world.pools[1], stream), world.store.load(world.credential_id)
    assert [event.type for event in newest] == [
        "credential.added",
        "credential.details_changed",
        "credential.secret_rotated",
        "credential.restrictions_changed",
        "verification.requested",
    ]
    assert newest == [everything[0], *everything[-4:]]
