"""Personal data of an account, erased (ADR 14): its key is destroyed, and the read models forget.

The connection is the owner's: no service's role may do this.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from chassis.database import Connection
from contracts.account_events import AccountErased
from contracts.streams import account_stream
from eventlog.events.envelope import Actor, Metadata, NewEvent
from eventlog.storage.log import position_of
from eventlog.storage.postgres import append_request
from projector.write.application import lock_number
from projector.write.erasure import erase_rows
from projector.write.generations import generations

_POLL_SECONDS = 0.1
_MAX_POSITION = 2**63 - 1
_ERASE = "SELECT * FROM credentials.erase_account(%s)"


class StillHasCredentials(Exception):
    """They are removed first: what they need could not be read any more."""

    def __init__(self, account_id: str, count: int) -> None:
        super().__init__(f"{account_id} still has {count} credentials; remove them first")


class NothingToErase(Exception):
    """The account has no key: it never had an event, or was erased."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"there is no personal data of {account_id}: it had no events, or was erased before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be done, by whom, and why."""

    erasure_id: UUID
    event_id: UUID
    account_id: str
    person: str
    reason: str | None
    at: datetime


def erase(connection: Connection, erasure: Erasure) -> None:
    """Destroy the account's key and tell of it, in one transaction; then have generations forget that the
    projector does not look after.

    Raises:
        StillHasCredentials: nothing was changed.
        NothingToErase: nothing was, except that those generations have forgotten.
        psycopg.Error: the database is away; do it again.
    """
    failure: Exception | None = None
    try:
        connection.execute(_ERASE, (_request(erasure),))
    except psycopg.Error as error:
        if error.sqlstate == "ES427":
            raise StillHasCredentials(erasure.account_id, int(error.diag.message_detail or 0)) from None
        if error.sqlstate != "ES428":
            raise
        failure = NothingToErase(erasure.account_id)
    # Also where the key is gone already: an earlier command may have ended in between.
    for one in generations(connection):
        if one.status == "retired":
            with connection.transaction():
                lock_number(one.generation)(connection)
                erase_rows(connection, one.generation, erasure.account_id, _MAX_POSITION)
    if failure:
        raise failure


def wait_until_erased(connection: Connection, erasure: Erasure, seconds: float) -> bool:
    """Whether what readers see has forgotten, waited for up to so long."""
    deadline = time.monotonic() + seconds
    while True:
        position = position_of(connection, erasure.erasure_id, 1)
        live = [one.position for one in generations(connection) if one.status == "live"]
        if position is not None and live and live[0] >= position:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _request(erasure: Erasure) -> str:
    metadata = Metadata(
        account_id=erasure.account_id,
        actor=Actor(type="user", id=erasure.person, name=erasure.person),
        occurred_at=erasure.at,
        request_id=str(erasure.erasure_id),
        correlation_id=str(erasure.erasure_id),
    )
    event = NewEvent(
        event_id=erasure.event_id,
        payload=AccountErased(erasure_id=erasure.erasure_id, reason=erasure.reason),
        metadata=metadata,
    )
    return append_request(account_stream(erasure.erasure_id), 0, [event], None, None)
