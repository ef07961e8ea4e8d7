"""The secret store that the settings select: HashiCorp Vault, or without it the encrypted table."""

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from chassis.runtime.guarded_dependency import GuardedDependency
from chassis.settings.environment import Settings
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.measured import MeasuredStore
from secretstore.store import SecretStore
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings


def open_secret_store(
    settings: Settings,
    *,
    pool: ConnectionPool[psycopg.Connection[Any]],
    keys: KeyFile,
    waiting_threads: int | None = None,
) -> SecretStore:
    """Return the secret store of these settings. The first request connects to it.

    At most `waiting_threads` wait for it at the same time. Requests of further threads fail at once.
    """
    guard = GuardedDependency(slots=waiting_threads) if waiting_threads else None
    access = settings.vault
    if access is None:
        return MeasuredStore(EncryptedStore(pool, keys), kind="sealed", guard=guard)
    vault = VaultStore(
        VaultSettings(
            addr=access.address,
            role_id=access.role_id,
            secret_id_file=access.secret_id_file,
            token_file=access.token_file,
            ca_file=access.ca_file,
        )
    )
    return MeasuredStore(vault, kind="vault", guard=guard)
