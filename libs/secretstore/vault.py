"""The secret store in HashiCorp Vault, KV version 2 under one mount.

A version contains `{"secret": …, "write_id": …}`. The write id distinguishes a repeated write from another
one.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import hvac
import requests

from chassis.secret import Secret
from secretstore.store import (
    SecretDamaged,
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretVersionConflict,
    StoredVersion,
)
from secretstore.vault_session import VaultSession, VaultSettings, field


class VaultStore:
    """`SecretStore` in Vault. Threads may share it. Processes may not, because it has open connections."""

    def __init__(self, settings: VaultSettings) -> None:
        self._mount = settings.mount
        self._session = VaultSession(settings)

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        fields = {"secret": secret.reveal(), "write_id": write_id}

        def write(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.create_or_update_secret(
                str(path), fields, cas=expected_version, mount_point=self._mount
            )

        try:
            response = self._session.ask(write)
        except SecretVersionConflict:
            return self._earlier_write(path, secret, write_id)
        return int(field(response, "data", "version"))

    def get(self, path: SecretPath, version: int) -> Secret:
        secret = self._read(path, version).get("secret")
        if not isinstance(secret, str):
            raise SecretDamaged  # another program wrote it
        return Secret(secret)

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        def destroy(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.destroy_secret_versions(
                str(path), list(versions), mount_point=self._mount
            )

        with suppress(SecretMissing):
            _done(self._session.ask(destroy))

    def remove(self, path: SecretPath) -> None:
        def remove(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.delete_metadata_and_all_versions(str(path), mount_point=self._mount)

        with suppress(SecretMissing):
            _done(self._session.ask(remove))

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        try:
            versions = field(self._metadata(path), "versions")
        except SecretMissing:
            return ()
        return tuple(
            StoredVersion(number, _moment(about["created_time"]), bool(about["destroyed"]))
            for number, about in sorted((int(number), about) for number, about in versions.items())
        )

    def current_version(self, path: SecretPath) -> int:
        try:
            return int(field(self._metadata(path), "current_version"))
        except SecretMissing:
            return 0

    def paths(self) -> Iterator[SecretPath]:
        for folder in self._list("accounts"):
            account = folder.removesuffix("/")
            for credential in self._list(f"accounts/{account}/credentials"):
                path = _path(account, credential)
                if path is not None:
                    yield path

    def check(self) -> None:
        self._session.check()

    def close(self) -> None:
        self._session.close()

    def _earlier_write(self, path: SecretPath, secret: Secret, write_id: str) -> int:
        """Return the newest version if it is this write, whose response was lost."""
        current = self.current_version(path)
        try:
            fields = self._read(path, current)
        except (SecretMissing, SecretDestroyed):
            raise SecretVersionConflict from None
        if fields.get("write_id") != write_id or Secret(str(fields.get("secret"))) != secret:
            raise SecretVersionConflict
        return current

    def _read(self, path: SecretPath, version: int) -> dict[str, Any]:
        def read(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_version(
                str(path),
                version=version,
                mount_point=self._mount,
                raise_on_deleted_version=True,
            )

        if version < 1:
            raise SecretMissing  # Vault reads 0 as the newest version
        fields: dict[str, Any] = field(self._session.ask(read), "data", "data")
        return fields

    def _metadata(self, path: SecretPath) -> dict[str, Any]:
        def read(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_metadata(str(path), mount_point=self._mount)

        data: dict[str, Any] = field(self._session.ask(read), "data")
        return data

    def _list(self, prefix: str) -> list[str]:
        def list_keys(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.list_secrets(prefix, mount_point=self._mount)

        try:
            return list(field(self._session.ask(list_keys), "data", "keys"))
        except SecretMissing:
            return []


def _path(account: str, credential: str) -> SecretPath | None:
    """Return the path of these names; `None` for an entry of another program."""
    try:
        path = SecretPath(account, UUID(credential))
    except ValueError:
        return None
    return path if str(path.credential_id) == credential else None


def _done(response: Any) -> None:
    """Check the response to a request without a result: it is empty, unless Vault adds a warning."""
    if getattr(response, "status_code", 0) != requests.codes.no_content:
        field(response, "request_id")


def _moment(text: str) -> datetime:
    """Convert RFC 3339 with nanoseconds, as Go writes it, to a time with microseconds."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")
