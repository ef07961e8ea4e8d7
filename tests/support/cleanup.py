"""Removes what a server of the tests leaves if its start fails or pytest is interrupted."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.timing import PATIENCE

# A process has no command line for a moment while it executes another program, so one look can miss it.
_LOOKS = 5


@contextmanager
def undone_on_failure(clean_up: Callable[[], None]) -> Iterator[None]:
    """Call `clean_up` if the block raises anything, also for Ctrl-C: `__exit__` is not called after `__enter__` fails."""
    try:
        yield
    except BaseException:
        clean_up()
        raise


def processes_of(folder: Path) -> list[int]:
    """The running processes whose command line or first environment names a temporary folder."""
    mark, found = str(folder).encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):  # the process has ended
                if mark in (entry / "cmdline").read_bytes() or mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def kill_processes_of(folder: Path) -> None:
    """Kill these processes with SIGKILL, and those that they start meanwhile, until none is left."""
    deadline = time.monotonic() + PATIENCE
    looks = 0
    while looks < _LOOKS:
        left = processes_of(folder)
        assert time.monotonic() < deadline, f"these processes do not end: {left}"
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        looks = 0 if left else looks + 1
        time.sleep(0.02)
