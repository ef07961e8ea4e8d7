"""Problem documents for the errors of the domain."""

from flask import Flask, Response

from chassis.invalid_input import FieldProblem
from chassis.web.problems import Problem, respond, unavailable
from chassis.web.responses import etag
from credentials.api.commands import command_headers
from credentials.api.impact import usages_json
from credentials.application.issuance import StillChanging
from credentials.application.store import UsedMeanwhile
from credentials.domain.commands import MAX_WORKLOADS
from credentials.domain.errors import (
    CredentialInUse,
    CredentialNotFound,
    FormerSecretGone,
    NameTaken,
    NoFormerSecret,
    RotationDiscarded,
    StaleVersion,
    TooManyCredentials,
)
from credentials.domain.issuance import Image, NotIssuable, NotIssued, Refusal
from eventlog.storage import EventTooLarge, IdempotencyKeyInFlight, IdempotencyKeyReused, VersionConflict
from registries.token_service import NotMinted
from registries.verification_help import help_for
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository
from secretstore.store import SecretVersionConflict

REMOVAL_RETRY_SECONDS = 60
MINT_RETRY_SECONDS = 5  # the minter caches a failure for this time


def install(app: Flask) -> None:
    """Install the error handlers of the command API."""
    app.register_error_handler(TooManyCredentials, _too_many_credentials)
    app.register_error_handler(NoFormerSecret, _no_former_secret)
    app.register_error_handler(FormerSecretGone, _former_secret_gone)
    app.register_error_handler(RotationDiscarded, _rotation_discarded)

    @app.errorhandler(CredentialNotFound)
    def _not_found(_error: CredentialNotFound) -> Response:
        return respond(
            Problem(404, "credential_not_found", "no credential of this account has that id or name")
        )

    @app.errorhandler(CredentialInUse)
    def _in_use(error: CredentialInUse) -> Response:
        detail = "workloads use the credential and would lose it; with force and a reason it is done anyway"
        extra = {
            "users": usages_json(error.usages[:MAX_WORKLOADS]),
            "more_users": len(error.usages) > MAX_WORKLOADS,
        }
        return respond(Problem(409, "credential_in_use", detail, extra=extra))

    @app.errorhandler(UsedMeanwhile)
    def _used_meanwhile(_error: UsedMeanwhile) -> Response:
        detail = "the secret of the credential is being issued at this moment; nothing was removed"
        return respond(unavailable("credential_changing", detail, 1))

    @app.errorhandler(NameTaken)
    def _name_taken(_error: NameTaken) -> Response:
        detail = "another credential of this account has that name"
        return respond(Problem(409, "name_taken", detail, [FieldProblem("/name", "name_taken", detail)]))

    @app.errorhandler(StaleVersion)
    def _stale(error: StaleVersion) -> Response:
        detail = f"the credential is at version {error.actual}, If-Match says {error.expected}"
        return respond(Problem(412, "stale_version", detail, headers={"ETag": etag(error.actual)}))

    @app.errorhandler(NotIssuable)
    def _not_issuable(error: NotIssuable) -> Response:
        return respond(_of_images(error))

    @app.errorhandler(StillChanging)
    @app.errorhandler(VersionConflict)
    @app.errorhandler(SecretVersionConflict)
    def _changing(_error: Exception) -> Response:
        detail = "the credential is changing too often; nothing was changed or issued"
        return respond(unavailable("credential_changing", detail, 1))

    @app.errorhandler(NotMinted)
    def _not_minted(error: NotMinted) -> Response:
        return respond(
            unavailable("login_unavailable", error.detail, error.retry_after or MINT_RETRY_SECONDS)
        )

    @app.errorhandler(IdempotencyKeyReused)
    def _reused(_error: IdempotencyKeyReused) -> Response:
        return respond(
            Problem(422, "idempotency_key_reused", "this Idempotency-Key was used for another request")
        )

    @app.errorhandler(IdempotencyKeyInFlight)
    def _in_flight(_error: IdempotencyKeyInFlight) -> Response:
        return respond(
            Problem(
                409,
                "idempotency_key_in_flight",
                "the first request with this Idempotency-Key is still in progress",
                headers={"Retry-After": "1"},
            )
        )

    @app.errorhandler(EventTooLarge)
    def _too_large(_error: EventTooLarge) -> Response:
        return respond(Problem(413, "too_large", "the request results in an event of more than 256 KiB"))


