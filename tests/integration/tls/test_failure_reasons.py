"""Why a database or a broker cannot be used, in log lines and messages: each cause has a reason, and none a secret."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from chassis.runtime.clock import now
from credentials.relay import sequencer
from eventlog.broker import BrokerUnavailable, Publisher
from eventlog.consumers import Notifications, follow
from launcher.deployment.certificates import new_authority, new_server
from projector.write.consumer import ReadModelConsumer
from tests.support.operator_commands import run_command
from tests.support.rabbitmq import RabbitMQ
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting
from tests.support.tls_postgres import TLSPostgres

AUTHORITY = new_authority(now())
Url = Callable[[TLSPostgres, Path, Path], str]


@pytest.fixture(scope="module")
def server() -> Iterator[TLSPostgres]:
    with TLSPostgres(new_server(AUTHORITY, ["postgres"], now()), method="scram-sha-256") as made:
        yield made


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The authority of the server, and another one."""
    folder = tmp_path_factory.mktemp("authorities")
    for name, pair in (("own", AUTHORITY), ("other", new_authority(now()))):
        (folder / name).write_text(pair.certificate)
    return folder / "own", folder / "other"


def address(server: TLSPostgres, authority: Path) -> str:
    return server.url(host="postgres", authority=authority).replace("postgres@", "postgres:canary-1f0c@")


CAUSES: dict[str, tuple[Url, str]] = {
    "password": (lambda server, own, _: address(server, own), "refused the password"),
    "authority": (lambda server, _, other: address(server, other), "certificate"),
    "name": (lambda server, own, _: address(server, own).replace("@postgres", "@another"), "certificate"),
    "no TLS": (
        lambda server, own, _: address(server, own).replace("verify-full", "disable"),
        "does not accept this login",
    ),
    "port": (lambda *_: f"postgresql://u:canary-1f0c@127.0.0.1:{free_port()}/d", "no server listens"),
    # The parser takes a part of a password with a special character for a part of the address.
    "DNS": (lambda *_: "postgresql://u:pass@canary-1f0c@nowhere.invalid/d", "cannot be resolved"),
    "malformed": (lambda *_: "postgresql://u:pass@127.0.0.1:canary-1f0c/d", "invalid"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_migrate_ends_with_the_reason(
    cause: str, server: TLSPostgres, authorities: tuple[Path, Path], tmp_path: Path
) -> None:
    url, reason = CAUSES[cause][0](server, *authorities), CAUSES[cause][1]
    result = run_command("migrate", {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url})
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the database is unavailable: ")
    assert reason in result.stderr


@pytest.mark.parametrize("command", [["migrate"], ["up"], ["log", "verify"]])
def test_no_command_hangs_if_a_database_accepts_connections_and_is_silent(
    command: list[str], tmp_path: Path
) -> None:
    """A stopped server. The driver alone would wait for two minutes, for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u:canary-1f0c@127.0.0.1:{silent.getsockname()[1]}/d"
        variables = {"REGCRED_HOME": str(tmp_path), "REGCRED_DATABASE_URL": url}
        ended = subprocess.run(
            [sys.executable, "-m", "regcred", *command],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode != 0
    assert ended.stderr == "Error: the database is unavailable: the server did not respond in time\n"


def test_every_loop_logs_the_reason_once(server: TLSPostgres, authorities: tuple[Path, Path]) -> None:
    url, stop = address(server, authorities[0]), Event()
    consumer = ReadModelConsumer()

    def projector() -> None:
        wakeups = Notifications(url, role="regcred_projector")
        follow(
            consumer, database_url=url, role="regcred_projector", name="projector", wakeups=wakeups, stop=stop
        )

    def relay() -> None:
        sequencer.run(url, on_positions=lambda _epoch, _position: None, stop=stop)

    attempts = 0
    with capture_logs() as lines, pytest.MonkeyPatch.context() as counting:
        waits = stop.wait

        def wait(timeout: float | None = None) -> bool:
            nonlocal attempts
            attempts += 1
            return waits(0.01)

        counting.setattr(stop, "wait", wait)
        threads = [Thread(target=projector), Thread(target=relay)]
        for thread in threads:
            thread.start()
        waiting(lambda: attempts > 20, "the loops have tried again and again")
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    seen = {(line["event"], line["reason"]) for line in lines}
    assert {event for event, _ in seen} == {"consumer_waits", "relay_lost_database"}
    assert len(lines) == len(seen)
    assert all("refused the password" in reason for _, reason in seen)
    assert "canary" not in str(lines)


def test_a_broker_says_why_it_cannot_be_used(rabbitmq: RabbitMQ) -> None:
    causes = {
        f"amqp://regcred-relay:canary-1f0c@127.0.0.1:{rabbitmq.port}/regcred": "refused user or password",
        f"amqp://regcred-relay:canary-1f0c@127.0.0.1:{free_port()}/regcred": "no server listens",
        "amqp://regcred-relay:pass@canary-1f0c.invalid/regcred": "cannot be resolved",
        f"amqps://regcred-relay:canary-1f0c@127.0.0.1:{rabbitmq.port}/regcred": "TLS failed",
        rabbitmq.url_of("regcred-relay").removesuffix("regcred") + "none": "may not use the virtual host",
    }
    for url, reason in causes.items():
        with pytest.raises(BrokerUnavailable) as raised, Publisher(url):
            pass
        assert reason in str(raised.value), url
        assert "canary" not in str(raised.value)
        result = run_command("deadletters list", {"REGCRED_BROKER_URL": url})
        assert "canary" not in result.output
