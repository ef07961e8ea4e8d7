"""Details of the machine and the servers, which affect the measurements."""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from bench.servers import postgres

FSYNCS = 500


def machine_details() -> dict[str, object]:
    """The details of this machine before a benchmark."""
    load = os.getloadavg()
    with postgres() as server, psycopg.connect(server.url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return {
        "cpu": _of("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "ram_mib": int(_of("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": row[0] if row else None,
        "rabbitmq": _rabbitmq(),
        "fdatasync_per_second": round(_fsyncs()),
        "load_before": [round(value, 2) for value in load],
    }


def _of(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _rabbitmq() -> str | None:
    """The version of the Debian package, or `None` if it is not installed."""
    if shutil.which("dpkg-query") is None:
        return None
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "rabbitmq-server"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout or None


def _fsyncs() -> float:
    """The number of durable writes of 8 KiB per second, one after the other."""
    with tempfile.TemporaryFile() as file:
        started = time.monotonic()
        for _ in range(FSYNCS):
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
        return FSYNCS / (time.monotonic() - started)
