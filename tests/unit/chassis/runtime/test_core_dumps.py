"""A process without core dumps."""

import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, os, resource
from chassis.runtime.core_dumps import disable_core_dumps
disable_core_dumps()
if os.fork() == 0:  # a program that it starts has the same limit
    print(*resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")
def test_a_process_and_its_forks_have_no_core_dumps() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0"]
