"""Changes by which workloads lose a credential: the user sees them, and confirms with a reason."""

from typing import Any

from console.forms import Form
from regcred.apiclient.errors import ApiError

_IN_USE = "Workloads use the credential and would lose it. Enter a reason to do it anyway."
_NO_REASON = "Enter a reason. The audit log records it."


def is_confirmed(form: Form) -> bool:
    """Return whether the user confirmed the change. Without a reason, an error is added to the form."""
    if form.value("force") != "yes":
        return False
    if not form.value("reason").strip():
        form.add_error("reason", _NO_REASON)
    return True


def parameters(form: Form) -> dict[str, str | None]:
    """Return the parameters of the query of the command."""
    is_forced = form.value("force") == "yes"
    return {
        "reason": form.value("reason").strip() or None,
        "force": "true" if is_forced else None,
    }


def users_of(form: Form, problem: ApiError, text: str = _IN_USE) -> list[dict[str, Any]] | None:
    """Return the workloads that would lose the credential, with an error; `None` for another problem."""
    if problem.code != "credential_in_use":
        return None
    form.add_error(None, text)
    return list(problem.users)
