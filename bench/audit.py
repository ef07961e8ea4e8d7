"""Duration of queries of a long audit trail.

    python bench/audit.py [rows] [rows of the file]     # 1,000,000 and 100,000 by default

It fills a new database (INSERT … SELECT). It prints the plan and the duration of a page for each filter and
some combinations, in both directions and in the middle, and then the rate and the memory of an export. The
server is that of the wheel, or REGCRED_TEST_DATABASE_URL (of a superuser; the new database is dropped
afterwards).
"""

import gc
import os
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from psycopg.conninfo import make_conninfo

from chassis.database import Pool, open_pool
from eventlog.events import Actor, Metadata
from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate
from projector.read.api import export
from projector.read.api.audit_record import AuditRecord
from projector.read.audit_reads import RequestedRead, ReturnedRows
from projector.read.audit_trail import AuditFilter, Order, audit_events
from projector.write.projections.audit_index import SPAN

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT_MS = 20.0
# One account has a tenth of the rows, the others share the remainder. Of its events, one in a hundred is
# denied and one in a thousand is a removal.
FILL = """
INSERT INTO rm_g1.audit_events (
    position, event_id, account_id, time, action, outcome, actor_type, actor_id, actor_name, source_ip,
    credential_id, credential_name, project_id, registry_host, image, secret_version, after, request_id,
    correlation_id
)
SELECT n, gen_random_uuid(), CASE WHEN n %% 10 = 0 THEN 'acme' ELSE 'account-' || n %% 97 END,
       %(begin)s + n * interval '2 seconds' + (n * 7919 %% 5000) * interval '1 millisecond',
       CASE WHEN n %% 10000 = 0 THEN 'credential.removed' WHEN n %% 1000 = 500 THEN 'secret.refused'
            ELSE 'secret.issued' END,
       CASE WHEN n %% 1000 = 500 THEN 'denied' ELSE 'success' END,
       'service', 'actor-' || n / 10 %% 50, 'deployer', '192.0.2.7',
       lpad(to_hex(n / 10 %% 5000), 32, '0')::uuid, 'credential-' || n / 10 %% 5000,
       'project-' || n / 10 %% 700,
       CASE WHEN n / 10 %% 20 = 0 THEN 'registry.example.com' ELSE 'ghcr.io' END,
       'ghcr.io/acme/app-' || n / 10 %% 3000 || ':1', 1,
       '{"workload": {"kind": "deployment", "name": "front"}, "images": ["ghcr.io/acme/app:1"]}',
       'request-' || n, 'request-' || n
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""
IMAGES = """
INSERT INTO rm_g1.audit_images SELECT account_id, image, position FROM rm_g1.audit_events
"""
SPANS = """
INSERT INTO rm_g1.audit_spans
SELECT position / %s, min(time), max(time) FROM rm_g1.audit_events GROUP BY 1
"""


def credential(number: int) -> UUID:
    return UUID(int=number)


def filters(rows: int) -> dict[str, AuditFilter]:
    def at(share: float) -> datetime:
        return BEGIN + timedelta(seconds=2 * rows * share)

    last = rows // 10 * 10
    return {
        "nothing": AuditFilter(),
        "credential": AuditFilter(credential_id=credential(77)),
        "credential, long ago": AuditFilter(credential_id=credential(77), until=at(0.1)),
        "an unknown credential": AuditFilter(credential_id=credential(10**9)),
        "until, long ago": AuditFilter(until=at(0.05)),
        "an hour in the middle": AuditFilter(since=at(0.5), until=at(0.5) + timedelta(hours=1)),
        "since, in the future": AuditFilter(since=at(2)),
        "a rare action": AuditFilter(action="credential.removed"),
        "an action without events": AuditFilter(action="audit.read"),
        "denied": AuditFilter(outcome="denied"),
        "denied, a project, long ago": AuditFilter(outcome="denied", project_id="project-50", until=at(0.5)),
        "actor": AuditFilter(actor="actor-7"),
        "an unknown actor": AuditFilter(actor="nobody"),
        "project": AuditFilter(project_id="project-123"),
        "project and action": AuditFilter(project_id="project-123", action="secret.issued"),
        "registry": AuditFilter(registry_host="registry.example.com"),
        "image": AuditFilter(image="ghcr.io/acme/app-42:1"),
        "image, long ago": AuditFilter(image="ghcr.io/acme/app-42:1", until=at(0.2)),
        "image and credential": AuditFilter(image="ghcr.io/acme/app-77:1", credential_id=credential(77)),
        "an unknown image": AuditFilter(image="ghcr.io/acme/none:1"),
        "request": AuditFilter(request_id=f"request-{last // 2 // 10 * 10}"),
        "a request of another account": AuditFilter(request_id="request-1"),
        "all filters": AuditFilter(
            since=at(0.1),
            until=at(0.9),
            action="secret.issued",
            outcome="success",
            actor="actor-27",
            credential_id=credential(77),
            registry_host="ghcr.io",
        ),
    }


@contextmanager
def database() -> Iterator[str]:
    given = os.environ.get("REGCRED_TEST_DATABASE_URL")
    folder = Path(tempfile.mkdtemp(prefix="regcred-bench-"))
    server = None if given else EmbeddedPostgres(folder / "data")
    admin = given or (server.url if server else "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench_audit")
    try:
        yield make_conninfo(admin, dbname="bench_audit")
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE bench_audit WITH (FORCE)")
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill(url: str, rows: int) -> None:
    started = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'rm_g1' AND tablename = 'audit_events' AND indexname <> 'audit_events_pkey'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f'DROP INDEX rm_g1."{name}"')
        for first in range(1, rows + 1, 500_000):
            last = min(rows, first + 499_999)
            connection.execute(FILL, {"first": first, "last": last, "begin": BEGIN})
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute(IMAGES)
        connection.execute(SPANS, (SPAN,))
        connection.execute("VACUUM ANALYZE")
        [(size,)] = connection.execute(
            "SELECT pg_size_pretty(sum(pg_total_relation_size(c.oid))) FROM pg_class c"
            " WHERE c.relnamespace = 'rm_g1'::regnamespace AND c.relkind = 'r'"
        ).fetchall()
    print(f"{rows:,} rows in {time.perf_counter() - started:.0f} s, {size} with indexes")


def plan(connection: psycopg.Connection[Any], wanted: AuditFilter) -> list[str]:
    """The nodes of PostgreSQL's plan for the first page, with their indexes."""
    statements: list[Any] = []

    class RecordingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            statements.append((query, params))
            return super().execute(query, params, **more)

    connection.cursor_factory = RecordingCursor
    audit_events(connection, "acme", wanted, limit=50)
    connection.cursor_factory = psycopg.Cursor
    query, parameters = statements[-1]
    text = query.as_string(connection) if hasattr(query, "as_string") else query
    lines = [row[0] for row in connection.execute(f"EXPLAIN (COSTS off) {text}", parameters).fetchall()]
    return [line for line in lines if "Scan" in line or "Sort" in line or "Loop" in line or "Hash" in line]


