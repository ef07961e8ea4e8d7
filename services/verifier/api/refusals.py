"""Problem documents for requests that cannot be sent to a registry, or that it refuses."""

from collections.abc import Mapping

from flask import Flask, Response

from chassis.runtime.slots import TooManyAtOnce
from chassis.web.problems import Problem, respond, unavailable
from registries.protocol.browser import RegistryError, RegistryRefused, RepositoryNotFound
from registries.protocol.tag_list import InvalidTagCursor
from secretstore.store import StoredSecretUnreadable
from verifier.image_browser import LoginRefused, NoSuchCredential, OutOfScope, SecretChanging
from verifier.schedule.admission import DelayReason, LoginDelayed

_DELAYED: Mapping[DelayReason, str] = {
    "login_held_back": "the registry recently refused this user; more failed logins could lock the user out",
    "too_many_logins": "the limit of logins for this registry, or for this account, is reached",
}
_OUT_OF_SCOPE: Mapping[str, str] = {
    "no_pull_scope": "the scope of the credential does not include pulling, so it is not used to read images",
    "other_repository": "none of the credential's repository_prefixes covers this repository",
}


def install(app: Flask) -> None:
    """Register the error handlers of the verifier's routes."""

    @app.errorhandler(TooManyAtOnce)
    def _too_many(error: TooManyAtOnce) -> Response:
        headers = {"Retry-After": str(error.retry_after)}
        detail = "too many requests, of this account or of all accounts, are waiting for registries"
        return respond(Problem(429, "too_many_at_once", detail, headers=headers))

    @app.errorhandler(LoginDelayed)
    def _login_delayed(error: LoginDelayed) -> Response:
        headers = {"Retry-After": str(error.retry_after)}
        return respond(Problem(429, error.reason, _DELAYED[error.reason], headers=headers))

    @app.errorhandler(OutOfScope)
    def _out_of_scope(error: OutOfScope) -> Response:
        return respond(Problem(403, error.reason, _OUT_OF_SCOPE[error.reason]))

    @app.errorhandler(LoginRefused)
    def _login_refused(_error: LoginRefused) -> Response:
        detail = "the registry refused this login; rotate the secret or verify the credential again first"
        return respond(Problem(409, "verification_failed", detail))

    @app.errorhandler(NoSuchCredential)
    def _not_found(_error: NoSuchCredential) -> Response:
        return respond(Problem(404, "credential_not_found", "no credential of this account has this id"))

    @app.errorhandler(SecretChanging)
    def _changing(_error: SecretChanging) -> Response:
        detail = "the credential's secret is being replaced or removed"
        return respond(unavailable("credential_changing", detail, 1))

    @app.errorhandler(StoredSecretUnreadable)
    def _unreadable(_error: StoredSecretUnreadable) -> Response:
        detail = "the stored secret of the credential cannot be read any more; rotate it"
        return respond(Problem(409, "secret_unreadable", detail))

    @app.errorhandler(InvalidTagCursor)
    def _cursor(_error: InvalidTagCursor) -> Response:
        return respond(Problem(400, "invalid_cursor", "the cursor is not from an earlier page"))

    @app.errorhandler(RegistryError)
    def _registry(error: RegistryError) -> Response:
        if isinstance(error, RepositoryNotFound):
            return respond(Problem(404, "repository_not_found", str(error)))
        if isinstance(error, RegistryRefused):
            later = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return respond(Problem(502, "registry_refused", str(error), headers=later))
        return respond(Problem(502, "registry_unreachable", str(error)))
