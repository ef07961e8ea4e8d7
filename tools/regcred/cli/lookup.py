"""Finds a credential by id or name, and reads the effect of a command."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from regcred.apiclient.errors import ApiProblem, NotConnected, ResponseLost
from regcred.apiclient.response import ApiResponse
from regcred.apiclient.transport import Json
from regcred.cli.errors import CredentialUnknown
from regcred.cli.session import CliSession

_POLL_SECONDS = 0.25
_SIMILAR = 5


def find(session: CliSession, id_or_name: str) -> ApiResponse:
    """Return the credential with this id, otherwise with this name in any case. The response has its ETag.

    Raises:
        CredentialUnknown: no credential has that id or name.
    """
    if _is_id(id_or_name):
        try:
            return session.api.get(session.path("credentials", id_or_name))
        except ApiProblem as problem:
            # A name can have the form of an id.
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
    return session.api.get(session.path("credentials", named(session, id_or_name)["id"]))


def named(session: CliSession, name: str) -> Json:
    """Return the credential with exactly this name, in any case. The filter of the API also matches parts."""
    items = session.api.listing(session.path("credentials"), {"name": name}, limit=None)["items"]
    exact = [item for item in items if item["name"].casefold() == name.casefold()]
    if len(exact) == 1:
        found: Json = exact[0]
        return found
    similar = [item["name"] for item in items][:_SIMILAR]
    hint = f"; similar names: {', '.join(similar)}" if similar else ""
    raise CredentialUnknown(f"account {session.account} has no credential {name!r}{hint}")


def credential_id_of(session: CliSession, id_or_name: str) -> str:
    """Return the id of a credential. An id is returned unchanged, because the credential may be removed."""
    return id_or_name if _is_id(id_or_name) else str(named(session, id_or_name)["id"])


def read_back(session: CliSession, command: ApiResponse) -> Json:
    """Wait until the read model includes this command, and return the credential from it.

    If the read fails (also if the token may not read), return the body of the command's response.
    """
    written: Json = command.body
    return _after(session, written["id"], command.position) or written


def await_read_models(session: CliSession, command: ApiResponse) -> None:
    """Wait until the read models include this command, so that the next one of the user sees its effect.

    The API limits the wait. A failed read is ignored, because the command itself succeeded.
    """
    if command.position is not None:
        with suppress(ApiProblem, NotConnected, ResponseLost):
            session.api.get(session.path("credentials"), {"limit": 1}, wait_for=command.position)


def verified(
    session: CliSession,
    command: ApiResponse,
    *,
    seconds: float,
    clock: Callable[[], float] = monotonic,
    pause: Callable[[float], None] = sleep,
) -> Json:
    """Wait until the verification of the credential is not pending any more, and return the credential.

    After `seconds` it is returned with the status pending. Each query waits for the position of the command:
    an older read model would show the verdict of the previous secret.
    """

    def is_settled(credential: Json) -> bool:
        return bool(credential["verification"]["status"] != "pending")

    return _awaited(session, command, is_settled, seconds=seconds, clock=clock, pause=pause)


def rotated(session: CliSession, command: ApiResponse, *, seconds: float) -> Json:
    """Wait until the rotation that was requested is done or discarded, and return the credential."""

    def is_settled(credential: Json) -> bool:
        return not credential["rotation"] or credential["rotation"]["status"] != "pending"

    return _awaited(session, command, is_settled, seconds=seconds, clock=monotonic, pause=sleep)


def _awaited(
    session: CliSession,
    command: ApiResponse,
    is_settled: Callable[[Json], bool],
    *,
    seconds: float,
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> Json:
    credential: Json = command.body
    deadline = clock() + seconds
    while True:
        found = _after(session, credential["id"], command.position)
        credential = found or credential
        if found is None or is_settled(credential) or clock() >= deadline:
            return credential
        pause(_POLL_SECONDS)


def newest_verification(session: CliSession, credential: Json) -> Json | None:
    """Return the verification that set the status of the credential, with its help text."""
    path = session.path("credentials", credential["id"], "verifications")
    try:
        items: list[Any] = session.api.listing(path, {}, limit=1)["items"]
    except (ApiProblem, NotConnected, ResponseLost):
        return None  # the credential has the status and the code as well
    state = credential["verification"]
    return next((item for item in items if item["checked_at"] == state["checked_at"]), None)


def _after(session: CliSession, credential_id: str, position: str | None) -> Json | None:
    try:
        body: Json = session.api.get(session.path("credentials", credential_id), wait_for=position).body
    except (ApiProblem, NotConnected, ResponseLost):
        # The command succeeded. A failed read of its effect does not change that.
        return None
    return body


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
