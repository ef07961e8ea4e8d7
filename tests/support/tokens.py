"""Service tokens, stored without the API."""

from collections.abc import Iterable
from datetime import datetime
from secrets import token_bytes

import psycopg

from chassis.authentication.factory import open_tokens
from chassis.authentication.token_row import authenticate_rows, row_code
from chassis.authentication.token_table import token_hash
from chassis.authentication.tokens import StoredToken, TokenScope, compose
from chassis.database import Pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from credentials.application.service_tokens import ServiceTokens
from credentials.postgres_tokens import PostgresTokenWriter
from eventlog.events import Actor, Metadata
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

_INSERT = """
INSERT INTO auth.tokens
    (token_id, name, hash, scopes, accounts, projects, created_at, created_by, expires_at, mac)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def metadata(account_id: str = "*") -> Metadata:
    """The metadata of an event of a test."""
    return Metadata(
        account_id=account_id,
        actor=Actor(type="system", id="a test", name="a test"),
        occurred_at=now(),
        request_id="a-test",
        correlation_id="a-test",
    )


def store_token(
    database_url: str,
    keys: KeyFile,
    scopes: Iterable[TokenScope],
    *,
    accounts: frozenset[str] | None = None,
    projects: frozenset[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Store a token with these rights, and return its text.

    Like a token of 0.9.0 it has no events, so that the log has only those of the test.
    """
    token_id, text = compose(token_bytes(38))
    token = StoredToken(
        token_id=token_id,
        name="a test",
        hash=token_hash(keys)(text),
        scopes=frozenset(scopes),
        accounts=accounts,
        projects=projects,
        created_at=now(),
        created_by="a test",
        expires_at=expires_at,
    )
    values = (
        *(token.token_id, token.name, token.hash, sorted(token.scopes)),
        *(None if ids is None else sorted(ids) for ids in (accounts, projects)),
        *(token.created_at, token.created_by, token.expires_at),
        row_code(token, 0, authenticate_rows(keys)),
    )
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(_INSERT, values)
    return text.reveal()


def service_tokens(pool: Pool, keys: KeyFile) -> ServiceTokens:
    """The commands on tokens, as the credentials service composes them."""
    return ServiceTokens(
        open_tokens(pool, keys),
        PostgresTokenWriter(pool, open_personal_keys(keys), authenticate_rows(keys), new_id=new_id),
        keyed_hash=token_hash(keys),
        derive=lambda text: bytes.fromhex(keys.keyed_hash("new token", text)),
        longest_life=None,
    )
