"""A line is written completely when its call returns, and a broken standard error does not stop the process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

_FOUR_THREADS = """
import structlog
from concurrent.futures import ThreadPoolExecutor
from chassis.observability.logs import configure_logs

def work(name):
    for number in range(200):
        level = "error" if number % 50 == 0 else "info"
        getattr(structlog.get_logger(), level)("a line", name=name, number=number)

configure_logs("test", {})
with ThreadPoolExecutor(4) as pool:
    list(pool.map(work, range(4)))  # raises what a thread raised
print("still here", flush=True)
"""
_KILLED = """
import os, signal, structlog
from chassis.observability.logs import configure_logs
configure_logs("test", {})
structlog.get_logger().info("the last one")
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(program: str, stderr: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )


def test_lines_of_many_threads_are_complete() -> None:
    found = [json.loads(line) for line in run(_FOUR_THREADS, subprocess.PIPE).stderr.splitlines()]
    for name in range(4):
        assert [line["number"] for line in found if line["name"] == name] == list(range(200))


def test_a_killed_process_has_written_its_lines() -> None:
    assert json.loads(run(_KILLED, subprocess.PIPE).stderr)["event"] == "the last one"


@contextmanager
def full_disk() -> Iterator[int]:
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


@contextmanager
def reader_gone() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize("broken", [full_disk, reader_gone])
def test_a_broken_standard_error_does_not_stop_the_process(
    broken: Callable[[], AbstractContextManager[int]],
) -> None:
    with broken() as stderr:
        assert run(_FOUR_THREADS, stderr).stdout == "still here\n"


def test_a_process_without_a_standard_error_continues() -> None:
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, _FOUR_THREADS]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert ended.stdout == "still here\n"