def measure(url: str, rows: int) -> float:
    """Print the durations of all pages, and return the slowest in milliseconds."""
    slowest = 0.0
    with psycopg.connect(
        url, autocommit=True, options="-c role=regcred_query -c statement_timeout=60s"
    ) as connection:
        for name, wanted in filters(rows).items():
            pages: list[tuple[str, AuditFilter, Order]] = [
                ("desc", wanted, "desc"),
                ("asc", wanted, "asc"),
                ("middle", replace(wanted, after=rows // 2), "asc"),
            ]
            durations = []
            for label, filtered, order in pages:
                times, count = [], 0
                for _ in range(7):
                    started = time.perf_counter()
                    count = len(audit_events(connection, "acme", filtered, limit=50, order=order).rows)
                    times.append((time.perf_counter() - started) * 1000)
                typical = median(times)
                slowest = max(slowest, typical)
                durations.append(f"{label} {typical:6.2f} ms (first {times[0]:6.2f}, {count:2} rows)")
            print(f"{name:30} {'  '.join(durations)}")
            for line in plan(connection, wanted):
                print(f"{'':30}   {line}")
    return slowest


def measure_files(pool: Pool, rows: int) -> None:
    """Print rows per second and memory of exports with `rows` events of the largest account."""
    requested = RequestedRead(
        metadata=Metadata(
            account_id="acme",
            actor=Actor(type="service", id="bench", name="bench"),
            occurred_at=BEGIN,
            request_id="bench",
            correlation_id="bench",
        ),
        wanted=AuditFilter(up_to=rows * 10),
        form="ndjson",
        continues=False,
    )
    for form in (export.NDJSON, export.CSV):
        for traced in (False, True):  # memory is measured in a second run, because that is slower
            recording = AuditRecord(pool, None, requested, ReturnedRows())
            with Flask("bench").test_request_context():
                response = export.stream(
                    recording, "acme", requested.wanted, form, order="desc", archived=None
                )
                gc.collect()
                if traced:
                    tracemalloc.start()
                started, size, count, high = time.perf_counter(), 0, 0, 0
                for chunk in response.response:
                    size += len(chunk)
                    count += 1
                    if traced and count % 20_000 == 0:
                        high = max(high, tracemalloc.get_traced_memory()[1])
                seconds = time.perf_counter() - started
            if traced:
                tracemalloc.stop()
                print(f"{form}: at most {high / 1e6:.1f} MB of Python's memory")
            else:
                rate = count / seconds
                print(f"{form}: {count:,} rows, {size / 1e6:.0f} MB in {seconds:.1f} s ({rate:,.0f} rows/s)")


def main(rows: int, rows_of_file: int) -> None:
    with database() as url:
        migrate(url)
        fill(url, rows)
        slowest = measure(url, rows)
        share = slowest / LIMIT_MS
        print(f"the slowest page takes {slowest:.2f} ms, {share:.2f} of the limit of {LIMIT_MS:.0f} ms")
        with open_pool(url, role="regcred_query", size=2) as pool:
            measure_files(pool, min(rows_of_file, rows // 10))


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:3]]
    main(*given, *[1_000_000, 100_000][len(given) :])
