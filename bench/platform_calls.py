"""Calls of the deploy platform, resolutions and pull secrets, over HTTP to a complete `regcred up`.

The servers of regcred and of the limits run at the same time and get requests in turn. The limits are bare
Flask handlers under the same server (`platform_bare`). For the maximum rate, every caller has one open
request. At 200 requests per second the latency counts from the scheduled time of each request
(`platform_load`).
"""

import json
import os
import random  # noqa: TID251 the same requests each time
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx2
import psycopg

from bench.benchmark import Benchmark, Options, Row, Run, Target
from bench.platform_load import Server, at_once, at_rate
from bench.platform_seed import Seeded, seed, seeded, store_secrets
from bench.servers import UNLIMITED, postgres
from operations.migrate.preparation import prepare, prepare_keys
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings
from tests.support.servers import free_port
from tests.support.system import System
from tests.support.timing import waiting
from tests.support.vault import Vault

LARGE, QUICK_LARGE = 100_000, 2_000
SMALL = 100
IN_VAULT = 1_000
RATE = 200.0  # requests per second
SECONDS, QUICK_SECONDS = 15, 2
CALLERS = 8
CALLERS_AT_RATE = 32  # more than there are open requests, so that every request starts on time
WARM_UP = 400
DRAIN_SECONDS = 120

