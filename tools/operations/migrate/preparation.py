"""The prerequisites of the services: schema, topology, keys and first tokens."""

import os
from pathlib import Path
from secrets import token_bytes

import psycopg

from chassis.authentication.factory import open_tokens
from chassis.authentication.token_table import token_hash
from chassis.authentication.tokens import StoredToken, TokenScope, compose, parse
from chassis.database import open_pool
from chassis.runtime.clock import now
from chassis.secret import Secret
from contracts.broker import TOPOLOGY
from eventlog.broker import declare_topology
from eventlog.storage import refuse_lower_transaction_ids
from operations.migrate.migrations import migrate
from operations.migrate.owned_files import Owner, write
from secretstore.keyfile import KeyFile

_TOKEN_ROLE = "regcred_credentials"  # noqa: S105 the name of a role
_RANDOM_BYTES = 38
_PRIVATE = 0o600


class DamagedToken(Exception):
    """The file of a token does not contain a token."""


def prepare(database_url: str, broker_url: str | None) -> list[str]:
    """Prepare schema and roles of the database, and the topology of the broker.

    It is safe to repeat, and to run twice at the same time. Return the names of the migrations that were
    applied now.

    Raises:
        LowerTransactionIds: the log was restored into a cluster in which it cannot continue.
    """
    applied = migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        refuse_lower_transaction_ids(connection)
    if broker_url:
        declare_topology(broker_url, TOPOLOGY)
    return applied


def prepare_keys(path: Path) -> KeyFile:
    """Load the key file. The first start creates it (0600)."""
    return KeyFile.load(path) if path.exists() else KeyFile.create(path)


def prepare_admin_token(path: Path, database_url: str, keys: KeyFile) -> None:
    """Create the admin token at the first start (0600), and store its hash in the database.

    An empty file counts as missing.

    Raises:
        DamagedToken: the file contains something else.
    """
    _prepare_token(
        path, database_url, keys, name="admin of this machine", scope=TokenScope.ADMIN, accounts=None
    )


def prepare_metrics_token(path: Path, database_url: str, keys: KeyFile) -> None:
    """Create a token for `/metrics` only, without accounts. Otherwise like the admin token."""
    _prepare_token(
        path, database_url, keys, name="prometheus", scope=TokenScope.AUDIT_READ, accounts=frozenset()
    )


def _prepare_token(
    path: Path,
    database_url: str,
    keys: KeyFile,
    *,
    name: str,
    scope: TokenScope,
    accounts: frozenset[str] | None,
) -> None:
    stored = path.read_bytes().decode(errors="replace").strip() if path.exists() else ""
    if stored:
        text = Secret(stored)
        parsed = parse(text.reveal())
        if parsed is None:
            raise DamagedToken(f"{path} does not contain a token; remove the file to create a new token")
        token_id = parsed.token_id
    else:
        token_id, text = compose(token_bytes(_RANDOM_BYTES))
        write(path, text.reveal() + "\n", Owner(os.geteuid(), os.getegid()), _PRIVATE)
    with open_pool(database_url, role=_TOKEN_ROLE, size=1) as pool:
        open_tokens(pool, keys).add(
            StoredToken(
                token_id=token_id,
                name=name,
                hash=token_hash(keys)(text),
                scopes=frozenset({scope}),
                accounts=accounts,
                projects=None,
                created_at=now(),
                created_by="regcred up",
                expires_at=None,
            )
        )
