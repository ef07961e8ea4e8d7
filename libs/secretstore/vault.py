"""The secret store in HashiCorp Vault, KV version 2 under one mount.

A version contains `{"secret": …, "write_id": …}`. The write id distinguishes a repeated write from another
one.

The secret `installation` has the id of the installation to which the mount belongs. The store compares it
with that of the database before its first request, before each sweep and before each deletion.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import hvac
import requests

from chassis.secret import Secret
from secretstore.store import (
    SecretDamaged,
    SecretDestroyed,
    SecretMissing,
    SecretPath,
    SecretStoreUnavailable,
    SecretVersionConflict,
    StoredVersion,
    WrongSecretStore,
)
from secretstore.vault_session import REFUSED_RETRY_AFTER, VaultSession, VaultSettings, field

INSTALLATION = "installation"  # the path of the id
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """The id in the database, whether a mount had it before, and whether the database is a copy."""

    installation: UUID
    had_mount: bool
    is_copy: bool


@dataclass(frozen=True, slots=True)
class InstallationBinding:
    """The installation to which the mount must belong.

    `identity` reads from the database. With `record`, this service writes the id to the mount of a new
    installation, and then calls it. Others wait until it has.
    """

    identity: Callable[[], DatabaseIdentity]
    record: Callable[[], None] | None


class VaultStore:
    """`SecretStore` in Vault. Threads may share it. Processes may not, because it has open connections.

    Without a `binding` the mount may belong to any installation; only tests and benchmarks omit it.
    """

    def __init__(self, settings: VaultSettings, binding: InstallationBinding | None = None) -> None:
        self._mount = settings.mount
        self._session = VaultSession(settings)
        self._binding = binding
        self._bound = binding is None

    def put(self, path: SecretPath, secret: Secret, *, write_id: str, expected_version: int) -> int:
        fields = {"secret": secret.reveal(), "write_id": write_id}

        def write(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.create_or_update_secret(
                str(path), fields, cas=expected_version, mount_point=self._mount
            )

        try:
            response = self._ask(write)
        except SecretVersionConflict:
            return self._earlier_write(path, secret, write_id)
        return int(field(response, "data", "version"))

    def get(self, path: SecretPath, version: int) -> Secret:
        secret = self._read(path, version).get("secret")
        if not isinstance(secret, str):
            raise SecretDamaged  # another program wrote it
        return Secret(secret)

    def delete(self, path: SecretPath, versions: Sequence[int]) -> None:
        def delete(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.delete_secret_versions(
                str(path), list(versions), mount_point=self._mount
            )

        with suppress(SecretMissing):
            _done(self._ask_bound(delete))

    def destroy(self, path: SecretPath, versions: Sequence[int]) -> None:
        def destroy(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.destroy_secret_versions(
                str(path), list(versions), mount_point=self._mount
            )

        with suppress(SecretMissing):
            _done(self._ask_bound(destroy))

    def remove(self, path: SecretPath) -> None:
        def remove(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.delete_metadata_and_all_versions(str(path), mount_point=self._mount)

        with suppress(SecretMissing):
            _done(self._ask_bound(remove))

    def versions(self, path: SecretPath) -> tuple[StoredVersion, ...]:
        try:
            versions = field(self._metadata(path), "versions")
        except SecretMissing:
            return ()
        return tuple(
            StoredVersion(number, bool(about["destroyed"]), bool(about["deletion_time"]))
            for number, about in sorted((int(number), about) for number, about in versions.items())
        )

    def current_version(self, path: SecretPath) -> int:
        try:
            return int(field(self._metadata(path), "current_version"))
        except SecretMissing:
            return 0

    def paths(self) -> Iterator[SecretPath]:
        self.bind()
        for folder in self._list("accounts"):
            account = folder.removesuffix("/")
            for credential in self._list(f"accounts/{account}/credentials"):
                path = _path(account, credential)
                if path is not None:
                    yield path

    def check(self) -> None:
        """Raise an error of the port if Vault cannot serve requests.

        The health that Vault reports does not show everything: if it cannot write its audit log, it refuses
        every request. After a failed request, the installation is read again.
        """
        self._session.check()
        if not self._bound or self._session.failing:
            self.bind()

    def bind(self) -> None:
        """Compare the id of the installation in the mount with that of the database.

        Raises:
            WrongSecretStore: the mount belongs to another installation, or lost its secrets, or the database
                is a copy.
            SecretStoreUnavailable: Vault or the database cannot be reached, or the mount has no id yet.
        """
        if self._binding is None:
            return
        self._bound = False
        database = self._binding.identity()
        expected, had_mount = database.installation, database.had_mount
        if database.is_copy:
            raise WrongSecretStore(copied_database(expected), retry_after=REFUSED_RETRY_AFTER)
        found, record = self._installation(), self._binding.record
        if found is None and had_mount:
            raise WrongSecretStore(empty_vault(expected), retry_after=REFUSED_RETRY_AFTER)
        if found is None and record:
            with suppress(SecretVersionConflict):
                self._session.ask(lambda client: self._claim(client, expected))
            found = self._installation()
        if found is None:
            raise SecretStoreUnavailable(
                "the mount has no installation yet: the credentials service writes it"
            )
        if found != str(expected):
            raise WrongSecretStore(wrong_vault(found, expected), retry_after=REFUSED_RETRY_AFTER)
        if record and not had_mount:
            record()
        self._bound = True

    def _installation(self) -> str | None:
        def read(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_version(
                INSTALLATION, mount_point=self._mount, raise_on_deleted_version=True
            )

        try:
            return str(field(self._session.ask(read), "data", "data", "id"))
        except (SecretMissing, SecretDestroyed):
            return None

    def _claim(self, client: hvac.Client, installation: UUID) -> Any:
        return client.secrets.kv.v2.create_or_update_secret(
            INSTALLATION, {"id": str(installation)}, cas=0, mount_point=self._mount
        )

    def _ask(self, request: Callable[[hvac.Client], _T]) -> _T:
        if not self._bound:
            self.bind()
        return self._session.ask(request)

    def _ask_bound(self, request: Callable[[hvac.Client], _T]) -> _T:
        """As `_ask`, but compare before each request: the URL may lead to another database since the last."""
        self.bind()
        return self._session.ask(request)

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
        fields: dict[str, Any] = field(self._ask(read), "data", "data")
        return fields

    def _metadata(self, path: SecretPath) -> dict[str, Any]:
        def read(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_metadata(str(path), mount_point=self._mount)

        data: dict[str, Any] = field(self._ask(read), "data")
        return data

    def _list(self, prefix: str) -> list[str]:
        def list_keys(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.list_secrets(prefix, mount_point=self._mount)

        try:
            return list(field(self._ask(list_keys), "data", "keys"))
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


def wrong_vault(found: str, expected: UUID) -> str:
    """The sentence for the operator."""
    return (
        f"this Vault belongs to installation {found}, the database to {expected}. Correct REGCRED_VAULT_ADDR"
        " or REGCRED_DATABASE_URL. If this database replaces that of the other installation, read"
        " `regcred installation adopt --help`"
    )


def copied_database(installation: UUID) -> str:
    """The sentence for the operator."""
    return (
        f"this database is a copy of that of installation {installation}, to which the secrets in Vault"
        " belong. Correct REGCRED_DATABASE_URL. If it replaces the original, which nothing uses any more, run"
        " `regcred installation adopt --database`"
    )


def empty_vault(expected: UUID) -> str:
    """The sentence for the operator, for a mount without an id although the database has used one."""
    return (
        f"this Vault has no secrets of installation {expected}, to which the database belongs. Correct"
        " REGCRED_VAULT_ADDR, or restore Vault from its snapshot. If the secrets are lost for good, read"
        " `regcred installation adopt --help`"
    )
