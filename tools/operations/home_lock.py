"""The lock of a home folder: one process at a time starts or replaces its database."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeInUse(Exception):
    """`regcred up` or an operator command uses this home folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"another `regcred up` uses {home}; stop it, or set another REGCRED_HOME")


@contextmanager
def home_lock(home: Path) -> Iterator[None]:
    """Hold the lock during the block. The system releases it if the process dies. Raises `HomeInUse`."""
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeInUse(home) from None
        yield
