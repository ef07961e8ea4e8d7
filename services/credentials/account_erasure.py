"""Erase the personal data of an account: destroy its key and record that as an event (ADR 14).

The connection must be that of the owner of the database. No role of a service has the right.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from chassis.database import Connection
from contracts.account_events import AccountErased
from contracts.streams import account_stream
from eventlog.events import Actor, Metadata, NewEvent
from eventlog.storage import append_request

_ERASE = "SELECT * FROM credentials.erase_account(%s)"
_HAS_CREDENTIALS, _HAS_NO_KEY = "ES427", "ES428"  # SQLSTATE of credentials.erase_account


class StillHasCredentials(Exception):
    """The account has credentials. They must be removed first: without its key they cannot be read."""

    def __init__(self, account_id: str, count: int) -> None:
        super().__init__(f"{account_id} still has {count} credentials; remove them first")


class NothingToErase(Exception):
    """The account has no key: it has no events, or was erased before."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"there is no personal data of {account_id}: it has no events, or was erased before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure of an account: its ids, the operator, the reason and the time."""

    erasure_id: UUID
    event_id: UUID
    account_id: str
    person: str
    reason: str | None
    at: datetime


def erase_account(connection: Connection, erasure: Erasure) -> None:
    """Destroy the account's key and append `account.erased`, in one transaction.

    Raises:
        StillHasCredentials: nothing was changed.
        NothingToErase: nothing was changed.
        psycopg.Error: the database cannot be reached. The same call can be repeated.
    """
    try:
        connection.execute(_ERASE, (_request(erasure),))
    except psycopg.Error as error:
        if error.sqlstate == _HAS_CREDENTIALS:
            raise StillHasCredentials(erasure.account_id, int(error.diag.message_detail or 0)) from None
        if error.sqlstate == _HAS_NO_KEY:
            raise NothingToErase(erasure.account_id) from None
        raise


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
