"""Scheduled logins per second: 2,000 credentials on 200 registries, 200 ms for each response.

The schedule is the real one, with rows and encrypted secrets in PostgreSQL, stored outcomes and checked
addresses. A login needs two responses, so the ideal rate is concurrency / (2 * response time). Everything
runs on this machine: the verifier in this process, PostgreSQL, and the registries in another process
(`login_registries`).
"""

import resource
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg

from bench.benchmark import Benchmark, Options, Row, Target
from bench.login_registries import PASSWORD, USER, Registries, serving
from bench.servers import postgres
from chassis.database import Pool, open_pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from chassis.secret import Secret
from contracts.credential_events import Details, Registry, Restrictions, Scope
from contracts.streams import credential_stream
from credentials.application.command_handler import CommandRequest
from credentials.application.credentials import Credentials
from credentials.postgres_store import PostgresCredentialStore
from eventlog.events import Actor, StreamId
from operations.migrate.migrations import migrate
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.tls import tls_context
from registries.input.new_secret import NewSecret
from registries.logins.registry_login import RegistryLogin
from registries.token_minter.minter import Endpoints, Minter
from registries.token_minter.token_calls import TokenCalls
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from verifier.logins import LOGIN_SECONDS, Logins
from verifier.postgres_store import PostgresVerificationStore
from verifier.schedule.hold_table import HoldTable
from verifier.schedule.login_limiter import LoginLimiter
from verifier.schedule.notices import Notices
from verifier.schedule.rows import ScheduleEntry
from verifier.schedule.scheduler import Scheduler
from verifier.schedule.table import ScheduleTable
from verifier.schedule.verification_handler import VerificationHandler
from verifier.verifier import Verifier

CREDENTIALS, QUICK_CREDENTIALS = 2_000, 200
HOSTS, QUICK_HOSTS = 200, 20
ACCOUNTS = 97
RESPONSE_SECONDS = 0.2
CONCURRENCY = 512
UNLIMITED = 10_000.0  # logins per second for a host or an account, because the limits are not measured
POLL_SECONDS = 0.05
DRAIN_SECONDS = 1.0
DAY_SECONDS = 86_400
IDEAL = CONCURRENCY / (2 * RESPONSE_SECONDS)

# All credentials are due. `known`: they were verified before, so that a valid login changes nothing, as is
# usual.
_ALL_DUE = """
UPDATE verifier.schedule SET due_at = now(), stage = 0, failures = 0,
    outcome = CASE WHEN %(known)s THEN 'verified' END, recorded_at = CASE WHEN %(known)s THEN now() END
"""
# A completed login is due again in the far future. Leases and deferred logins end within minutes.
_LEFT = """
SELECT count(*) FROM verifier.schedule
WHERE due_at < now() + interval '1 hour' AND NOT registry_host = ANY (%s)
"""


@dataclass(slots=True)
class _Verifier:
    """The parts of the verifier, composed as in `verifier.bootstrap`.

    `day` is the day of the clock of the schedule. On a new day, hosts that responded earlier are unknown
    again.
    """

    pool: Pool
    secrets: EncryptedStore
    policy: NetworkPolicy
    tls: ssl.SSLContext
    day: int = 0

    def _monotonic(self) -> float:
        return time.monotonic() + DAY_SECONDS * self.day

    def scheduler(self) -> Scheduler:
        store, table = PostgresVerificationStore(self.pool), ScheduleTable(self.pool)
        holds = HoldTable(self.pool)
        limiter = LoginLimiter(per_host=UNLIMITED, per_account=UNLIMITED, monotonic=self._monotonic)
        logins = Logins(
            minter=Minter(TokenCalls(self.policy, self.tls), Endpoints(), now=now),
            policy=self.policy,
            deadline_seconds=LOGIN_SECONDS,
            tls=self.tls,
            use_short_timeout=lambda host: limiter.open_for(host) > 0,
        )
        handler = VerificationHandler(
            verifier=Verifier(
                store,
                self.secrets,
                logins,
                streams=store.credential,
                now=now,
                monotonic=time.monotonic,
                new_id=new_id,
            ),
            table=table,
            holds=holds,
            limiter=limiter,
            streams=store.credential,
            event=store.event,
            interval=timedelta(hours=24),
            now=now,
            new_id=new_id,
        )
        notices = Notices(store, table, store.credential, now=now, new_id=new_id)
        return Scheduler(handler, table, holds, limiter, notices, concurrency=CONCURRENCY, now=now)


