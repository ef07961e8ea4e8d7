from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from psycopg import errors as pg

from chassis.database import open_pool
from contracts.streams import verification_stream
from contracts.verdicts import VerificationCode
from credentials.application.store import DecidedOnOldVersion
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import NewEvent
from tests.support.credentials_suite import a_credential, removal
from tests.support.eventstore_suite import an_id
from tests.support.issuance_suite import IssuingSuite, Verify, a_refusal, outcome
from tests.support.timing import PATIENCE
from verifier.postgres_store import PostgresVerificationStore


@pytest.fixture(scope="module")
def store(database_url: str) -> Iterator[PostgresCredentialStore]:
    with open_pool(database_url, role="regcred_credentials", size=8) as pool:
        yield PostgresCredentialStore(pool)


@pytest.fixture(scope="module")
def verifications(database_url: str) -> Iterator[PostgresVerificationStore]:
    with open_pool(database_url, role="regcred_verifier", size=2) as pool:
        yield PostgresVerificationStore(pool)


@pytest.fixture
def verify(verifications: PostgresVerificationStore) -> Verify:
    def append(credential_id: UUID, expected: int, event: NewEvent) -> None:
        verifications.append(verification_stream(credential_id), expected, [event])

    return append


class TestPostgresIssuing(IssuingSuite):
    def test_an_outcome_is_accepted_only_for_a_credential_of_the_account(
        self, store: PostgresCredentialStore, verify: Verify, database_url: str
    ) -> None:
        foreign = self.add(store, "foreign", account="somebody")
        for credential_id in (foreign, an_id("none")):
            refused = outcome(credential_id, f"{credential_id}-1", VerificationCode.BAD_CREDENTIAL)
            with pytest.raises(pg.InsufficientPrivilege):
                verify(credential_id, 0, refused)
        with psycopg.connect(database_url) as superuser:
            rows = superuser.execute(
                "SELECT verified_version, verification_code FROM credentials.current WHERE credential_id = %s",
                (foreign,),
            ).fetchall()
        assert rows == [(0, None)]

    def test_an_issuance_waits_for_a_change_and_not_for_another_issuance(
        self, store: PostgresCredentialStore, database_url: str
    ) -> None:
        """The holder of the lock of a credential finishes first, and others see its effect."""
        credential_id = self.add(store, "waits", account="waits")
        other = self.add(store, "waits-not", account="waits")

        def issue(text: str, on: UUID) -> int:
            event = a_refusal(an_id(f"{text}-stream"), text, account="waits")
            return store.issue(an_id(f"{text}-stream"), [event], decided_on={on: 1}, request=None).version

        with ThreadPoolExecutor(2) as threads, psycopg.connect(database_url) as holder:
            lock = "SELECT pg_advisory_xact_lock{}(hashtextextended('stream:' || %s, 0))"
            holder.execute(lock.format("_shared"), (credential_id,))
            assert threads.submit(issue, "waits-shared", credential_id).result(timeout=PATIENCE) == 1
            holder.rollback()

            holder.execute(lock.format(""), (credential_id,))
            assert threads.submit(issue, "waits-other", other).result(timeout=PATIENCE) == 1
            waiting = threads.submit(issue, "waits-late", credential_id)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            holder.execute(
                "UPDATE credentials.current SET version = 2 WHERE credential_id = %s", (credential_id,)
            )
            holder.commit()
            with pytest.raises(DecidedOnOldVersion):
                waiting.result(timeout=PATIENCE)

    def test_concurrent_issuances_of_many_credentials_do_not_deadlock(
        self, store: PostgresCredentialStore
    ) -> None:
        """Credentials change at the same time. Each issuance is either recorded or decided again."""
        ids = [self.add(store, f"crowd-{number}", account="crowd") for number in range(4)]

        def issue(number: int) -> bool:
            versions = {c.credential_id: c.version for c in store.candidates("crowd", ["ghcr.io"])}
            wanted = sorted(ids, key=lambda credential_id: (credential_id.int * (number + 1)) % 97)
            event = a_refusal(an_id(f"crowd-stream-{number}"), f"crowd-issue-{number}", account="crowd")
            decided_on = {credential_id: versions[credential_id] for credential_id in wanted}
            try:
                store.issue(an_id(f"crowd-stream-{number}"), [event], decided_on=decided_on, request=None)
            except DecidedOnOldVersion:
                return False
            return True

        def change(number: int) -> bool:
            event = removal(ids[number % 4], f"crowd-change-{number}", account="crowd")
            row = a_credential(f"crowd-{number % 4}")
            return (
                store.append(ids[number % 4], 1 + number // 4, [event], current=row, request=None).version > 0
            )

        with ThreadPoolExecutor(8) as threads:
            issued = [threads.submit(issue, number) for number in range(40)]
            assert all(change(number) for number in range(12))
            assert sum(future.result(timeout=PATIENCE) for future in issued) > 0


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("regcred_credentials", "UPDATE credentials.current SET verification_code = NULL"),
        ("regcred_verifier", "UPDATE credentials.current SET verification_code = NULL"),
        ("regcred_verifier", "SELECT credentials.issue(NULL, NULL, NULL)"),
        ("regcred_projector", "SELECT * FROM credentials.current"),
    ],
)
def test_roles_have_only_the_rights_that_they_need(database_url: str, role: str, statement: str) -> None:
    with (
        psycopg.connect(database_url, options=f"-c role={role}") as connection,
        pytest.raises(pg.InsufficientPrivilege),
    ):
        connection.execute(statement)
