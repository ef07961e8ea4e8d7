"""Servers the tests need: where their programs are, and what happens where one is missing."""

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
    """Say in one line what is left out and how to add it. With CI set, a missing server is a failure."""
    line = f"{name} is not on this machine; {how}"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)


def program(name: str) -> Path | None:
    """A program from the PATH, else from `../shared/bin` (there it may stand packed, as `name-….xz`)."""
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


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
