"""How much one account slows another: resolutions of the one, and `/healthz`, while the other attacks it.

The server is a complete `regcred up` without a gateway. Each attack is compared with the quiet server of the
same run. A response that does not come counts with the time that the client waited for it.
"""

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from threading import Thread

from bench.benchmark import Benchmark, Options, Row, Target
from bench.isolation_attacks import ACCOUNT, ATTACKS, Attack, Attacked, under
from bench.platform_load import Server
from bench.servers import postgres
from tests.support.servers import free_port
from tests.support.system import System, add_body

SECONDS, QUICK_SECONDS = 10.0, 3.0
SETTLE_SECONDS = 1.0
PER_SECOND = 20
CLIENT_SECONDS = 10.0  # a client gives up after this time
MOST_TIMES = 3.0  # of the quiet value, for the 99th percentile of resolutions
MOST_HEALTH_MS = 100.0
_QUIET = "quiet account"


@contextmanager
def open_isolation(options: Options) -> Iterator[list[Benchmark]]:
    """Two accounts of one installation."""
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with (
        tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder,
        postgres() as database,
        database.fresh() as url,
        _silent() as silent,
    ):
        registry, issuer = f"127.0.0.1:{silent}", f"http://127.0.0.1:{silent}/issuer"
        environment = {
            "REGCRED_DATABASE_URL": url,
            "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
            "REGCRED_VERIFIER_ALLOW_HTTP": registry,
            "REGCRED_TOKEN_ISSUERS": f"{issuer}=http://127.0.0.1:{silent}/jwks",
        }
        with System(Path(folder) / "home", environment) as system:
            attacked = _greedy(system, registry, issuer)
            resolution = _quiet(system)
            yield [_benchmark(attack, attacked, resolution, seconds) for attack in ATTACKS]


def _benchmark(attack: Attack, attacked: Attacked, resolution: bytes, seconds: float) -> Benchmark:
    health = attacked.server.request("GET", "/healthz")

    def run() -> Mapping[str, float]:
        quiet, _ = _measured(attacked.server, resolution, health, seconds)
        with under(attack, attacked):
            time.sleep(SETTLE_SECONDS)
            loaded, healthy = _measured(attacked.server, resolution, health, seconds)
        time.sleep(SETTLE_SECONDS)
        return {
            "quiet p50": _percentile(quiet, 50),
            "quiet p99": _percentile(quiet, 99),
            "p50": _percentile(loaded, 50),
            "p99": _percentile(loaded, 99),
            "healthz": _percentile(healthy, 99),
        }

    name = f"isolation, {attack.name}"
    return Benchmark(
        runs=[run],
        rows=[
            Row(name=f"{name}: resolution p50", unit="ms", ours="p50", peer="quiet p50"),
            Row(
                name=f"{name}: resolution p99",
                unit="ms",
                ours="p99",
                peer="quiet p99",
                targets=(Target("ours/peer", most=MOST_TIMES),),
            ),
            Row(
                name=f"{name}: healthz p99",
                unit="ms",
                ours="healthz",
                targets=(Target("ours", most=MOST_HEALTH_MS),),
            ),
        ],
    )


def _measured(
    server: Server, resolution: bytes, health: bytes, seconds: float
) -> tuple[list[float], list[float]]:
    """Milliseconds of resolutions and health checks at a constant rate, each with a connection of its own."""
    started = time.monotonic()
    due = [started + number / PER_SECOND for number in range(int(seconds * PER_SECOND))]

    def later(request: bytes, moment: float) -> float:
        time.sleep(max(0.0, moment - time.monotonic()))
        return _milliseconds(server, request, moment)

    with ThreadPoolExecutor(2 * len(due)) as threads:  # none waits for another
        resolutions = [threads.submit(later, resolution, moment) for moment in due]
        checks = [threads.submit(later, health, moment) for moment in due[::2]]
        return [each.result() for each in resolutions], [each.result() for each in checks]


def _milliseconds(server: Server, request: bytes, since: float) -> float:
    """Until the response 200, or all the time that the client waits for one."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), CLIENT_SECONDS) as connection:
            connection.sendall(request)
            if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                return CLIENT_SECONDS * 1000
    except OSError:
        return CLIENT_SECONDS * 1000
    return (time.monotonic() - since) * 1000


def _percentile(values: list[float], number: int) -> float:
    return quantiles(values, n=100, method="inclusive")[number - 1]


def _greedy(system: System, registry: str, issuer: str) -> Attacked:
    scopes = ["credentials:read", "credentials:write", "secrets:issue", "audit:read"]
    with system.client() as client:
        made = client.post(
            "/v1/service-tokens", json={"name": ACCOUNT, "scopes": scopes, "accounts": [ACCOUNT]}
        )
        made.raise_for_status()
        added = client.post(
            f"/v1/accounts/{ACCOUNT}/credentials", json=add_body("silent", registry, "octo", "secret")
        )
        added.raise_for_status()
    server = Server(port=system.port, token=made.json()["token"])
    return Attacked(server=server, credential_id=added.json()["id"], registry=registry, issuer=issuer)


def _quiet(system: System) -> bytes:
    body = {"name": _QUIET, "scopes": ["secrets:issue", "credentials:write"], "accounts": ["quiet"]}
    with system.client() as client:
        made = client.post("/v1/service-tokens", json=body)
        made.raise_for_status()
        added = client.post(
            "/v1/accounts/quiet/credentials", json=add_body("team", "reg.example.com", "octo", "secret")
        )
        added.raise_for_status()
    wanted = json.dumps({"image": "reg.example.com/app:1", "project_id": "shop"}).encode()
    server = Server(port=system.port, token=made.json()["token"])
    return server.request("POST", "/v1/accounts/quiet/resolutions", wanted)


@contextmanager
def _silent() -> Iterator[int]:
    """The port of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=512) as listener:
        accepted: list[socket.socket] = []
        Thread(target=_accept, args=(listener, accepted.append), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            for connection in accepted:
                connection.close()


def _accept(listener: socket.socket, add: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            add(listener.accept()[0])
        except OSError:  # it was closed
            return
