"""The prerequisites of the services: schema, topology, keys and first tokens."""

from collections.abc import Sequence
from pathlib import Path
from secrets import token_bytes

import psycopg

from chassis.atomic_file import replace_file
from chassis.authentication.factory import open_tokens
from chassis.authentication.token_row import authenticate_rows
from chassis.authentication.token_table import PostgresTokens, token_hash
from chassis.authentication.tokens import RANDOM_BYTES, StoredToken, TokenScope, compose, parse
from chassis.database import open_pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from chassis.secret import Secret
from chassis.settings.environment import Settings
from contracts.broker import TOPOLOGY
from contracts.service_token_events import INSTALLATION
from credentials.postgres_tokens import PostgresTokenWriter
from credentials.state.token_rows import accept_tokens_of_0_9_0, record_creator_of_0_9_0
from eventlog.broker import declare_topology
from eventlog.events import Actor, Metadata
from eventlog.storage import VersionConflict, refuse_lower_transaction_ids
from operations.migrate.migrations import migrate
from secretstore.factory import open_secret_store
from secretstore.installation import has_recorded_keys, record_keys
from secretstore.keyfile import KeyFile, KeyFileError
from secretstore.personal_keys import open_personal_keys

_SERVICE_ROLE = "regcred_credentials"  # writes tokens and the id of the installation
_ROW_CODES = "0084_auth_token_events.sql"
_CREATOR = "regcred up"
_PRIVATE = 0o600
_REPLACED = """
SELECT token_id FROM auth.tokens
WHERE name = %s AND created_by = %s AND token_id <> %s AND created_at < %s AND revoked_at IS NULL
"""


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
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        refuse_lower_transaction_ids(connection)
    if broker_url:
        declare_topology(broker_url, TOPOLOGY)
    return applied


def prepare_keys(path: Path) -> KeyFile:
    """Load the key file, or create it (0600)."""
    return KeyFile.load(path) if path.exists() else KeyFile.create(path)


def bind_keys(path: Path, database_url: str) -> KeyFile:
    """Load the key file of this database. The first start creates it (0600) and records its keys.

    Raises:
        KeyFileError: the file cannot be used, is of another installation, or is missing beside existing data.
    """
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        if not path.exists() and has_recorded_keys(connection):
            raise KeyFileError(
                f"there is no key file {path}, and the data in this database needs it. Restore it from its"
                " backup, or set REGCRED_KEY_FILE to its path. If it is lost for good, read"
                " `regcred installation adopt --help`"
            )
        keys = prepare_keys(path)
        record_keys(keys, connection)
    return keys


def accept_former_tokens(applied: Sequence[str], database_url: str, keys: KeyFile) -> None:
    """Let the tokens of 0.9.0 authenticate, in the run that has added the codes of their rows (`applied`).

    Later, a row without a code is one that somebody has written by hand.
    """
    if _ROW_CODES in applied:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
            accept_tokens_of_0_9_0(connection, authenticate_rows(keys))


def bind_secret_store(settings: Settings, database_url: str, keys: KeyFile) -> None:
    """Bind Vault to the installation of this database, if there is a Vault and it can be reached.

    Raises:
        WrongSecretStore: Vault belongs to another installation.
    """
    with open_pool(database_url, role=_SERVICE_ROLE, size=1) as pool:
        open_secret_store(settings, pool=pool, keys=keys, claims=True).close()


def prepare_admin_token(path: Path, database_url: str, keys: KeyFile) -> None:
    """Create the admin token at the first start (0600), and store its hash in the database.

    An empty file counts as missing. A new token revokes the one that it replaces. Of a token of 0.9.0
    the file is recorded at the first start, and it is not revoked if the file was lost before.

    Raises:
        DamagedToken: the file contains something else.
    """
    _prepare_token(path, database_url, keys, name="admin of this machine", scope=TokenScope.ADMIN)


def prepare_metrics_token(path: Path, database_url: str, keys: KeyFile) -> None:
    """Create a token for `/metrics` only. Otherwise like the admin token."""
    _prepare_token(path, database_url, keys, name="prometheus", scope=TokenScope.METRICS_READ)


def _prepare_token(path: Path, database_url: str, keys: KeyFile, *, name: str, scope: TokenScope) -> None:
    stored = path.read_bytes().decode(errors="replace").strip() if path.exists() else ""
    if stored:
        text = Secret(stored)
        parsed = parse(text.reveal())
        if parsed is None:
            raise DamagedToken(f"{path} does not contain a token; remove the file to create a new token")
        token_id = parsed.token_id
    else:
        token_id, text = compose(token_bytes(RANDOM_BYTES))
        replace_file(path, f"{text.reveal()}\n".encode(), mode=_PRIVATE)
    token = StoredToken(
        token_id=token_id,
        name=name,
        hash=token_hash(keys)(text),
        scopes=frozenset({scope}),
        accounts=None,
        projects=None,
        created_at=now(),
        created_by=f"{_CREATOR} {path.absolute()}",
        expires_at=None,
    )
    with open_pool(database_url, role=_SERVICE_ROLE, size=1) as pool:
        tokens = open_tokens(pool, keys)
        if tokens.read(token_id) is not None:
            if tokens.authenticate(text.reveal()) is not None:
                _record_file(database_url, token, keys)
            return
        writer = PostgresTokenWriter(pool, open_personal_keys(keys), authenticate_rows(keys), new_id=new_id)
        try:
            writer.create(token, _metadata())
        except VersionConflict:
            return  # by another process at the same time
        _revoke_replaced(database_url, token, tokens, writer)


def _record_file(database_url: str, token: StoredToken, keys: KeyFile) -> None:
    """Record the file of a valid token of 0.9.0, which did not. `token` is that of this file."""
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        record_creator_of_0_9_0(
            connection, token, authenticate_rows(keys), former=_CREATOR, creator=token.created_by
        )


def _revoke_replaced(
    database_url: str, token: StoredToken, tokens: PostgresTokens, writer: PostgresTokenWriter
) -> None:
    """Revoke the tokens that were in the same file before, which was lost or changed."""
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        replaced = connection.execute(
            _REPLACED, (token.name, token.created_by, token.token_id, token.created_at)
        ).fetchall()
    for (token_id,) in replaced:
        found = tokens.read(token_id)
        if found is not None:
            metadata = _metadata()
            writer.revoke(found[0], found[1], metadata, at=metadata.occurred_at)


def _metadata() -> Metadata:
    """The metadata of an event that this program causes without a request."""
    cause = str(new_id())
    actor = Actor(type="system", id=_CREATOR, name=_CREATOR)
    return Metadata(
        account_id=INSTALLATION, actor=actor, occurred_at=now(), request_id=cause, correlation_id=cause
    )
