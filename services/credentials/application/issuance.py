"""Issue pull secrets: decide, read the secrets, record the issuance, and only then return them.

The transaction that records an issuance checks the credentials. If one has changed since the decision,
nothing is recorded and the request is decided again. A restriction or removal that was confirmed before a
request therefore applies to it, and comes before it in the log.

An Idempotency-Key only saves a repeated request its second record. No secret is stored under it, and the
repetition is decided again. If it selects the same credentials and versions, it refers to the first record.
Otherwise (a credential was rotated, restricted or removed) it is an issuance or refusal of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import structlog

from credentials.application.chosen_credential import chosen_credential
from credentials.application.command_handler import ATTEMPTS, CommandRequest, retried
from credentials.application.store import CredentialStore, DecidedOnOldVersion
from credentials.domain.issuance import (
    Grant,
    Image,
    IssuancePlan,
    NotIssuable,
    NotIssued,
    PullSecretRequest,
    Refusal,
    events_of,
    plan,
    refusals_of,
    refused_events,
)
from credentials.domain.pull_secret_formats import Issued
from eventlog.storage import Appended
from registries.logins.cloud_keys import StoredLogin, read_stored_login
from registries.matching import RequestedUse
from registries.token_minter.minter import MintKey
from registries.token_service import Minted, NotMinted
from secretstore.store import SecretPath, SecretStore, StoredSecretUnreadable, read_secret

log = structlog.get_logger()

_READ_ATTEMPTS = 10


class StillChanging(Exception):
    """The selected credentials changed during every attempt; nothing was issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSecret:
    """The issued secrets, and the id and version of the issuance that records them."""

    issuance_id: UUID
    version: int
    replayed: bool
    issued: tuple[Issued, ...]
    anonymous: tuple[Image, ...]


class LoginMinter(Protocol):
    """The part of `registries.token_minter.minter.Minter` that is used here."""

    def login(
        self, key: MintKey, stored: StoredLogin, *, registry_host: str, short_lived: bool = False
    ) -> Minted:
        """Return a login. Raises `NotMinted`."""


class _LoginRefused(Exception):
    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        super().__init__("a cloud refused the stored keys")
        self.refusals = refusals


class _Unreadable(Exception):
    """A secret cannot be read: it was removed or rotated since the decision to issue it, or is lost."""

    def __init__(self, error: str, refusals: tuple[Refusal, ...]) -> None:
        super().__init__(error)
        self.error = error
        self.refusals = refusals