def _too_many_credentials(error: TooManyCredentials) -> Response:
    detail = f"the account has {error.limit} credentials, which is the limit; remove one first"
    headers = {"Retry-After": str(REMOVAL_RETRY_SECONDS)}
    return respond(Problem(429, "credentials_limited", detail, headers=headers))


def _no_former_secret(_error: NoFormerSecret) -> Response:
    detail = "the secret of the credential was never rotated, so there is nothing to roll back"
    return respond(Problem(409, "no_former_secret", detail))


def _former_secret_gone(_error: FormerSecretGone) -> Response:
    detail = "the grace of the last rotation is over, or the former secret cannot be read; rotate instead"
    return respond(Problem(410, "former_secret_gone", detail))


def _rotation_discarded(error: RotationDiscarded) -> Response:
    unchanged = "the credential has its former secret"
    if error.reason == "not_verified" and error.code is not None:
        detail = f"{unchanged}, because the new one was not verified: {error.detail}"
        verification = {
            "code": error.code,
            "detail": error.detail,
            "help": help_for(error.provider, error.code),
        }
        return respond(Problem(422, "secret_not_verified", detail, extra={"verification": verification}))
    if error.reason == "superseded":
        detail = "another secret, or other hosts, were set while this one was being verified"
    else:
        detail = f"{unchanged}: the rotation is not possible any more ({error.detail})"
    return respond(Problem(409, "rotation_discarded", detail))


def _of_images(error: NotIssuable) -> Problem:
    """Return one problem for all refused images: with the most specific reason, and that of each image."""
    errors = [of_image(refusal) for refusal in error.refusals]
    headers = {}
    if isinstance(error, NotIssued):
        headers = command_headers(error.issuance_id, error.version, error.version)
    reasons = {refusal.reason for refusal in error.refusals}
    if "no_eligible_credential" in reasons:
        detail = "the account has a credential for that registry, but not for this project or image"
        return Problem(403, "no_eligible_credential", detail, errors, headers)
    if "no_matching_credential" in reasons:
        detail = "the account has no credential for that registry"
        return Problem(404, "no_matching_credential", detail, errors, headers)
    if "secret_unreadable" in reasons:
        detail = "the stored secret of the credential cannot be read any more; rotate it"
        return Problem(409, "secret_unreadable", detail, errors, headers)
    if "login_refused" in reasons:
        detail = "the cloud refuses the stored keys; verify the credential to see the reason"
        return Problem(409, "login_refused", detail, errors, headers)
    if "one_login_per_host" in reasons:
        detail = "the client looks up one login for each host; request these images one by one"
        return Problem(409, "one_login_per_host", detail, errors, headers)
    detail = "the credential is an identity token and has no password; this format or client needs one"
    return Problem(409, "format_not_possible", detail, errors, headers)


def of_image(refusal: Refusal) -> FieldProblem:
    """Return the reason for the refusal of an image, with its place in the request."""
    if refusal.candidates:
        codes = ", ".join(sorted({judged.reason.value for judged in refusal.candidates}))
        detail = f"{refusal.image}: no credential for {refusal.image.registry_host} may be used ({codes})"
    elif refusal.reason == "no_matching_credential":
        detail = f"{refusal.image}: the account has no credential for {refusal.image.registry_host}"
    elif refusal.reason == "login_refused":
        detail = f"{refusal.image}: its credential's keys are refused"
    elif refusal.reason == "one_login_per_host":
        detail = f"{refusal.image}: another credential has the login of {refusal.image.registry_host}"
    elif refusal.reason == "secret_unreadable":
        detail = f"{refusal.image}: its credential's stored secret cannot be read"
    else:
        detail = f"{refusal.image}: its credential has no password"
    return FieldProblem(pointer_of(refusal.image, refusal.index), refusal.reason, detail)


def pointer_of(image: Image, index: int) -> str:
    """Return the JSON pointer of an image in the request."""
    match image:
        case WholeRegistry():
            return "/registry_host"
        case WholeRepository():
            return "/repository"
        case _:
            return f"/images/{index}"
