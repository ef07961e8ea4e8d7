"""Time and memory for the archive of the audit trail.

    python bench/archive.py [rows]      # 1,000,000 by default

It fills the log and the audit trail of a new database with events of 98 accounts. Then it runs `regcred audit
seal`, `segments verify --with-log` and `segments show` as processes. The server is that of the wheel.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from eventlog.integrity import create_key
from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate

STREAM = 100  # events of a stream
LOG = """
INSERT INTO es.streams (stream_id, account_id, category, version)
SELECT md5('s' || n)::uuid, CASE WHEN n %% 10 = 0 THEN 'acme' ELSE 'account-' || n %% 97 END, 'issuance',
       %(stream)s
FROM generate_series(1, %(rows)s / %(stream)s) AS n
"""
EVENTS = """
INSERT INTO es.events (event_id, stream_id, version, type, schema_version, data, meta)
SELECT md5('e' || n || ' ' || v)::uuid, md5('s' || n)::uuid, v, 'secret.issued', 1,
       '{"workload": {"kind": "deployment", "name": "front"}, "images": ["ghcr.io/acme/app:1"]}',
       jsonb_build_object('request_id', 'request-' || n, 'n', v)
FROM generate_series(1, %(rows)s / %(stream)s) AS n, generate_series(1, %(stream)s) AS v
"""
TRAIL = """
INSERT INTO rm_g1.audit_events (
    position, event_id, account_id, time, action, outcome, actor_type, actor_id, actor_name, source_ip,
    credential_id, credential_name, project_id, registry_host, image, secret_version, after, request_id,
    correlation_id
)
SELECT l.position, e.event_id, s.account_id,
       '2025-01-01T00:00:00Z'::timestamptz + l.position * interval '2 seconds', e.type, 'success', 'service',
       'actor-' || l.position % 50, 'deployer', '192.0.2.7', l.stream_id, 'credential',
       'project-' || l.position % 700, 'ghcr.io', 'ghcr.io/acme/app:1', 1, e.data,
       'request-' || l.position, 'request-' || l.position
FROM es.log l JOIN es.events e USING (stream_id, version) JOIN es.streams s USING (stream_id)
"""
SPANS = """
INSERT INTO rm_g1.audit_spans
SELECT position / 1024, min(time), max(time) FROM rm_g1.audit_events GROUP BY 1
"""
AROUND = (
    "INSERT INTO rm_g1.audit_images SELECT account_id, image, position FROM rm_g1.audit_events",
    SPANS,
    "UPDATE rm.generations SET position = (SELECT max(position) FROM es.log)",
    "ANALYZE",
)


def fill(url: str, rows: int) -> None:
    """Fill log and audit trail. Positions are assigned and chained as by the relay."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOG, {"rows": rows, "stream": STREAM})
        connection.execute(EVENTS, {"rows": rows, "stream": STREAM})
        [epoch] = connection.execute("SELECT es.lead('relay', '0')").fetchone() or (0,)
        position, last = 0, -1
        while position != last:
            last = position
            [position] = connection.execute("SELECT es.sequence(%s, 10000)", (epoch,)).fetchone() or (0,)
        connection.execute(TRAIL)
        for statement in AROUND:
            connection.execute(statement)


def run(environment: dict[str, str], *arguments: object) -> str:
    """Run the command, print its duration and peak memory, and return its output."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "regcred", "audit", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    seconds, megabytes = time.monotonic() - started, used.ru_maxrss / 1024
    print(f"{' '.join(map(str, arguments[:2])):20} {seconds:8.1f} s {megabytes:8.0f} MB of memory")
    if status:
        sys.exit(f"it failed: {output[-1000:]}")
    return output


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="regcred-bench-") as name:
        home = Path(name)
        create_key(home / "log-key.pem")
        server = EmbeddedPostgres(home / "postgres")
        try:
            migrate(server.url)
            fill(server.url, rows)
            print(f"{rows:,} rows in log and trail")
            environment = {**os.environ, "REGCRED_HOME": name, "REGCRED_DATABASE_URL": server.url}
            root = home / "segments"
            print(run(environment, "seal", "--older-than", 1, "--into", root).strip())
            size = sum(file.stat().st_size for file in root.rglob("*.gz"))
            print(f"files: {size / 1e6:.0f} MB")
            print(run(environment, "segments", "verify", root, "--with-log").strip())
            shown = run(environment, "segments", "show", root, "--account", "acme")
            print(f"rows shown: {shown.count(chr(10)):,}, {len(shown) / 1e6:.0f} MB")
        finally:
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