class Issuer:
    """Issues pull secrets.

    Raises `NotIssued`, `CredentialNotFound` for the chosen one, `StillChanging`, `EventStoreError`,
    `SecretStoreUnavailable`, and `NotMinted` if a cloud is unavailable. After any of them no secret was
    issued.
    """

    def __init__(
        self,
        store: CredentialStore,
        secrets: SecretStore,
        minter: LoginMinter,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._minter = minter
        self._new_id = new_id

    def issue(self, request: CommandRequest, wanted: PullSecretRequest) -> PullSecret:
        """Issue the secrets that these images need."""

        def decided() -> PullSecret:
            return retried(
                lambda: self._issue_once(request, wanted), on=(DecidedOnOldVersion,), attempts=ATTEMPTS
            )

        try:
            return retried(decided, on=(_Unreadable,), attempts=_READ_ATTEMPTS)
        except DecidedOnOldVersion:
            raise StillChanging from None
        except _Unreadable as unreadable:
            log.error("secret_lost", error=unreadable.error, account_id=request.account_id)  # noqa: TRY400 a stack trace adds nothing
            raise self._refused(request, wanted, unreadable.refusals) from None

    def decided(self, request: CommandRequest, wanted: PullSecretRequest) -> IssuancePlan:
        """Return what would be issued. Nothing is read from the secret store or recorded.

        Raises:
            NotIssuable, CredentialNotFound: nothing would be issued.
        """
        found = self._decide(request, wanted)
        if found.refusals:
            raise NotIssuable(found.refusals)
        return found

    def _issue_once(self, request: CommandRequest, wanted: PullSecretRequest) -> PullSecret:
        decided = self._decide(request, wanted)
        if decided.refusals:
            raise self._refused(request, wanted, decided.refusals)
        try:
            issued = self._read_secrets(request, wanted, decided)
        except _LoginRefused as refused:
            raise self._refused(request, wanted, refused.refusals) from None
        if without_password := _without_password(wanted, issued):
            raise self._refused(request, wanted, without_password)
        return self._recorded(request, wanted, decided, issued)

    def _decide(self, request: CommandRequest, wanted: PullSecretRequest) -> IssuancePlan:
        hosts = sorted({image.registry_host for image in wanted.images})
        use = RequestedUse(
            project_id=wanted.project_id,
            operation="pull",
            at=request.now,
            chosen=chosen_credential(self._store, request.account_id, wanted.chosen),
        )
        return plan(wanted, self._store.candidates(request.account_id, hosts), use)

    def _read_secrets(
        self, request: CommandRequest, wanted: PullSecretRequest, decided: IssuancePlan
    ) -> tuple[Issued, ...]:
        return tuple(self._read_secret(request, wanted, grant) for grant in decided.grants)

    def _read_secret(self, request: CommandRequest, wanted: PullSecretRequest, grant: Grant) -> Issued:
        """Return the stored login, or a login that the cloud creates from the stored keys."""
        credential_id, version = grant.candidate.credential_id, grant.candidate.secret_version
        try:
            path = SecretPath(request.account_id, credential_id)
            stored = read_secret(self._secrets, path, version, read_stored_login)
        except StoredSecretUnreadable as error:
            refusals = refusals_of(wanted, grant, "secret_unreadable")
            raise _Unreadable(type(error).__name__, refusals) from None
        try:
            minted = self._minter.login(
                MintKey(credential_id, version),
                stored,
                registry_host=grant.candidate.registry_host,
                short_lived=wanted.short_lived,
            )
        except NotMinted as failure:
            log.warning("login_not_made", credential_id=str(credential_id), code=failure.code)
            if not failure.refused:
                raise
            raise _LoginRefused(refusals_of(wanted, grant, "login_refused")) from None
        return Issued(grant=grant, login=minted.login, expires_at=minted.expires_at)

    def _recorded(
        self,
        request: CommandRequest,
        wanted: PullSecretRequest,
        decided: IssuancePlan,
        issued: tuple[Issued, ...],
    ) -> PullSecret:
        summary = _summary(decided)
        issuance_id, appended = self._record(request, wanted, decided, summary, under_key=True)
        first: Mapping[str, Any] = appended.response or {}
        if appended.replayed and first["given"] != summary:
            issuance_id, appended = self._record(request, wanted, decided, summary, under_key=False)
        return PullSecret(
            issuance_id=UUID(first["issuance_id"]) if appended.replayed else issuance_id,
            version=appended.version,
            replayed=appended.replayed,
            issued=issued,
            anonymous=tuple(refusal.image for refusal in decided.anonymous),
        )

    def _record(
        self,
        request: CommandRequest,
        wanted: PullSecretRequest,
        decided: IssuancePlan,
        summary: Mapping[str, Any],
        *,
        under_key: bool,
    ) -> tuple[UUID, Appended]:
        issuance_id = self._new_id()
        response = {"issuance_id": str(issuance_id), "given": summary}
        appended = self._store.issue(
            issuance_id,
            request.events(events_of(decided, wanted, issuance_id), self._new_id),
            decided_on={grant.candidate.credential_id: grant.candidate.version for grant in decided.grants},
            request=request.idempotent_request(response) if under_key else None,
        )
        return issuance_id, appended

    def _refused(
        self, request: CommandRequest, wanted: PullSecretRequest, refusals: tuple[Refusal, ...]
    ) -> NotIssued:
        issuance_id = self._new_id()
        payloads = refused_events(refusals, wanted, issuance_id, anonymous=False)
        events = request.events(payloads, self._new_id)
        appended = self._store.issue(issuance_id, events, decided_on={}, request=None)
        return NotIssued(refusals, issuance_id=issuance_id, version=appended.version)


def _without_password(wanted: PullSecretRequest, issued: tuple[Issued, ...]) -> tuple[Refusal, ...]:
    """Return refusals for the images whose login has no password, if format or client requires one."""
    if wanted.format != "basic" and wanted.client != "kubernetes":
        return ()
    return tuple(
        refusal
        for one in issued
        if one.login.password is None
        for refusal in refusals_of(wanted, one.grant, "identity_token")
    )


def _summary(decided: IssuancePlan) -> dict[str, Any]:
    """Return what is issued, without secrets. It is stored under the idempotency key, for a comparison."""
    return {
        "credentials": [
            {
                "credential_id": str(grant.candidate.credential_id),
                "secret_version": grant.candidate.secret_version,
                "images": [str(image) for image in grant.images],
            }
            for grant in decided.grants
        ],
        "anonymous": [str(refusal.image) for refusal in decided.anonymous],
    }
