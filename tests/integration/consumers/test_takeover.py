"""A standby takes over from a leader that is stopped, or cannot be reached; the former leader changes nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg import sql

from chassis.runtime.clock import now
from launcher.deployment.certificates import new_authority, new_server
from operations.migrate.migrations import migrate
from tests.support.log import append_raw, fault_of, fresh_log, log_is_complete, scalar
from tests.support.network import SecondHost
from tests.support.timing import waiting
from tests.support.tls_postgres import TLSPostgres

TAKEOVER_SECONDS = 15.0  # promised in docs/scaling.md
SHORT_LEASE = 2.0
APPLICATION = "regcred_relay:relay"
RELAY = """
import sys
from threading import Event
from credentials.relay.sequencer import run
from eventlog.consumers import leader
leader.LEASE_SECONDS = float(sys.argv[2]) if sys.argv[2] else leader.LEASE_SECONDS
run(sys.argv[1], on_positions=lambda *_: None, stop=Event())
"""


class Relays:
    """Real processes that lead or wait to lead, and the log that they write."""

    def __init__(self, url: str, folder: Path, processes: ExitStack) -> None:
        self.url, self._folder, self._processes = url, folder, processes
        self.owner = processes.enter_context(psycopg.connect(url, autocommit=True))
        self._appended = 0

    def start(
        self, *, lease: float | None = None, there: Callable[..., list[str]] | None = None
    ) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-c", RELAY, self.url, str(lease or "")]
        before = len(self.sessions())
        with self._folder.joinpath("log").open("ab") as log:
            process = subprocess.Popen(
                there(*program) if there else program,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=log,
                stderr=log,
            )
        self._processes.callback(process.wait)
        self._processes.callback(process.kill)
        self._processes.callback(process.send_signal, signal.SIGCONT)
        waiting(lambda: len(self.sessions()) > before, "it is connected")
        return process

    def sessions(self) -> dict[int, int | None]:
        """The client's port of each session, by its process id in PostgreSQL."""
        rows = self.owner.execute(
            "SELECT pid, client_port FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            (APPLICATION,),
        ).fetchall()
        return dict(rows)

    def epoch(self) -> int:
        return int(scalar(self.owner, "SELECT coalesce(max(epoch), 0) FROM es.leases WHERE name = 'relay'"))

    def leading_port(self) -> int:
        return int(self.sessions()[scalar(self.owner, "SELECT pid FROM es.leases WHERE name = 'relay'")] or 0)

    def positions(self) -> int:
        return int(scalar(self.owner, "SELECT count(*) FROM es.log"))

    def append(self) -> None:
        append_raw(self.owner, "a", self._appended, f"a{self._appended + 1}")
        self._appended += 1

    def takes_over(self, *, since: float) -> None:
        """The next epoch begins, and an event gets its position, within the time that is promised."""
        epoch = self.epoch()

        def left() -> float:
            return TAKEOVER_SECONDS - (monotonic() - since)

        waiting(lambda: self.epoch() == epoch + 1, "the standby leads", seconds=left())
        self.append()
        waiting(lambda: self.positions() == self._appended, "the event has its position", seconds=left())

    def log(self) -> str:
        return self._folder.joinpath("log").read_text()


@contextmanager
def relays_of(url: str, folder: Path) -> Iterator[Relays]:
    with ExitStack() as processes:
        yield Relays(url, folder, processes)


def leads(relays: Relays, epoch: int) -> None:
    waiting(lambda: relays.epoch() == epoch, f"epoch {epoch} has begun")


def test_a_standby_takes_over_from_a_stopped_process_which_is_then_refused(tmp_path: Path) -> None:
    with fresh_log() as url, relays_of(url, tmp_path) as relays:
        first = relays.start()
        leads(relays, 1)
        relays.append()
        waiting(lambda: relays.positions() == 1)
        second = relays.start()
        first.send_signal(signal.SIGSTOP)
        relays.takes_over(since=monotonic())
        assert relays.epoch() == 2

        first.send_signal(signal.SIGCONT)
        waiting(lambda: "relay_superseded" in relays.log(), "it is refused")
        relays.append()
        waiting(lambda: relays.positions() == 3)
        assert relays.epoch() == 2
        waiting(lambda: len(relays.sessions()) == 2, "it is a standby")
        second.kill()
        leads(relays, 3)
        relays.append()
        waiting(lambda: relays.positions() == 4)
        assert log_is_complete(relays.owner)
        assert fault_of(url) is None


@pytest.fixture(scope="module")
def second_host() -> Iterator[SecondHost]:
    with SecondHost() as host:
        yield host


@pytest.fixture(scope="module")
def migrated(second_host: SecondHost) -> Iterator[str]:
    """The URL of a migrated database that the second host can reach; `%s` is its name."""
    certificate = new_server(new_authority(now()), [second_host.address], now())
    with TLSPostgres(certificate, second_host.address) as postgres:
        url = f"postgresql://postgres@{second_host.address}:{postgres.port}/%s?sslmode=require"
        with psycopg.connect(url % "postgres", autocommit=True) as owner:
            owner.execute("CREATE DATABASE migrated")
        migrate(url % "migrated")
        yield url


@pytest.fixture
def distant(migrated: str, second_host: SecondHost, tmp_path: Path) -> Iterator[Relays]:
    """The first relay runs on the second host, and leads. The second one is on the host of the database."""
    name = f"of_{tmp_path.name}"
    with psycopg.connect(migrated % "postgres", autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE migrated").format(sql.Identifier(name)))
    with relays_of(migrated % name, tmp_path) as relays:
        relays.start(lease=SHORT_LEASE, there=second_host.command)
        leads(relays, 1)
        relays.append()
        waiting(lambda: relays.positions() == 1)
        relays.start(lease=SHORT_LEASE)
        yield relays
        assert log_is_complete(relays.owner)
        second_host.restore()


def test_a_standby_takes_over_when_the_packets_of_the_leader_are_dropped(
    distant: Relays, second_host: SecondHost
) -> None:
    second_host.drop(distant.leading_port())
    distant.takes_over(since=monotonic())
    second_host.restore()
    waiting(lambda: "relay_superseded" in distant.log() or "relay_lost_database" in distant.log())
    waiting(lambda: len(distant.sessions()) == 2, "the former leader is a standby")
    distant.append()
    waiting(lambda: distant.positions() == 3)


def test_a_standby_takes_over_from_a_lost_host_and_both_ends_give_the_connection_up(
    distant: Relays, second_host: SecondHost
) -> None:
    cut, lost = monotonic(), set(distant.sessions())
    second_host.cut()
    distant.takes_over(since=cut)

    def left() -> Sequence[int]:
        return [pid for pid in distant.sessions() if pid in lost]

    waiting(lambda: len(left()) == 1, "PostgreSQL has ended the session", seconds=cut + 20 - monotonic())
    waiting(lambda: "relay_lost_database" in distant.log(), "the client has closed it")
    second_host.restore()
    waiting(lambda: len(distant.sessions()) == 2, "the former leader is a standby")
