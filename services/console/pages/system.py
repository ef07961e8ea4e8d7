"""The system page: the state of each part, the lag of the consumers, and dead letters."""

from http import HTTPStatus

from flask import Blueprint, render_template

from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.transport import Json

_CHECKS = {
    "database": "PostgreSQL, with the log of events and the state for commands",
    "read_models": "The data of lists, pages and the audit log",
    "secret_store": "Stores the secrets of the credentials",
}
_CONSUMERS = {
    "projector": "Updates the read models",
    "projector:building": "Read models that are being rebuilt; not visible yet",
    "verifier": "Verifies the credentials",
    "housekeeping": "Destroys secrets that are no longer needed",
}
_LATE_SECONDS = 10  # a longer lag is shown as a warning


def install(pages: Blueprint) -> None:
    pages.get("/system")(show_system)


def show_system() -> str:
    """Show the checks of `GET /readyz`, and `GET /v1/system` if the token has the scope."""
    state = api().readiness()
    system, unavailable = _system()
    return render_template(
        "system.html",
        ready=state["ready"],
        checks=state["checks"],
        check_descriptions=_CHECKS,
        system=system,
        unavailable=unavailable,
        consumer_descriptions=_CONSUMERS,
        late_seconds=_LATE_SECONDS,
    )


def _system() -> tuple[Json | None, str]:
    """The state of the log and its consumers, or `None` and the reason why it is not available."""
    try:
        found: Json = api().get("/v1/system").body
    except ApiError as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        if problem.code == "insufficient_scope":
            return None, "Sign in with a token that has the scope admin to see the state of the consumers."
        return None, "The state of the consumers is unavailable."
    return found, ""
