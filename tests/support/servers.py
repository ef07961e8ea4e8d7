"""Servers the tests need: where their programs are, and what happens where one is missing."""

import itertools
import lzma
import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED_BIN = ROOT.parent / "shared" / "bin"
CACHE = ROOT / ".cache" / "bin"


def missing(name: str, how: str) -> NoReturn:
    """Skip the test with a line that says how to install the server. With CI set, a missing server is a failure."""
    line = f"{name} is not on this machine; {how}"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)


def program(name: str) -> Path | None:
    """A program from the PATH, else from `../shared/bin` (where it may be packed as `name-….xz`)."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/lib/rabbitmq/bin")
    if found:
        return Path(found)
    for packed in sorted(SHARED_BIN.glob(f"{name}-*.xz")):
        unpacked = CACHE / packed.stem
        if not unpacked.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            partial = unpacked.with_suffix(f".{os.getpid()}")
            with lzma.open(packed) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target)
            partial.chmod(0o755)
            partial.replace(unpacked)
        return unpacked
    return None


# Below the ephemeral ports (from 32768 on Linux), so that no connection takes a port between its choice and its use.
_PORTS = range(20_000, 30_000)
_candidates = itertools.count(os.getpid() * 61)  # processes begin at different ports


def free_port() -> int:
    """A TCP port of the loopback address that no program listens on and that no other test process is given.

    The port is reserved for the lifetime of this process: by a Unix socket with an abstract name, which the kernel
    removes with the process.
    """
    for candidate in itertools.islice(_candidates, len(_PORTS)):
        port = _PORTS[candidate % len(_PORTS)]
        if _reserve(port) and _is_free(port):
            return port
    raise AssertionError("no port is free")


def _reserve(port: int) -> bool:
    reservation = socket.socket(socket.AF_UNIX)
    try:
        reservation.bind(f"\0regcred-test-port-{port}")
    except OSError:  # another test process has it
        reservation.close()
        return False
    reservation.detach()  # it stays open
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
