"""Write service tokens: the row and the event of each change, in one transaction."""

from collections.abc import Callable
from dataclasses import asdict, replace
from uuid import UUID

import msgspec
import psycopg

from chassis.authentication.token_row import AuthenticateRow, TokenRow, row_code
from chassis.authentication.tokens import StoredToken
from chassis.database import Pool
from contracts.service_token_events import INSTALLATION, ServiceTokenCreated, ServiceTokenRevoked
from contracts.streams import service_token_stream
from eventlog.events import Metadata, NewEvent
from eventlog.storage import AccountKeyErased, PersonalKeys, append_request, call_append, keys_of

_APPEND = "SELECT * FROM auth.append(%s, %s)"
_LAST_ADMINISTRATOR = "ES433"  # SQLSTATE of auth.append


class LastAdministrator(Exception):
    """The token is the only one that may do everything, so it cannot be revoked."""


def account_of(token: StoredToken) -> str:
    """The account to which the events of a token belong; `*` if it is not valid for exactly one."""
    if token.accounts is not None and len(token.accounts) == 1:
        return next(iter(token.accounts))
    return INSTALLATION


class PostgresTokenWriter:
    """Creates and revokes tokens in `auth.tokens`.

    `personal` encrypts the names in events, and `authenticate` authenticates the rows.
    """

    def __init__(
        self,
        pool: Pool,
        personal: PersonalKeys | None,
        authenticate: AuthenticateRow,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._pool = pool
        self._personal = personal
        self._key_of = keys_of(pool, personal)
        self._authenticate = authenticate
        self._new_id = new_id

    def create(self, token: StoredToken, metadata: Metadata) -> None:
        """Store a new token.

        Raises:
            VersionConflict: a token with this id was created before; nothing was written.
        """
        created = ServiceTokenCreated(
            token_id=token.token_id,
            name=token.name,
            scopes=tuple(sorted(token.scopes)),
            accounts=None if token.accounts is None else tuple(sorted(token.accounts)),
            projects=None if token.projects is None else tuple(sorted(token.projects)),
            expires_at=token.expires_at,
        )
        self._append(token, 0, created, metadata)

    def revoke(self, row: TokenRow, stream_version: int, metadata: Metadata, *, undone: bool = False) -> None:
        """Revoke the token of a row, at the time in `metadata`. If `undone`, the transaction is rolled back.

        Raises:
            LastAdministrator: nothing was written.
            VersionConflict: it was revoked in the meantime; nothing was written.
        """
        revoked = ServiceTokenRevoked(token_id=row.token.token_id, name=row.token.name)
        after = replace(row.token, revoked_at=metadata.occurred_at)
        self._append(after, stream_version, revoked, metadata, undone=undone)

    def _append(
        self,
        token: StoredToken,
        expected_version: int,
        payload: object,
        metadata: Metadata,
        *,
        undone: bool = False,
    ) -> None:
        metadata = replace(metadata, account_id=account_of(token))
        event = NewEvent(event_id=self._new_id(), payload=payload, metadata=metadata)
        try:
            self._append_once(token, expected_version, event, undone=undone)
        except AccountKeyErased:
            if self._personal:
                self._personal.renew(metadata.account_id)
            self._append_once(token, expected_version, event, undone=undone)

    def _append_once(
        self, token: StoredToken, expected_version: int, event: NewEvent, *, undone: bool
    ) -> None:
        stream = service_token_stream(token.token_id)
        argument = append_request(stream, expected_version, [event], None, self._key_of)
        try:
            call_append(
                self._pool, _APPEND, [argument, self._row(token, expected_version + 1)], None, undone=undone
            )
        except psycopg.Error as error:
            if error.sqlstate == _LAST_ADMINISTRATOR:
                raise LastAdministrator from None
            raise

    def _row(self, token: StoredToken, version: int) -> str:
        row = asdict(token) | {
            "hash": "\\x" + token.hash.hex(),
            "version": version,
            "mac": "\\x" + row_code(token, version, self._authenticate).hex(),
        }
        for name in ("scopes", "accounts", "projects"):
            row[name] = None if row[name] is None else sorted(row[name])
        return msgspec.json.encode(row).decode()
