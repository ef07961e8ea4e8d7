"""The lock of a home folder: one process at a time starts or replaces its database."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.runtime.cannot_start import CannotStart


class HomeInUse(Exception):
    """`regcred up` or an operator command uses this home folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"another `regcred up` uses {home}; stop it, or set another REGCRED_HOME")


class HomeOfAnotherUser(CannotStart):
    """The installation of another user, who could not start its database any more after root has."""

    def __init__(self, home: Path, owner: int) -> None:
        super().__init__(
            f"{home} belongs to the installation of the user with id {owner}; run this command as that user"
        )


@contextmanager
def home_lock(home: Path) -> Iterator[None]:
    """Hold the lock during the block. The system releases it if the process dies.

    Raises:
        HomeInUse: another process holds it.
        HomeOfAnotherUser: another user created it.
    """
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeInUse(home) from None
        owner = os.fstat(file.fileno()).st_uid
        if owner != os.geteuid():
            raise HomeOfAnotherUser(home, owner)
        yield
