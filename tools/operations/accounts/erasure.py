"""Erasure of the personal data of an account, in the log and in all generations (ADR 14)."""

import time

from chassis.database import Connection
from credentials.account_erasure import Erasure, NothingToErase, erase_account
from eventlog.storage import position_of
from projector.write.generations import generations
from projector.write.interventions import erase_in_retired

_POLL_SECONDS = 0.1


def erase(connection: Connection, erasure: Erasure) -> None:
    """Erase the data in the log, then in the retired generations, which the projector does not maintain.

    Raises:
        StillHasCredentials: nothing was changed.
        NothingToErase: nothing was changed in the log. The retired generations were erased.
        psycopg.Error: the database cannot be reached. The same call can be repeated.
    """
    try:
        erase_account(connection, erasure)
    except NothingToErase:
        erase_in_retired(connection, erasure.account_id)  # an earlier command may have stopped before it
        raise
    erase_in_retired(connection, erasure.account_id)


def wait_until_erased(connection: Connection, erasure: Erasure, seconds: float) -> bool:
    """Wait up to `seconds` until the live generation has applied the erasure, and return whether it has."""
    deadline = time.monotonic() + seconds
    while True:
        position = position_of(connection, erasure.erasure_id, 1)
        live = [one.position for one in generations(connection) if one.status == "live"]
        if position is not None and live and live[0] >= position:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
