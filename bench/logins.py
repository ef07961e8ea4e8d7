"""Logins a second that the schedule makes: 2,000 credentials on 200 registries, 200 ms for each answer.

The schedule is the real one: rows in PostgreSQL, secrets sealed there, outcomes kept, every address checked.
A login is two answers, so the ideal is concurrency / (2 * answer). All is on this machine: the verifier in
this process, PostgreSQL, and the registries in a process of their own (`login_registries`).
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

from bench.figures import Benchmark, Options, Row, Target
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
ANSWER_SECONDS = 0.2
CONCURRENCY = 512
UNPACED = 10_000.0  # logins a second for a host or an account: what is measured is what can be done
LOOK_SECONDS = 0.05
DRAIN_SECONDS = 1.0
DAY_SECONDS = 86_400
IDEAL = CONCURRENCY / (2 * ANSWER_SECONDS)

# All are due. Known: they were good before, so that a good login says nothing new, as nearly always.
_ALL_DUE = """
UPDATE verifier.schedule SET due_at = now(), stage = 0, failures = 0,
    outcome = CASE WHEN %(known)s THEN 'verified' END, recorded_at = CASE WHEN %(known)s THEN now() END
"""
# Settled is due again in the far future; leases and what was deferred are over within minutes.
_LEFT = """
SELECT count(*) FROM verifier.schedule
WHERE due_at < now() + interval '1 hour' AND NOT registry_host = ANY (%s)
"""


@dataclass(slots=True)
class _Verifier:
    """Its parts, as `verifier.bootstrap` puts them together. `day` is that of the schedule's clock:
    hosts that answered on an earlier one are unknown again.
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
        limiter = LoginLimiter(per_host=UNPACED, per_account=UNPACED, monotonic=self._monotonic)
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
                streams=store.load,
                now=now,
                monotonic=time.monotonic,
                new_id=new_id,
            ),
            table=table,
            limiter=limiter,
            streams=store.load,
            interval=timedelta(hours=24),
            now=now,
            new_id=new_id,
        )
        notices = Notices(store, table, store.load, now=now, new_id=new_id)
        return Scheduler(handler, table, limiter, notices, concurrency=CONCURRENCY, now=now)


@contextmanager
def open_logins(options: Options) -> Iterator[list[Benchmark]]:
    """The same credentials each time, with and without dead registries among theirs."""
    credentials, hosts = (QUICK_CREDENTIALS, QUICK_HOSTS) if options.quick else (CREDENTIALS, HOSTS)
    dead = hosts // 10
    with (
        tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder,
        postgres() as server,
        server.fresh() as url,
        serving(hosts, answer=ANSWER_SECONDS) as registries,
    ):
        migrate(url)
        keys = KeyFile.create(Path(folder) / "keys.json")
        streams = _keep(url, keys, registries.hosts, credentials)
        with open_pool(url, role="regcred_verifier", size=12) as pool:
            policy = NetworkPolicy.parse("127.0.0.0/8", ",".join(registries.hosts))
            verifier = _Verifier(pool, EncryptedStore(pool, keys), policy, tls_context(None))
            _enter(pool, streams)
            scheduler = verifier.scheduler()
            parts = _Parts(verifier, scheduler, registries, url)
            run = partial(_run, parts, credentials)
            run("warm-up", dead=0, known=True)  # its threads are started by the first logins
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
    """From the first look at the schedule until every credential of a host that lives is settled."""
    scheduler, registries, url = parts.scheduler, parts.registries, parts.url
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(_ALL_DUE, {"known": known})
    parts.verifier.day += 1
    registries_cpu, cpu = registries.dead(dead), _cpu()
    gone = registries.hosts[:dead]
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as watching:
        looked = began
        while True:
            wait = scheduler.tick()
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                row = watching.execute(_LEFT, (gone,), prepare=True).fetchone()
                if row and row[0] == 0:
                    break
            time.sleep(wait)
    seconds, cpu = looked - began, _cpu() - cpu
    registries_cpu = registries.dead(0) - registries_cpu
    ended = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < ended:  # those of dead hosts, which have hung up now
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


def _keep(url: str, keys: KeyFile, hosts: Sequence[str], number: int) -> list[StreamId]:
    """Credentials, evenly over the hosts and over some accounts."""
    scope = Scope(pull=True, push=False)
    with open_pool(url, role="regcred_credentials", size=2) as pool:
        credentials = Credentials(
            PostgresCredentialStore(pool),
            EncryptedStore(pool, keys),
            fingerprint=lambda _: "ab" * 16,
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
        if entry := ScheduleEntry.of(store.load(stream)):
            table.enter(entry, due_at=now(), now=now())
