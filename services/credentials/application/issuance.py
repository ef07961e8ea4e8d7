"""Issue pull secrets: decide, read the secrets, record the issuance, and only then return them.

The transaction that records an issuance checks the credentials. If one has changed since the decision,
nothing is recorded and the request is decided again. A restriction or removal that was confirmed before a
request therefore applies to it, and comes before it in the log.

An Idempotency-Key only saves a repeated request its second record. No secret is stored under it, and the
repetition is decided again. If it selects the same credentials and versions, it refers to the first record.
Otherwise (a credential was rotated, restricted or removed) it is an issuance or refusal of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from contracts.issuance_events import RefusalReason
from credentials.application.chosen_credential import chosen_credential
from credentials.application.command_handler import ATTEMPTS, CommandRequest, retried
from credentials.application.issued_logins import IssuedLogins, KeysRefused, LoginMinter, SecretLost
from credentials.application.store import CredentialStore, DecidedOnOldVersion
from credentials.domain.issuance import (
    Image,
    IssuancePlan,
    NotIssuable,
    NotIssued,
    PullSecretRequest,
    Refusal,
    plan,
    without,
)
from credentials.domain.issuance_record import events_of, refused_events
from credentials.domain.pull_secret_formats import Issued
from eventlog.storage import Appended, IdempotencyKeyReused, IdempotentRequest
from registries.matching import RequestedUse
from secretstore.store import SecretStore

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
    decided: IssuancePlan

    @property
    def anonymous(self) -> tuple[Image, ...]:
        """The images to pull without a credential."""
        return tuple(refusal.image for refusal in self.decided.anonymous)


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
        self._logins = IssuedLogins(secrets, minter)
        self._new_id = new_id

    def issue(self, request: CommandRequest, wanted: PullSecretRequest) -> PullSecret:
        """Issue the secrets that these images need."""
        return self._issue(request, wanted, failed={})

    def _issue(
        self, request: CommandRequest, wanted: PullSecretRequest, *, failed: Mapping[UUID, RefusalReason]
    ) -> PullSecret:
        """Issue without the credentials in `failed`, whose secrets cannot be used. Each attempt adds one."""

        def once() -> PullSecret:
            return self._issue_once(request, wanted, failed)

        def decided() -> PullSecret:
            return retried(once, on=(DecidedOnOldVersion,), attempts=ATTEMPTS)

        try:
            return retried(decided, on=(SecretLost,), attempts=_READ_ATTEMPTS)
        except DecidedOnOldVersion:
            raise StillChanging from None
        except SecretLost as lost:
            log.error("secret_lost", error=lost.error, account_id=request.account_id)  # noqa: TRY400 a stack trace adds nothing
            return self._issue(request, wanted, failed={**failed, lost.credential_id: "secret_unreadable"})
        except KeysRefused as refused:
            return self._issue(request, wanted, failed={**failed, refused.credential_id: "login_refused"})

    def decided(self, request: CommandRequest, wanted: PullSecretRequest) -> IssuancePlan:
        """Return what would be issued. Nothing is read from the secret store or recorded.

        Raises:
            NotIssuable, CredentialNotFound: nothing would be issued.
        """
        found = self._decide(request, wanted)
        if not found.issuable(partial=wanted.allow_partial):
            raise NotIssuable(found.refusals)
        return found

    def _issue_once(
        self, request: CommandRequest, wanted: PullSecretRequest, failed: Mapping[UUID, RefusalReason]
    ) -> PullSecret:
        decided = without(self._decide(request, wanted), wanted, failed)
        if not decided.issuable(partial=wanted.allow_partial):
            raise self._refused(request, wanted, decided.refusals)
        issued = self._logins.read(request.account_id, wanted, decided.grants)
        if without_password := _without_password(wanted, issued):
            return self._issue_once(request, wanted, {**failed, **without_password})
        return self._recorded(request, wanted, decided, issued)

    def _decide(self, request: CommandRequest, wanted: PullSecretRequest) -> IssuancePlan:
        hosts = sorted({image.registry_host for image in wanted.images})
        use = RequestedUse(
            project_id=wanted.project_id,
            operation=wanted.operation,
            at=request.now,
            chosen=chosen_credential(self._store, request.account_id, wanted.chosen),
        )
        return plan(wanted, self._store.candidates(request.account_id, hosts, mirrors=True), use)

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
            decided=decided,
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
        events = request.events(events_of(decided, wanted, issuance_id), self._new_id)
        decided_on = {grant.candidate.credential_id: grant.candidate.version for grant in decided.grants}

        def issued(under: IdempotentRequest | None) -> Appended:
            return self._store.issue(issuance_id, events, decided_on=decided_on, request=under)

        first = request.idempotent_request(response) if under_key else None
        try:
            return issuance_id, issued(first)
        except IdempotencyKeyReused:
            former = request.key.former_fingerprint if request.key else None
            if first is None or former is None:
                raise
            return issuance_id, issued(replace(first, fingerprint=former))

    def _refused(
        self, request: CommandRequest, wanted: PullSecretRequest, refusals: tuple[Refusal, ...]
    ) -> NotIssued:
        issuance_id = self._new_id()
        payloads = refused_events(refusals, wanted, issuance_id, anonymous=False)
        events = request.events(payloads, self._new_id)
        appended = self._store.issue(issuance_id, events, decided_on={}, request=None)
        return NotIssued(refusals, issuance_id=issuance_id, version=appended.version)


def _without_password(wanted: PullSecretRequest, issued: tuple[Issued, ...]) -> dict[UUID, RefusalReason]:
    """Return the credentials whose login has no password, if format or client requires one."""
    if wanted.format != "basic" and wanted.client != "kubernetes":
        return {}
    return {
        one.grant.candidate.credential_id: "identity_token" for one in issued if one.login.password is None
    }


def _summary(decided: IssuancePlan) -> dict[str, Any]:
    """Return what is issued, without secrets. It is stored under the idempotency key, for a comparison."""
    refused = [str(refusal.image) for refusal in decided.refusals]
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
        **({"refused": refused} if refused else {}),  # 0.9.0 stored none, so the others compare equal
    }
