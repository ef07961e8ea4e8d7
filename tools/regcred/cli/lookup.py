"""Which credential is meant, and reading one's own writes."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from regcred.apiclient.answer import ApiResponse
from regcred.apiclient.errors import AnswerLost, ApiProblem, NoAnswer
from regcred.apiclient.transport import Json
from regcred.cli.errors import CredentialUnknown
from regcred.cli.session import CliSession

_POLL_SECONDS = 0.25
_SIMILAR = 5


def find(session: CliSession, id_or_name: str) -> ApiResponse:
    """The credential with this id, else of this name in any case; with its ETag.

    Raises:
        CredentialUnknown: there is none.
    """
    if _is_id(id_or_name):
        try:
            return session.api.get(session.path("credentials", id_or_name))
        except ApiProblem as problem:
            # An id's form is also that of a name that some people have given.
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
    return session.api.get(session.path("credentials", named(session, id_or_name)["id"]))


def named(session: CliSession, name: str) -> Json:
    """The credential of this name in any case: exactly, though the API's filter takes parts of names."""
    items = session.api.listing(session.path("credentials"), {"name": name}, limit=None)["items"]
    exact = [item for item in items if item["name"].casefold() == name.casefold()]
    if len(exact) == 1:
        found: Json = exact[0]
        return found
    similar = [item["name"] for item in items][:_SIMILAR]
    hint = f"; there is {', '.join(similar)}" if similar else ""
    raise CredentialUnknown(f"account {session.account} has no credential {name!r}{hint}")


def credential_id_of(session: CliSession, id_or_name: str) -> str:
    """The id; one that is given as such need not exist any more."""
    return id_or_name if _is_id(id_or_name) else str(named(session, id_or_name)["id"])


def read_back(session: CliSession, command: ApiResponse) -> Json:
    """The credential as the read model has it after this command, so that whatever is asked next sees it too.

    Where it cannot be read now (or not by this token), it is what the command answered.
    """
    answered: Json = command.body
    return _after(session, answered["id"], command.position) or answered


def await_read_models(session: CliSession, command: ApiResponse) -> None:
    """Wait until the read models include this command, so that the next one of the user sees its effect.

    The wait is as long as the API's own. A read that fails is ignored: the command itself was done.
    """
    if command.position is not None:
        with suppress(ApiProblem, NoAnswer, AnswerLost):
            session.api.get(session.path("credentials"), {"limit": 1}, wait_for=command.position)


def verified(
    session: CliSession,
    command: ApiResponse,
    *,
    seconds: float,
    clock: Callable[[], float] = monotonic,
    pause: Callable[[float], None] = sleep,
) -> Json:
    """The credential that a command left, once its verification is not pending any more, or after `seconds`.

    Asked for behind the command's position: an older read model would tell of the secret before this one.
    """
    credential: Json = command.body
    deadline = clock() + seconds
    while True:
        found = _after(session, credential["id"], command.position)
        credential = found or credential
        settled = credential["verification"]["status"] != "pending"
        if found is None or settled or clock() >= deadline:
            return credential
        pause(_POLL_SECONDS)


def newest_verification(session: CliSession, credential: Json) -> Json | None:
    """The verification that gave the credential its status, with its help text."""
    path = session.path("credentials", credential["id"], "verifications")
    try:
        items: list[Any] = session.api.listing(path, {}, limit=1)["items"]
    except (ApiProblem, NoAnswer, AnswerLost):
        return None  # the credential itself says what matters
    state = credential["verification"]
    return next((item for item in items if item["checked_at"] == state["checked_at"]), None)


def _after(session: CliSession, credential_id: str, position: str | None) -> Json | None:
    try:
        body: Json = session.api.get(session.path("credentials", credential_id), wait_for=position).body
    except (ApiProblem, NoAnswer, AnswerLost):
        # The command was answered; not being able to look at its effect does not undo it.
        return None
    return body


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