Request = Callable[[Seeded], bytes]


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """A server with the credentials that requests are about."""

    server: Server
    credentials: Sequence[Seeded]
    url: str

    def requests(self, request: Request, number: int) -> list[bytes]:
        chance = random.Random(number)
        return [request(one) for one in chance.choices(self.credentials, k=number)]

    def resolution(self, one: Seeded) -> bytes:
        body = {"image": f"{one.host}/team-{one.turn}/shop:1.4", "project_id": "shop"}
        path = f"/v1/accounts/{one.account_id}/resolutions"
        return self.server.request("POST", path, json.dumps(body).encode())

    def pull_secret(self, one: Seeded) -> bytes:
        body = {
            "images": [f"{one.host}/team-{one.turn}/shop:1.4"],
            "project_id": "shop",
            "workload": {"kind": "deployment", "name": "storefront"},
        }
        path = f"/v1/accounts/{one.account_id}/pull-secrets"
        return self.server.request("POST", path, json.dumps(body).encode())

    def bare_row(self, one: Seeded) -> bytes:
        name = one.details.name.replace(" ", "%20")
        return self.server.request("GET", f"/{one.account_id}/credentials/{name}")

    def bare_rows(self, one: Seeded) -> bytes:
        return self.server.request("GET", f"/{one.account_id}/hosts/{one.host}")

    def bare_secret(self, one: Seeded) -> bytes:
        return self.server.request("GET", f"/{one.account_id}/secrets/{one.credential_id}")

    def settle(self) -> None:
        """Wait until every event is in the read models, so that they do not affect the next measurement."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            waiting(lambda: settled(connection), "the read models have it all", seconds=DRAIN_SECONDS)


@contextmanager
def open_platform(options: Options) -> Iterator[Iterator[Benchmark]]:
    """A `regcred up` each with 100,000 credentials, with 100, and with secrets in Vault."""
    number = QUICK_LARGE if options.quick else LARGE
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder:
        homes = Path(folder)

        def benchmarks() -> Iterator[Benchmark]:
            with _system(homes / "large", number, {}) as large, _bare(large, {}) as bare:
                _warm_up((large, large.resolution), (large, large.pull_secret), (bare, bare.bare_row))
                yield _steady_calls(large, bare, seconds)
                with _system(homes / "small", SMALL, {}) as small:
                    _warm_up((small, small.resolution), (bare, bare.bare_rows))
                    yield _resolutions(large, small, bare, number, seconds)
            with Vault() as vault, _system(homes / "vault", IN_VAULT, _access(vault)) as stored:
                _fill_vault(vault, stored.credentials)
                access = {"VAULT_ADDR": vault.addr, "VAULT_TOKEN": vault.token_of("credentials")}
                with _bare(stored, access) as bare:
                    _warm_up((stored, stored.pull_secret), (bare, bare.bare_secret))
                    yield _with_vault(stored, bare, seconds)

        yield benchmarks()


def _warm_up(*requests: tuple[RequestTarget, Request]) -> None:
    for target, request in requests:
        at_once(target.server, target.requests(request, WARM_UP), callers=CALLERS)
        target.settle()


def _steady_calls(large: RequestTarget, bare: RequestTarget, seconds: int) -> Benchmark:
    return Benchmark(
        runs=[
            _steady("resolution", large, large.resolution, seconds=seconds),
            _steady("row", bare, bare.bare_row, seconds=seconds),
            _steady("pull secret", large, large.pull_secret, seconds=seconds),
        ],
        rows=[
            *_latency(f"resolution at {RATE:g}/s", "resolution", "row", most=10),
            *_latency(f"pull secret at {RATE:g}/s", "pull secret", None, most=30),
        ],
    )


def _resolutions(
    large: RequestTarget, small: RequestTarget, bare: RequestTarget, number: int, seconds: int
) -> Benchmark:
    return Benchmark(
        runs=[
            _maximum_rate("ours", large, large.resolution, seconds=seconds),
            _maximum_rate("row", bare, bare.bare_row, seconds=seconds),
            _maximum_rate("rows", bare, bare.bare_rows, seconds=seconds),
            _maximum_rate("few", small, small.resolution, seconds=seconds),
        ],
        rows=[
            Row(
                name=f"resolutions, {number:,} credentials, and bare SELECT of one row",
                unit="per s",
                ours="ours",
                limit="row",
                targets=(Target("ours", least=2 * RATE),),
            ),
            Row(
                name=f"resolutions, {number:,} credentials, and bare SELECT of the same rows",
                unit="per s",
                ours="ours",
                limit="rows",
            ),
            Row(
                name=f"resolutions, {number:,} credentials, and {SMALL}",
                unit="per s",
                ours="ours",
                limit="few",
                targets=(Target("ours/limit", least=0.9),),
            ),
        ],
    )


def _with_vault(stored: RequestTarget, bare: RequestTarget, seconds: int) -> Benchmark:
    return Benchmark(
        runs=[
            _maximum_rate("ours", stored, stored.pull_secret, seconds=seconds),
            _maximum_rate("bare", bare, bare.bare_secret, seconds=seconds),
            _steady("ours", stored, stored.pull_secret, seconds=seconds),
            _steady("bare", bare, bare.bare_secret, seconds=seconds),
        ],
        rows=[
            Row(
                name="pull secrets with Vault, and bare read with INSERT",
                unit="per s",
                ours="ours",
                limit="bare",
            ),
            *_latency(f"pull secret with Vault at {RATE:g}/s", "ours", "bare"),
        ],
    )


def _latency(name: str, ours: str, limit: str | None, *, most: float | None = None) -> list[Row]:
    return [
        Row(
            name=f"{name}, {cut}",
            unit="ms",
            ours=f"{ours} {cut}",
            limit=f"{limit} {cut}" if limit else None,
            targets=(Target("ours", most=most),) if most and cut == "p99" else (),
        )
        for cut in ("p50", "p99")
    ]


def _maximum_rate(name: str, target: RequestTarget, request: Request, *, seconds: int) -> Run:
    """Return a run that measures the maximum rate, with a number of requests for about `seconds`."""

    def run() -> Mapping[str, float]:
        requests = target.requests(request, 400 * seconds)
        rate = at_once(target.server, requests, callers=CALLERS)
        target.settle()
        return {name: rate}

    return run


def _steady(name: str, target: RequestTarget, request: Request, *, seconds: int) -> Run:
    def run() -> Mapping[str, float]:
        requests = target.requests(request, round(RATE * seconds))
        durations = at_rate(target.server, requests, rate=RATE, callers=CALLERS_AT_RATE)
        target.settle()
        cuts = quantiles([1000 * duration for duration in durations], n=100)
        return {f"{name} p50": cuts[49], f"{name} p99": cuts[98]}

    return run


@contextmanager
def _system(home: Path, number: int, environment: Mapping[str, str]) -> Iterator[RequestTarget]:
    """Run `regcred up` with `number` credentials and its own PostgreSQL."""
    credentials = list(seeded(number))
    with postgres() as server, server.fresh() as url:
        home.mkdir()
        prepare(url, None)
        seed(url, credentials, prepare_keys(home / "keys.json"))
        with System(home, {**environment, **UNLIMITED, "REGCRED_DATABASE_URL": url}) as system:
            token = (home / "admin.token").read_text().strip()
            target = RequestTarget(Server(system.port, token), credentials, url)
            target.settle()
            yield target


@contextmanager
def _bare(system: RequestTarget, environment: Mapping[str, str]) -> Iterator[RequestTarget]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.platform_bare", system.url, str(port)],
        env={**os.environ, **environment},
    )
    try:
        waiting(lambda: _serves(port), "the bare server serves")
        yield RequestTarget(Server(port), system.credentials, system.url)
    finally:
        process.terminate()
        process.wait(20)


def _serves(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx2.TransportError:
        return False
    return True


def _access(vault: Vault) -> dict[str, str]:
    return {
        "REGCRED_VAULT_ADDR": vault.addr,
        "REGCRED_VAULT_ROLE_ID": vault.role_id("one-machine"),
        "REGCRED_VAULT_SECRET_ID_FILE": str(vault.secret_id_file("one-machine")),
    }


def _fill_vault(vault: Vault, credentials: Sequence[Seeded]) -> None:
    store = VaultStore(
        VaultSettings(
            addr=vault.addr,
            role_id=vault.role_id("credentials"),
            secret_id_file=vault.secret_id_file("credentials"),
        )
    )
    store_secrets(store, credentials)
    store.close()


def settled(connection: psycopg.Connection[Any]) -> bool:
    """Whether the read models include every event."""
    row = connection.execute(
        "SELECT g.position = (SELECT count(*) FROM es.events) FROM rm.generations g WHERE g.status = 'live'"
    ).fetchone()
    return bool(row and row[0])
