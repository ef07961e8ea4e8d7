"""Stops a supervised process when its supervisor exits or dies, because its standard input then ends."""

import os
import signal
import sys
from threading import Thread

from chassis.runtime.lifecycle import block_stop_signals

SUPERVISED = "REGCRED_SUPERVISED"


def stop_with_parent() -> None:
    """Send SIGTERM to this process when the supervisor's end of standard input is closed."""
    if os.environ.get(SUPERVISED):
        Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    block_stop_signals()  # the main thread handles them, or blocks them
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
