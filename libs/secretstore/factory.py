"""The secret store that the settings select: HashiCorp Vault, or without it the encrypted table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from psycopg_pool import ConnectionPool

from chassis.database import Connection, DatabaseUnavailable, database_errors
from chassis.runtime.guarded_dependency import GuardedDependency
from chassis.settings.environment import Settings
from secretstore.encrypted_table import EncryptedStore
from secretstore.installation import has_vault, installation_id, is_copy, record_vault
from secretstore.keyfile import KeyFile
from secretstore.measured import MeasuredStore
from secretstore.store import SecretStore, SecretStoreUnavailable, WrongSecretStore
from secretstore.vault import DatabaseIdentity, InstallationBinding, VaultStore
from secretstore.vault_session import VaultSettings

log = structlog.get_logger()

_DATABASE_SECONDS = 2.0


def open_secret_store(
    settings: Settings,
    *,
    pool: ConnectionPool[psycopg.Connection[Any]],
    keys: KeyFile,
    claims: bool = False,
    waiting_threads: int | None = None,
) -> SecretStore:
    """Return the secret store of these settings, bound to the installation of the database.

    The parameters are those of `new_secret_store`.

    Raises:
        WrongSecretStore: Vault belongs to another installation or lost its secrets, or the database is a
            copy.
    """
    store = new_secret_store(settings, pool=pool, keys=keys, claims=claims, waiting_threads=waiting_threads)
    store.bind()
    return store


def new_secret_store(
    settings: Settings,
    *,
    pool: ConnectionPool[psycopg.Connection[Any]],
    keys: KeyFile,
    claims: bool = False,
    waiting_threads: int | None = None,
) -> MeasuredStore:
    """Return the secret store of these settings, without a request.

    Its `bind` compares Vault with the database, or the first request if Vault cannot be reached then.
    `claims`: this service may bind a new Vault to the installation of the database. At most `waiting_threads`
    use the store at the same time. Further threads wait while it responds, and fail if it does not.
    """
    guard = GuardedDependency(slots=waiting_threads) if waiting_threads else None
    access = settings.vault
    if access is None:
        return MeasuredStore(EncryptedStore(pool, keys), kind="sealed", guard=guard)

    @contextmanager
    def database() -> Iterator[Connection]:
        try:
            with database_errors(), pool.connection(timeout=_DATABASE_SECONDS) as connection:
                yield connection
        except (DatabaseUnavailable, psycopg.ProgrammingError) as error:
            raise SecretStoreUnavailable(
                f"the database has no installation id, or cannot record Vault: {type(error).__name__}"
            ) from None

    def identity() -> DatabaseIdentity:
        with database() as connection:
            return DatabaseIdentity(installation_id(connection), has_vault(connection), is_copy(connection))

    def record() -> None:
        with database() as connection:
            record_vault(connection)

    vault = VaultStore(
        VaultSettings(
            addr=access.address,
            role_id=access.role_id,
            secret_id_file=access.secret_id_file,
            token_file=access.token_file,
            ca_file=access.ca_file,
        ),
        InstallationBinding(identity, record if claims else None),
    )

    def bind() -> None:
        try:
            vault.bind()
        except WrongSecretStore:
            vault.close()
            raise
        except SecretStoreUnavailable as error:
            log.warning("vault_not_compared_yet", error=str(error))

    return MeasuredStore(vault, kind="vault", guard=guard, bind=bind)
