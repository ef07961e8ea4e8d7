"""Protects the memory of a process from core dumps and from other processes of its user: it has secrets."""

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def disable_core_dumps() -> None:
    """Call it first in each process. Programs that the process starts inherit the limit of zero bytes.

    On Linux the process is not dumpable either. The limit does not stop a core dump that goes to a program
    (`core_pattern`). Only root can then attach a debugger or read `/proc/PID/mem`.

    Raises:
        OSError: the system refuses it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, "prctl(PR_SET_DUMPABLE) failed")
