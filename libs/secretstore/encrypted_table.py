"""The secret store of an installation without Vault: a table that is encrypted with the key file.

The cipher is AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D). Account, credential, version and key
of a row are authenticated with it. A row that was moved or relabelled therefore cannot be decrypted.
"""

import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_bytes
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg_pool import ConnectionPool, PoolTimeout

from chassis.secret import Secret
from secretstore.keyfile import KeyFile, KeyFileError
from secretstore.store import (
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretStoreError,
    SecretStoreUnavailable,
    SecretVersionConflict,
    StoredVersion,
)

NONCE_BYTES = 12
_PAGE = 1000


class SecretDamaged(SecretStoreError):
    """A row cannot be decrypted: it was changed or moved, or the key file is of another installation."""

    def __init__(self) -> None:
        super().__init__("the encrypted secret cannot be decrypted with this key file")


class EncryptedStore:
    """`SecretStore` in the table `encrypted.secrets`."""

    def __init__(self, pool: ConnectionPool[psycopg.Connection[Any]], keys: KeyFile) -> None:
        self._pool = pool
        self._keys = keys

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        version = expected_version + 1
        key = self._keys.primary
        nonce = token_bytes(NONCE_BYTES)
        ciphertext = AESGCM(self._keys.key(key)).encrypt(
            nonce, secret.reveal().encode(), _label(path, version, key)
        )
        with self._connection() as connection:
            row = connection.execute(
                "INSERT INTO encrypted.secrets"
                " (account_id, credential_id, version, write_id, key, nonce, ciphertext)"
                " SELECT %(account)s, %(credential)s, %(version)s, %(write)s, %(key)s, %(nonce)s, %(text)s"
                " WHERE %(expected)s = (SELECT coalesce(max(version), 0) FROM encrypted.secrets"
                "                       WHERE account_id = %(account)s AND credential_id = %(credential)s)"
                " ON CONFLICT DO NOTHING RETURNING version",
                {
                    "account": path.account_id,
                    "credential": path.credential_id,
                    "version": version,
                    "write": write_id,
                    "key": key,
                    "nonce": nonce,
                    "text": ciphertext,
                    "expected": expected_version,
                },
            ).fetchone()
        if row is not None:
            return version
        return self._earlier_write(path, secret, write_id)

    def get(self, path: SecretPath, version: int) -> Secret:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT key, nonce, ciphertext FROM encrypted.secrets"
                " WHERE account_id = %s AND credential_id = %s AND version = %s",
                (path.account_id, path.credential_id, version),
            ).fetchone()
        if row is None:
            raise SecretMissing
        key, nonce, ciphertext = row
        if ciphertext is None:
            raise SecretDestroyed
        try:
            plaintext = AESGCM(self._keys.key(key)).decrypt(nonce, ciphertext, _label(path, version, key))
        except (InvalidTag, KeyFileError):
            raise SecretDamaged from None
        return Secret(plaintext.decode())

    def delete(self, path: SecretPath, versions: Sequence[int]) -> None:
        """Destroy the versions. The table is in the database of the log, so it cannot be at another time."""
        self.destroy(path, versions)

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        with self._connection() as connection:
            connection.execute(
                "UPDATE encrypted.secrets SET ciphertext = NULL, nonce = NULL"
                " WHERE account_id = %s AND credential_id = %s AND version = ANY (%s)",
                (path.account_id, path.credential_id, list(versions)),
            )

    def remove(self, path: SecretPath) -> None:
        with self._connection() as connection:
            connection.execute(
                "DELETE FROM encrypted.secrets WHERE account_id = %s AND credential_id = %s",
                (path.account_id, path.credential_id),
            )

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT version, destroyed FROM encrypted.secrets"
                " WHERE account_id = %s AND credential_id = %s ORDER BY version",
                (path.account_id, path.credential_id),
            ).fetchall()
        return tuple(StoredVersion(*row) for row in rows)

    def current_version(self, path: SecretPath) -> int:
        versions = self.versions(path)
        return versions[-1].version if versions else 0

    def paths(self) -> Iterator[SecretPath]:
        after = ("", "00000000-0000-0000-0000-000000000000")
        while True:
            with self._connection() as connection:
                rows = connection.execute(
                    "SELECT DISTINCT account_id, credential_id FROM encrypted.secrets"
                    " WHERE (account_id, credential_id) > (%s, %s::uuid)"
                    " ORDER BY account_id, credential_id LIMIT %s",
                    (*after, _PAGE),
                ).fetchall()
            yield from (SecretPath(*row) for row in rows)
            if len(rows) < _PAGE:
                return
            after = (rows[-1][0], str(rows[-1][1]))

    def check(self) -> None:
        with self._connection() as connection:
            connection.execute("SELECT version FROM encrypted.secrets LIMIT 1")

    def close(self) -> None:
        """Do nothing: the owner of the pool closes it."""

    def _earlier_write(self, path: SecretPath, secret: Secret, write_id: str) -> int:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT version, write_id FROM encrypted.secrets WHERE account_id = %s AND credential_id = %s"
                " ORDER BY version DESC LIMIT 1",
                (path.account_id, path.credential_id),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[1], write_id):
            raise SecretVersionConflict
        try:
            same = self.get(path, row[0]) == secret
        except SecretDestroyed:
            same = False
        if not same:
            raise SecretVersionConflict
        return int(row[0])

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise SecretStoreUnavailable(type(error).__name__, retry_after=2) from None


def _label(path: SecretPath, version: int, key: str) -> bytes:
    parts = ["regcred-sealed", 1, key, path.account_id, str(path.credential_id), version]
    return json.dumps(parts, separators=(",", ":")).encode()
