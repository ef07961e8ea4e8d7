"""Response times of the console's pages for an account with 10,000 credentials.

The server is a complete `regcred up`. Pages are requested one after the other as by a browser. The time is
from the request to the complete response, so that it is never less than that of the server.
"""

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from urllib.parse import quote

import httpx2
import psycopg

from bench.benchmark import Benchmark, Options, Row, Target
from bench.platform_calls import DRAIN_SECONDS, settled
from bench.platform_seed import Seeded, seed, seeded
from bench.servers import postgres
from operations.migrate.preparation import prepare, prepare_keys
from tests.support.system import System
from tests.support.timing import waiting

CREDENTIALS = 10_000
ROUNDS, QUICK_ROUNDS = 60, 10
WARM_UP = 5
MOST_MS = 100.0  # the 95th percentile of every page

# Two workloads for each credential, written without events, because only pages are measured here.
_USAGES = """
INSERT INTO rm_g1.usages
SELECT gen_random_uuid(), c.account_id, c.credential_id, 'shop', 'deployment', 'w' || n, '{ghcr.io/shop:1}',
       1, now(), now() - n * interval '1 hour'
FROM rm_g1.credentials c, generate_series(1, 2) n
"""


@contextmanager
def open_console(options: Options) -> Iterator[list[Benchmark]]:
    """One account with all credentials, in a `regcred up` with its own PostgreSQL."""
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    credentials = [
        replace(one, account_id="acme", turn=place // 8) for place, one in enumerate(seeded(CREDENTIALS))
    ]
    with (
        tempfile.TemporaryDirectory(prefix="regcred-bench-") as folder,
        postgres() as server,
        server.fresh() as url,
    ):
        home = Path(folder) / "home"
        home.mkdir()
        prepare(url, None)
        seed(url, credentials, prepare_keys(home / "keys.json"))
        with System(home, {"REGCRED_DATABASE_URL": url}) as system:
            with psycopg.connect(url, autocommit=True) as connection:
                waiting(lambda: settled(connection), "the read models have it all", seconds=DRAIN_SECONDS)
                connection.execute(_USAGES)
                connection.execute("VACUUM ANALYZE")
            with _signed_in(system) as browser:
                pages = _pages(browser, credentials[len(credentials) // 2])
                _request_pages(browser, pages, WARM_UP)
                yield [
                    Benchmark(
                        runs=[lambda: _request_pages(browser, pages, rounds)],
                        rows=[
                            Row(
                                name=f"console, {CREDENTIALS:,} credentials, {name}, p95",
                                unit="ms",
                                ours=name,
                                targets=(Target("ours", most=MOST_MS),),
                            )
                            for name in pages
                        ],
                    )
                ]


def _pages(browser: httpx2.Client, one: Seeded) -> Mapping[str, str]:
    """Paths of the pages by name. The deep page is the tenth page of the list."""
    base, deep = "/accounts/acme", "/accounts/acme/credentials"
    for _ in range(9):
        found = re.search(r'rel="next" href="([^"]+)"', browser.get(deep).text)
        if found is None:
            raise ValueError(f"{deep} has no next page")
        deep = found[1].replace("&amp;", "&")
    image = quote(f"{one.host}/team-{one.turn}/shop:1.4")
    return {
        "overview": base,
        "list": f"{base}/credentials",
        "tenth page of the list": deep,
        "list by part of a name": f"{base}/credentials?name={one.turn}",
        "list by health": f"{base}/credentials?status=failed",
        "list by project": f"{base}/credentials?project=web-{one.turn}",
        "one credential": f"{base}/credentials/{one.credential_id}",
        "who would lose it": f"{base}/credentials/{one.credential_id}/remove",
        "which for an image": f"{base}/resolve?image={image}&project_id=web",
        "audit log": f"{base}/audit",
        "system": "/system",
    }


def _request_pages(browser: httpx2.Client, pages: Mapping[str, str], rounds: int) -> Mapping[str, float]:
    """Request all pages in turn, and return the 95th percentile of each page in milliseconds."""
    durations: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, path in pages.items():
            started = time.perf_counter()
            response = browser.get(path)
            durations[name].append((time.perf_counter() - started) * 1000)
            if response.status_code != httpx2.codes.OK:
                raise ValueError(f"{path} responded with {response.status_code}")
    return {name: quantiles(times, n=20)[18] for name, times in durations.items()}


@contextmanager
def _signed_in(system: System) -> Iterator[httpx2.Client]:
    token = (system.home / "admin.token").read_text().strip()
    with httpx2.Client(base_url=system.address, timeout=60, trust_env=False) as browser:
        found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-in").text)
        if found is None:
            raise ValueError("the sign-in page has no form")
        browser.post("/sign-in", data={"csrf": found[1], "token": token})
        yield browser
