"""Read the secrets of a decision, as the logins that are issued."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

import structlog

from credentials.domain.issuance import Grant, PullSecretRequest
from credentials.domain.pull_secret_formats import Issued
from registries.logins.cloud_keys import StoredLogin, read_stored_login
from registries.token_minter.minter import MintKey
from registries.token_service import Minted, NotMinted
from secretstore.store import SecretPath, SecretStore, StoredSecretUnreadable, read_secret

log = structlog.get_logger()


class LoginMinter(Protocol):
    """The part of `registries.token_minter.minter.Minter` that is used here."""

    def login(
        self, key: MintKey, stored: StoredLogin, *, registry_host: str, short_lived: bool = False
    ) -> Minted:
        """Return a login. Raises `NotMinted`."""


class KeysRefused(Exception):
    """A cloud refused the stored keys of a credential."""

    def __init__(self, credential_id: UUID) -> None:
        super().__init__("a cloud refused the stored keys")
        self.credential_id = credential_id


class SecretLost(Exception):
    """A secret cannot be read: it was removed or rotated since the decision to issue it, or is lost."""

    def __init__(self, error: str, credential_id: UUID) -> None:
        super().__init__(error)
        self.error = error
        self.credential_id = credential_id


class IssuedLogins:
    """Reads stored logins, and lets clouds create logins from stored keys."""

    def __init__(self, secrets: SecretStore, minter: LoginMinter) -> None:
        self._secrets = secrets
        self._minter = minter

    def read(self, account_id: str, wanted: PullSecretRequest, grants: Iterable[Grant]) -> tuple[Issued, ...]:
        """Return the login of each grant.

        Raises:
            KeysRefused, SecretLost: that of one grant cannot be used.
            NotMinted: a cloud is unavailable.
            SecretStoreUnavailable: no secret can be read now.
        """
        return tuple(self._read_one(account_id, wanted, grant) for grant in grants)

    def _read_one(self, account_id: str, wanted: PullSecretRequest, grant: Grant) -> Issued:
        """Return the stored login, or a login that the cloud creates from the stored keys."""
        credential_id, version = grant.candidate.credential_id, grant.candidate.secret_version
        try:
            path = SecretPath(account_id, credential_id)
            stored = read_secret(self._secrets, path, version, read_stored_login)
        except StoredSecretUnreadable as error:
            raise SecretLost(type(error).__name__, credential_id) from None
        try:
            minted = self._minter.login(
                MintKey(credential_id, version, grant.registry_host),
                stored,
                registry_host=grant.registry_host,
                short_lived=wanted.short_lived,
            )
        except NotMinted as failure:
            log.warning("login_not_made", credential_id=str(credential_id), code=failure.code)
            if not failure.refused:
                raise
            raise KeysRefused(credential_id) from None
        return Issued(grant=grant, login=minted.login, expires_at=minted.expires_at)