@contextmanager
def open_logins(options: Options) -> Iterator[list[Benchmark]]:
    """Logins with the same credentials, with and without dead registries."""
    credentials, hosts = (QUICK_CREDENTIALS, QUICK_HOSTS) if options.quick else (CREDENTIALS, HOSTS)
    dead = hosts // 10
    with (
        tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder,
        postgres() as server,
        server.fresh() as url,
        serving(hosts, delay=RESPONSE_SECONDS) as registries,
    ):
        migrate(url)
        keys = KeyFile.create(Path(folder) / "keys.json")
        streams = _add_credentials(url, keys, registries.hosts, credentials)
        with open_pool(url, role="regcred_verifier", size=12) as pool:
            policy = NetworkPolicy.parse("127.0.0.0/8", ",".join(registries.hosts))
            verifier = _Verifier(pool, EncryptedStore(pool, keys), policy, tls_context(None))
            _enter(pool, streams)
            scheduler = verifier.scheduler()
            parts = _Parts(verifier, scheduler, registries, url)
            run = partial(_run, parts, credentials)
            run("warm-up", dead=0, known=True)  # the first logins start the threads
            yield [
                Benchmark(
                    runs=[
                        partial(run, "dead", dead=dead, known=True),
                        partial(run, "live", dead=0, known=True),
                        partial(run, "new", dead=dead, known=False),
                    ],
                    rows=_rows(f"{credentials:,} logins, {hosts} hosts", dead),
                )
            ]
            scheduler.close()


def _rows(name: str, dead: int) -> list[Row]:
    kinds = {
        "dead": f"{name}, {dead} of them dead",
        "live": f"{name}, none dead",
        "new": f"{name}, {dead} dead, each outcome recorded",
    }
    rates = [
        Row(
            name=text,
            unit="per s",
            ours=kind,
            limit="ideal",
            targets=(Target("ours", least=500),) if kind == "dead" else (),
        )
        for kind, text in kinds.items()
    ]
    costs = [
        Row(name=f"processor time of a login, {of}", unit="ms", ours=f"{kind} {of}")
        for kind in ("dead",)
        for of in ("verifier", "registry")
    ]
    return rates + costs


@dataclass(frozen=True, slots=True)
class _Parts:
    verifier: _Verifier
    scheduler: Scheduler
    registries: Registries
    url: str


def _run(parts: _Parts, credentials: int, name: str, *, dead: int, known: bool) -> Mapping[str, float]:
    """Measure from the first query of the schedule until the logins of all live hosts are complete."""
    scheduler, registries, url = parts.scheduler, parts.registries, parts.url
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(_ALL_DUE, {"known": known})
    parts.verifier.day += 1
    registries_cpu, cpu = registries.dead(dead), _cpu()
    dead_hosts = registries.hosts[:dead]
    started = time.monotonic()
    with psycopg.connect(url, autocommit=True) as watching:
        polled = started
        while True:
            wait = scheduler.tick()
            if time.monotonic() - polled >= POLL_SECONDS:
                polled = time.monotonic()
                row = watching.execute(_LEFT, (dead_hosts,), prepare=True).fetchone()
                if row and row[0] == 0:
                    break
            time.sleep(wait)
    seconds, cpu = polled - started, _cpu() - cpu
    registries_cpu = registries.dead(0) - registries_cpu
    ended = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < ended:  # the logins at dead hosts, which have closed their connections now
        time.sleep(scheduler.tick())
    logins = credentials * (len(registries.hosts) - dead) / len(registries.hosts)
    return {
        name: logins / seconds,
        "ideal": IDEAL,
        f"{name} verifier": 1000 * cpu / logins,
        f"{name} registry": 1000 * registries_cpu / logins,
    }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _add_credentials(url: str, keys: KeyFile, hosts: Sequence[str], number: int) -> list[StreamId]:
    """Add credentials, evenly distributed over the hosts and over some accounts."""
    scope = Scope(pull=True, push=False)
    with open_pool(url, role="regcred_credentials", size=2) as pool:
        credentials = Credentials(
            PostgresCredentialStore(pool),
            EncryptedStore(pool, keys),
            secret_fingerprint=lambda _: "ab" * 16,
            new_id=new_id,
        )
        return [
            credential_stream(
                credentials.add(
                    CommandRequest(
                        account_id=f"bench-{place % ACCOUNTS}",
                        actor=Actor(type="user", id="u", name="Ada"),
                        now=now(),
                        request_id="r",
                        key=None,
                    ),
                    NewSecret(
                        registry=Registry(provider="custom", host=hosts[place % len(hosts)], location=None),
                        kind="username_password",
                        login=RegistryLogin(username=USER, password=Secret(PASSWORD)),
                    ),
                    Details(
                        name=f"bench-{place}",
                        description="",
                        scope=scope,
                        repository_prefixes=(),
                        expires_at=None,
                    ),
                    Restrictions(restricted=False, projects=()),
                ).credential_id
            )
            for place in range(number)
        ]


def _enter(pool: Pool, streams: Sequence[StreamId]) -> None:
    table, store = ScheduleTable(pool), PostgresVerificationStore(pool)
    for stream in streams:
        if entry := ScheduleEntry.of(store.credential(stream)):
            table.upsert(entry, due_at=now(), now=now())
