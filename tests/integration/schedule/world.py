"""Credentials on a real database, registries with given verdicts, and a clock that tests move."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import psycopg

from chassis.database import Pool
from chassis.ids import new_id
from chassis.secret import Secret
from contracts.credential_events import Hosts, Registry
from contracts.streams import credential_stream, verification_stream
from contracts.verdicts import VerificationCode
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.domain.commands import ChangeDetails
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import Actor, RecordedEvent
from registries.input.new_secret import NewSecret
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin
from registries.protocol.login import Probe, Verdict
from tests.support.builders import EVERYBODY, details
from tests.support.log import stream_events
from tests.support.memory_secretstore import MemorySecretStore
from verifier.postgres_store import PostgresVerificationStore
from verifier.schedule.hold_table import HoldTable
from verifier.schedule.login_limiter import Bulkhead, LoginLimiter
from verifier.schedule.notices import Notices
from verifier.schedule.rows import HeldLogin
from verifier.schedule.scheduler import Scheduler
from verifier.schedule.table import ScheduleTable
from verifier.schedule.verification_handler import VerificationHandler
from verifier.verifier import Verifier

GOOD = Verdict(code=None, detail="good")
INTERVAL = timedelta(hours=24)
_accounts, _names = count(1), count(1)


def bad(code: VerificationCode, retry_after: int | None = None) -> Verdict:
    return Verdict(code=code, detail="not good", retry_after=retry_after)


class World:
    def __init__(
        self,
        credentials_pool: Pool,
        verifier_pool: Pool,
        *,
        per_host: float = 1000,
        per_account: float = 1000,
        concurrency: int = 8,
    ) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.account = f"acme-{next(_accounts)}"
        self.verdict: Callable[[str], Verdict] = lambda _host: GOOD
        self.logins: list[tuple[str, datetime]] = []
        self.pool = verifier_pool
        self.secrets = MemorySecretStore()
        self.store = PostgresVerificationStore(verifier_pool)
        self.table = ScheduleTable(verifier_pool)
        self.holds = HoldTable(verifier_pool)
        self.limiter = LoginLimiter(per_host=per_host, per_account=per_account, monotonic=self.seconds)
        self.bulkhead = Bulkhead(16)
        verifier = Verifier(
            self.store,
            self.secrets,
            self._log_in,
            streams=self.store.credential,
            now=self.now,
            monotonic=self.seconds,
            new_id=new_id,
        )
        self.handler = VerificationHandler(
            verifier=verifier,
            table=self.table,
            holds=self.holds,
            limiter=self.limiter,
            streams=self.store.credential,
            event=self.store.event,
            interval=INTERVAL,
            now=self.now,
            new_id=new_id,
        )
        self.notices = Notices(self.store, self.table, self.store.credential, now=self.now, new_id=new_id)
        self.scheduler = Scheduler(
            self.handler,
            self.table,
            self.holds,
            self.limiter,
            self.notices,
            concurrency=concurrency,
            now=self.now,
        )
        self.credentials = Credentials(
            PostgresCredentialStore(credentials_pool),
            self.secrets,
            secret_fingerprint=lambda _: "ab" * 16,
            new_id=new_id,
        )
        self._handled: dict[UUID, int] = {}

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def pass_time(self, by: timedelta) -> None:
        self.at += by

    def add(
        self,
        host: str = "reg.example",
        *,
        user: str = "octo",
        password: str = "pw",
        expires_at: datetime | None = None,
        account: str | None = None,
        also: tuple[str, ...] = (),
    ) -> UUID:
        added = self.credentials.add(
            self.request(account),
            new_secret(host, user, password),
            details(f"team-{next(_names)}", expires_at=expires_at),
            EVERYBODY,
            Hosts(additional_hosts=also, mirror_of=()),
        )
        return added.credential_id

    def rotate(self, credential_id: UUID, password: str = "other", host: str = "reg.example") -> None:
        self.credentials.rotations.rotate(
            self.request(), credential_id, None, lambda _: new_secret(host, "octo", password)
        )

    def set_hosts(self, credential_id: UUID, *hosts: str) -> None:
        command = ChangeDetails(additional_hosts=hosts)
        self.credentials.change(self.request(), credential_id, None, lambda _: command)

    def request(self, account: str | None = None) -> CommandRequest:
        return CommandRequest(
            account_id=account or self.account,
            actor=Actor(type="user", id="u", name="Ada"),
            now=self.at,
            request_id="r",
            key=None,
        )

    def hold(
        self, outcome: str, *, user: str = "octo", account: str | None = None, retry_after: int | None = None
    ) -> None:
        """The outcome of a login of the account, as one of these users."""
        login = HeldLogin.of("reg.example", user, account or self.account)
        self.holds.hold(login, outcome=outcome, retry_after=retry_after, now=self.at)

    def hear(self, *credential_ids: UUID) -> list[str]:
        """Handle the new events of these credentials, as the consumer does."""
        outcomes: list[str] = []
        for credential_id in credential_ids:
            events = stream_events(self.pool, credential_stream(credential_id))
            unheard = events[self._handled.get(credential_id, 0) :]
            outcomes += [self.handler.handle(event, self.bulkhead) for event in unheard]
            self._handled[credential_id] = len(events)
        return outcomes

    def tick(self) -> None:
        """Run the scheduler until no login is in flight."""
        self.scheduler.tick()
        while self.scheduler._running:
            time.sleep(0.001)
        self.scheduler._settle_results()

    def recorded(self, credential_id: UUID) -> list[RecordedEvent]:
        return stream_events(self.pool, verification_stream(credential_id))

    def types(self, credential_id: UUID) -> list[str]:
        return [event.type.removeprefix("verification.") for event in self.recorded(credential_id)]

    def due_in(self, credential_id: UUID) -> timedelta | None:
        row = self.row(credential_id, "due_at")
        return None if row is None else row - self.at

    def row(self, credential_id: UUID, column: str) -> datetime | None:
        with self.pool.connection() as connection:
            found = connection.execute(
                psycopg.sql.SQL("SELECT {} FROM verifier.schedule WHERE credential_id = %s").format(
                    psycopg.sql.Identifier(column)
                ),
                (credential_id,),
            ).fetchone()
        assert found is not None
        value: datetime | None = found[0]
        return value

    def _log_in(
        self,
        *,
        registry_host: str,
        api_host: str,
        login: StoredLogin,
        provider: str,
        probe: Probe | None = None,
    ) -> Verdict:
        self.logins.append((registry_host, self.at))
        return self.verdict(registry_host)


def new_secret(host: str, user: str, password: str) -> NewSecret:
    return NewSecret(
        registry=Registry(provider="custom", host=host, location=None),
        kind="username_password",
        login=RegistryLogin(username=user, password=Secret(password)),
    )
