"""What regcred stands on, whether it serves now, who is behind, and what was set aside."""

from http import HTTPStatus

from flask import Blueprint, render_template

from console.request_context import api
from regcred.apiclient.errors import ApiError
from regcred.apiclient.transport import Json

_SAID = {
    "database": "PostgreSQL: the log of events, and the state that commands decide on",
    "read_models": "The data of lists, pages and the audit log",
    "secret_store": "Vault, or the encrypted table",
}
_DOES = {
    "projector": "Updates the read models",
    "projector:building": "Read models that are being rebuilt; not visible yet",
    "verifier": "Verifies the credentials",
    "housekeeping": "Destroys secrets that are no longer needed",
}
_BEHIND = 10  # seconds, from which on it is worth a look


def install(pages: Blueprint) -> None:
    pages.get("/system")(show_system)


def show_system() -> str:
    """The checks of `GET /readyz`, and where the token may see it, `GET /v1/system`."""
    state = api().readiness()
    system, why_not = _system()
    return render_template(
        "system.html",
        ready=state["ready"],
        checks=state["checks"],
        said=_SAID,
        system=system,
        why_not=why_not,
        does=_DOES,
        behind=_BEHIND,
    )


def _system() -> tuple[Json | None, str]:
    """What the API says of itself, or why it does not: the checks are shown all the same."""
    try:
        found: Json = api().get("/v1/system").body
    except ApiError as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        if problem.code == "insufficient_scope":
            return None, "The state of the consumers is visible to tokens with the scope admin."
        return None, "The state of the consumers is unavailable."
    return found, ""
