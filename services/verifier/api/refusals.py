"""The one place where what keeps a registry from being asked becomes a problem document."""

from collections.abc import Mapping

from flask import Flask, Response

from chassis.web.problems import Problem, respond, unavailable
from registries.protocol.browser import RegistryError, RegistryRefused, RepositoryNotFound
from registries.protocol.tag_list import InvalidTagCursor
from verifier.image_browser import LoginRefused, NoSuchCredential, OutOfScope, SecretChanging
from verifier.schedule.admission import DelayReason, LoginDelayed
from verifier.slots import TooManyAtOnce

_NOT_NOW: Mapping[DelayReason, str] = {
    "login_held_back": "the registry refused this user a moment ago; it locks out who goes on",
    "too_many_logins": "the logins that this registry, or this account, may have at a time are taken",
}
_NOT_FOR_THAT: Mapping[str, str] = {
    "no_pull_scope": "the credential's scope says that it is not for pulling, so nothing is read with it",
    "other_repository": "none of the credential's repository_prefixes covers that repository",
}


def install(app: Flask) -> None:
    """Answer what the verifier's routes raise."""

    @app.errorhandler(TooManyAtOnce)
    def _too_many(error: TooManyAtOnce) -> Response:
        headers = {"Retry-After": str(error.retry_after)}
        detail = "other requests of this account, or of all, are waiting for registries"
        return respond(Problem(429, "too_many_at_once", detail, headers=headers))

    @app.errorhandler(LoginDelayed)
    def _not_now(error: LoginDelayed) -> Response:
        headers = {"Retry-After": str(error.retry_after)}
        return respond(Problem(429, error.reason, _NOT_NOW[error.reason], headers=headers))

    @app.errorhandler(OutOfScope)
    def _not_for_that(error: OutOfScope) -> Response:
        return respond(Problem(403, error.reason, _NOT_FOR_THAT[error.reason]))

    @app.errorhandler(LoginRefused)
    def _login_refused(_error: LoginRefused) -> Response:
        detail = "the registry refused this login; rotate its secret, or verify it again, before it is used"
        return respond(Problem(409, "verification_failed", detail))

    @app.errorhandler(NoSuchCredential)
    def _not_found(_error: NoSuchCredential) -> Response:
        return respond(Problem(404, "credential_not_found", "no credential of this account has that id"))

    @app.errorhandler(SecretChanging)
    def _changing(_error: SecretChanging) -> Response:
        detail = "the credential's secret is being replaced or removed"
        return respond(unavailable("credential_changing", detail, 1))

    @app.errorhandler(InvalidTagCursor)
    def _cursor(_error: InvalidTagCursor) -> Response:
        return respond(Problem(400, "invalid_cursor", "the cursor is not one of an earlier page"))

    @app.errorhandler(RegistryError)
    def _registry(error: RegistryError) -> Response:
        if isinstance(error, RepositoryNotFound):
            return respond(Problem(404, "repository_not_found", str(error)))
        if isinstance(error, RegistryRefused):
            later = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return respond(Problem(502, "registry_refused", str(error), headers=later))
        return respond(Problem(502, "registry_unreachable", str(error)))
