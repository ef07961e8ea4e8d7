"""Tags and images of a registry, read with a stored credential.

The secret is sent to the registry of the credential only, and is not stored anywhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from chassis.invalid_input import FieldProblem, InvalidInput
from contracts.credential import Active
from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode
from registries.image_reference import ImageReference
from registries.input.image import read_image
from registries.logins.cloud_keys import StoredLogin, read_stored_login
from registries.logins.registry_login import RegistryLogin
from registries.protocol.browser import Browser, RegistryAccount, RegistryRefused, RegistryUnreachable
from registries.protocol.manifests import FoundImage
from registries.protocol.tag_list import TagPage
from registries.repository_prefixes import covering_prefix
from registries.token_minter.minter import Minter, MintKey
from registries.token_service import NotMinted
from secretstore.store import SecretPath, SecretStore, StoredSecretUnreadable, read_secret
from verifier.policy import active_credential
from verifier.schedule.admission import Admission, LoginIdentity
from verifier.schedule.backoff import REFUSED
from verifier.verifier import VERIFIED, Streams


class LastOutcome(Protocol):
    """`verifier.schedule.table.ScheduleTable.last_outcome`."""

    def __call__(self, credential_id: UUID, secret_version: int) -> str | None: ...


class NoSuchCredential(Exception):
    """The account has no credential with this id, or it was removed."""


class OutOfScope(Exception):
    """The credential does not permit this query.

    `reason` is `other_repository` if it is not for the requested repository, and `no_pull_scope` if it is not
    for pulling.
    """

    def __init__(self, reason: Literal["other_repository", "no_pull_scope"]) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginRefused(Exception):
    """The registry refused this secret at the last login, so it is not tried again automatically."""


class SecretChanging(Exception):
    """The secret was replaced or removed after the credential was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBrowser:
    """Reads a registry with a stored credential.

    Raises `NoSuchCredential`, `OutOfScope`, `LoginRefused`, `SecretChanging`, `LoginDelayed`, `InvalidInput`,
    `RegistryError`, `EventStoreError`, `StoredSecretUnreadable` and `SecretStoreUnavailable`.
    """

    streams: Streams
    secrets: SecretStore
    minter: Minter
    browser: Browser
    admission: Admission
    last_outcome: LastOutcome

    def tags(
        self, account_id: str, credential_id: UUID, repository: str, *, limit: int, after: str | None
    ) -> TagPage:
        """A page of the tags of a repository in the credential's registry."""
        credential = self._active(account_id, credential_id)
        name = _repository(credential.registry.host, repository)
        with self._account(account_id, credential_id, credential, name) as account:
            return self.browser.tags(account, name, limit=limit, after=after)

    def image(self, account_id: str, credential_id: UUID, image: ImageReference) -> FoundImage | None:
        """An image of the credential's registry; `None` if it does not exist or is hidden from the login."""
        credential = self._active(account_id, credential_id)
        if image.registry_host != credential.registry.host:
            detail = f"the image is not in {credential.registry.host}, the registry of the credential"
            raise InvalidInput((FieldProblem("/reference", "host_mismatch", detail),))
        with self._account(account_id, credential_id, credential, image.repository) as account:
            return self.browser.image(account, image)

    def _active(self, account_id: str, credential_id: UUID) -> Active:
        events = self.streams(credential_stream(credential_id))
        credential = active_credential(events)
        if credential is None or events[0].metadata.account_id != account_id:
            raise NoSuchCredential  # also for a credential of another account, to not reveal that it exists
        return credential

    @contextmanager
    def _account(
        self, account_id: str, credential_id: UUID, credential: Active, repository: str
    ) -> Iterator[RegistryAccount]:
        """The login for reading a repository, after it was admitted."""
        if not credential.details.scope.pull:
            raise OutOfScope("no_pull_scope")
        if covering_prefix(credential.details.repository_prefixes, repository) is None:
            raise OutOfScope("other_repository")
        last = self.last_outcome(credential_id, credential.secret.version)
        if last in REFUSED:
            raise LoginRefused
        path, version = SecretPath(account_id, credential_id), credential.secret.version
        try:
            stored = read_secret(self.secrets, path, version, read_stored_login)
        except StoredSecretUnreadable:
            if self._active(account_id, credential_id).secret.version != version:
                raise SecretChanging from None
            raise
        identity = LoginIdentity(
            registry_host=credential.registry.host,
            username=credential.username,
            account_id=account_id,
            known_valid=last == VERIFIED,
        )
        with self.admission.for_read(identity) as attempt:
            try:
                key = MintKey(credential_id, credential.secret.version, credential.registry.host)
                login = self._login(key, stored, credential.registry.host)
                yield RegistryAccount(
                    registry_host=credential.registry.host, provider=credential.registry.provider, login=login
                )
            except RegistryRefused as refusal:
                if refusal.code is not None:
                    attempt.ended(refusal.code, refusal.retry_after)
                raise
            except RegistryUnreachable:
                attempt.ended(VerificationCode.UNREACHABLE)
                raise

    def _login(self, key: MintKey, stored: StoredLogin, registry_host: str) -> RegistryLogin:
        try:
            return self.minter.login(key, stored, registry_host=registry_host).login
        except NotMinted as failure:
            if failure.refused:
                raise RegistryRefused(failure.detail, failure.retry_after, failure.code) from None
            raise RegistryUnreachable(failure.detail) from None


def _repository(registry_host: str, text: str) -> str:
    """The canonical name of a repository (`library/nginx` for `nginx` on Docker Hub)."""
    if ":" in text or "@" in text:
        detail = "enter the name of a repository without tag or digest"
        raise InvalidInput((FieldProblem("/repository", "invalid_repository", detail),))
    return read_image(f"{registry_host}/{text}", "/repository").repository
