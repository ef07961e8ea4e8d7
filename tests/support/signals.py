"""Stop signals in a burst, as `timeout make up`, a second Ctrl-C or a process manager send them."""

import os
import signal
import subprocess

from tests.support.timing import PATIENCE

_BURST = 200


def stop_with_burst(process: subprocess.Popen[bytes]) -> int:
    """Send many SIGTERM and SIGINT to the group of a process that leads one, until it has ended; its exit code."""
    for number in range(_BURST):
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGINT if number % 2 else signal.SIGTERM)
    return process.wait(PATIENCE)
