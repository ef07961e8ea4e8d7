"""The secret store that the settings select: HashiCorp Vault, or without it the encrypted table."""

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from chassis.settings.environment import Settings
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.measured import MeasuredStore
from secretstore.store import SecretStore
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings


def open_secret_store(
    settings: Settings, *, pool: ConnectionPool[psycopg.Connection[Any]], keys: KeyFile
) -> SecretStore:
    """Return the secret store of these settings. The first request connects to it."""
    access = settings.vault
    if access is None:
        return MeasuredStore(EncryptedStore(pool, keys), kind="sealed")
    vault = VaultStore(
        VaultSettings(
            addr=access.address,
            role_id=access.role_id,
            secret_id_file=access.secret_id_file,
            token_file=access.token_file,
            ca_file=access.ca_file,
        )
    )
    return MeasuredStore(vault, kind="vault")
