"""What `/healthz` and `/readyz` of every service say, with and without what the service needs."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from chassis.database import open_pool
from chassis.observability.process_server import serve_process
from chassis.runtime.loops import DEAD_AFTER_SECONDS, Loops
from chassis.settings.environment import Settings
from chassis.web.api_part import ApiPart, database_check, join, pool_check
from credentials.bootstrap import command_api
from credentials.relay import sequencer
from eventlog.consumers import leadership
from eventlog.storage import refuse_lower_transaction_ids
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api
from tests.support.eventstore_suite import an_event
from tests.support.log import fresh_log, stream, writing
from tests.support.postgres import fresh_database, migrated_database
from tests.support.servers import free_port
from tests.support.timing import PATIENCE, waiting
from verifier.bootstrap import registry_api

APIS = [
    pytest.param(command_api, "database", id="credentials"),
    pytest.param(query_api, "read_models", id="queries"),
    pytest.param(registry_api, "database", id="registries"),
]
PROCESSES = {"relay": ("credentials", "relay"), "verifier": ("verifier",), "projector": ("projector",)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    prepare_keys(Settings.from_environment({"REGCRED_HOME": str(folder)}).key_file)
    return folder


def asked(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """The status and the document of the response; 0 if nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    except ConnectionRefusedError:
        return 0, {}
    finally:
        connection.close()


@contextmanager
def running(name: str, url: str, home: Path) -> Iterator[int]:
    """A process of a service, and the port of its health."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", *PROCESSES[name]],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "REGCRED_HOME": str(home),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_METRICS_LISTEN": f"127.0.0.1:{port}",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def with_unknown_login(url: str) -> str:
    return make_conninfo(url, user="nobody-of-this-name")


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_ready_and_one_with_a_wrong_login_is_only_alive(name: str, home: Path) -> None:
    with (
        migrated_database() as url,
        running(name, url, home) as right,
        running(name, with_unknown_login(url), home) as wrong,
    ):
        for port in (right, wrong):
            waiting(lambda port=port: asked(port, "/healthz") == (200, {"status": "ok"}))  # type: ignore[misc]
        waiting(lambda: asked(right, "/readyz")[0] == 200, "it is ready")
        status, document = asked(wrong, "/readyz")
        assert (status, document["checks"]["database"]) == (503, "unavailable")


def test_a_standby_is_ready(home: Path) -> None:
    with (
        migrated_database() as url,
        leadership(url, role="regcred_projector", name="projector", stop=Event()),
        running("projector", url, home) as port,
    ):
        waiting(lambda: asked(port, "/readyz")[0] == 200, "it is ready")


def test_a_relay_whose_log_is_not_adopted_is_not_ready_and_says_so(home: Path) -> None:
    with migrated_database() as url, running("relay", url, home) as port:
        waiting(lambda: asked(port, "/readyz")[0] == 200, "it is ready")
        with psycopg.connect(url, autocommit=True) as owner:  # as after a restore into a younger cluster
            owner.execute(
                "INSERT INTO es.events (xid, event_id, stream_id, version, type, schema_version, data, meta)"
                " VALUES ('4000000000', gen_random_uuid(), gen_random_uuid(), 1, 'x', 1, '{}', '{}')"
            )
        status, document = asked(port, "/readyz")
        assert (status, document["checks"]["log"]) == (503, "unavailable")
        assert document["reasons"] == {"log": "log_not_adopted"}


@contextmanager
def api(part: Callable[[Settings], ApiPart], url: str, home: Path) -> Iterator[Any]:
    made = part(Settings.from_environment({"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": url}))
    try:
        yield join([made]).test_client()
    finally:
        made.close()


@pytest.mark.parametrize(("part", "check"), APIS)
def test_an_api_is_ready_with_its_login_and_its_schema_only(
    part: Callable[[Settings], ApiPart], check: str, home: Path
) -> None:
    with migrated_database() as url, api(part, url, home) as client:
        waiting(lambda: client.get("/readyz").status_code == 200, "it is ready")
        with psycopg.connect(url, autocommit=True) as owner:  # as before a migration of a newer release
            owner.execute("DELETE FROM public.regcred_migrations")
        assert client.get("/readyz").json["checks"][check] == "unavailable"
        assert client.get("/healthz").status_code == 200
        with api(part, with_unknown_login(url), home) as wrong:
            assert wrong.get("/readyz?exclude=secret_store").status_code == 503
    with fresh_database() as empty, api(part, empty, home) as unprepared:
        assert unprepared.get("/readyz").status_code == 503


def test_an_api_whose_connections_are_all_in_use_is_ready() -> None:
    """It is busy. If it were not ready, the other replicas would get its requests and be busy next."""
    with migrated_database() as url, open_pool(url, role="regcred_query", size=2) as pool:
        checks = [database_check(pool, ["eventlog.storage"]), pool_check(pool, refuse_lower_transaction_ids)]
        with pool.connection(), pool.connection():
            for check in checks:
                check()


def test_a_process_with_a_dead_loop_is_dead() -> None:
    clock, port = [0.0], free_port()
    loops = Loops(lambda: clock[0])
    loops.add("sequencing")
    serve_process(("127.0.0.1", port), [], checks={}, loops=loops)
    assert asked(port, "/healthz") == (200, {"status": "ok"})
    clock[0] = DEAD_AFTER_SECONDS + 1
    assert asked(port, "/healthz") == (503, {"status": "dead", "loops": ["sequencing"]})
    assert asked(port, "/readyz") == (200, {"ready": True, "checks": {}})
    assert asked(port, "/other")[0] == 404


def test_a_loop_that_hangs_is_dead_and_one_that_waits_is_not() -> None:
    """The loop of the relay: it waits for events, then hangs in a callback."""
    clock, hangs, released, stop = [0.0], Event(), Event(), Event()
    loops = Loops(lambda: clock[0])

    def on_positions(_epoch: int, position: int) -> None:
        if position:
            hangs.set()
            released.wait(PATIENCE)

    def pass_time() -> None:
        clock[0] += DEAD_AFTER_SECONDS + 1

    with fresh_log() as url, writing(url) as store:
        relay = Thread(
            target=sequencer.run,
            args=(url,),
            kwargs={"on_positions": on_positions, "stop": stop, "step": loops.add("sequencing")},
        )
        relay.start()
        try:
            for _ in range(2):
                pass_time()
                waiting(lambda: loops.dead() == [], "it makes steps while it waits")
            store.append(stream("one"), 0, [an_event("one")])
            assert hangs.wait(PATIENCE)
            pass_time()
            assert loops.dead() == ["sequencing"]
            released.set()
            waiting(lambda: loops.dead() == [], "it makes steps again")
        finally:
            released.set()
            stop.set()
            relay.join()
