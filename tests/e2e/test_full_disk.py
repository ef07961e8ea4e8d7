"""The disk of the one-machine mode is full: reads continue, writes are refused, and work again when there is room."""

import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.support.servers import missing
from tests.support.system import System, add_body
from tests.support.timing import waiting

ACCOUNT = "/v1/accounts/acme"
READS = (
    "/v1/accounts/acme/credentials",
    "/v1/accounts/acme/audit-events",
    "/metrics",
    "/openapi.json",
    "/sign-in",
)
_numbers = count(1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 120 MB, of which the empty installation takes 40."""
    folder = tmp_path / "disk"
    folder.mkdir()
    # The database server of the wheel runs as another user.
    mount = ["mount", "-t", "tmpfs", "-o", "size=120m,mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        missing("a small file system", "run the tests as root, who may mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def add(client: httpx2.Client) -> int:
    body = add_body(f"team-{next(_numbers)}", "registry.example.com", "octo", "p")
    return client.post(f"{ACCOUNT}/credentials", json=body).status_code


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def write_a_segment(database_url: str) -> None:
    """Do what minutes of refused writes do: end a segment of the write-ahead log, and a checkpoint."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()")
        connection.execute("CHECKPOINT")


def read(client: httpx2.Client) -> set[int]:
    try:
        return {client.get(path).status_code for path in READS}
    except httpx2.TransportError:
        return set()


def test_a_full_disk_stops_writes_only(disk: Path) -> None:
    metrics = disk / "home" / "metrics"
    with System(disk / "home", {}) as system, system.client() as client:
        assert add(client) == httpx2.codes.CREATED
        fill(disk / "ballast")
        refused = waiting(lambda: status if (status := add(client)) != httpx2.codes.CREATED else 0, "no room")
        assert refused in {httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.INSUFFICIENT_STORAGE}
        files = set(metrics.iterdir())
        assert read(client) == {httpx2.codes.OK}

        for _ in range(3):
            write_a_segment(system.database_url())
        assert read(client) == {httpx2.codes.OK}

        for pid, command in system.processes().items():
            if "launcher.server" in command:
                os.kill(pid, signal.SIGKILL)
        waiting(lambda: read(client) == {httpx2.codes.OK}, "reads after a restart of the API")
        assert set(metrics.iterdir()) <= files  # none was added

        (disk / "ballast").unlink()
        waiting(lambda: add(client) == httpx2.codes.CREATED, "writes when there is room")
