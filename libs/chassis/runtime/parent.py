"""A supervised process stops when its supervisor is gone, however that died: its standard input ends."""

import os
import signal
import sys
from threading import Thread

SUPERVISED = "REGCRED_SUPERVISED"


def follow_parent() -> None:
    """Send this process SIGTERM once the supervisor's end of standard input is closed."""
    if os.environ.get(SUPERVISED):
        Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
