"""The output and the exit code of a command that starts a verification."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from regcred.apiclient.response import ApiResponse
from regcred.apiclient.transport import Json
from regcred.cli.lookup import newest_verification, read_back, rotated, verified
from regcred.cli.output import notice, print_fields, print_json
from regcred.cli.presentation import credential_fields, verification_fields
from regcred.cli.session import NO_VERDICT, REFUSED, CliSession

_F = TypeVar("_F", bound=Callable[..., Any])
DEFAULT_WAIT = 10


def wait_option(most: int) -> Callable[[_F], _F]:
    """Add `--wait`: the seconds that the command waits for the verdict, up to `most`."""
    return click.option(
        "--wait",
        type=click.IntRange(0, most),
        default=DEFAULT_WAIT,
        show_default=True,
        metavar="SECONDS",
        help="Wait for the verification; 0 does not wait.",
    )


def settle(session: CliSession, command: ApiResponse, done: str, *, wait: int) -> None:
    """Show the credential after `command`, wait up to `wait` seconds for its verdict, and exit."""
    credential = verified(session, command, seconds=wait) if wait else read_back(session, command)
    if session.as_json:
        print_json(credential)
    else:
        show(session, credential)
        notice(sentence(credential, done, waited=wait))
    leave(credential["verification"]["status"], waited=wait)


def settle_rotation(session: CliSession, requested: ApiResponse, *, wait: int) -> None:
    """Wait up to `wait` seconds until a requested rotation is done or discarded, show it, and exit."""
    credential = rotated(session, requested, seconds=wait) if wait else read_back(session, requested)
    rotation = credential["rotation"]
    if rotation is None:
        settle(session, requested, "rotated", wait=wait)
        return
    name, waits = credential["name"], rotation["status"] == "pending"
    if session.as_json:
        print_json(credential)
    else:
        show(session, credential)
        if waits:
            notice(
                f"{name} has its former secret, because the new one is not verified yet; "
                f"see `regcred credentials show {credential['id']}` later"
            )
        else:
            why = rotation["code"] or rotation["reason"]
            notice(f"{name} has its former secret, and the new one was discarded: {why}")
    leave("pending" if waits else "failed", waited=wait)


def show(session: CliSession, credential: Json) -> None:
    """Print all fields of the credential, with advice if its verification did not succeed."""
    state = credential["verification"]
    newest = newest_verification(session, credential) if state["code"] else None
    advice = newest["help"] if newest else None
    print_fields([*credential_fields(credential), *verification_fields(state, advice)])
    if dead_letters := credential.get("dead_letters"):
        notice(
            f"{dead_letters} events of it could not be handled, so this may be out of date; ask an operator"
        )


def sentence(credential: Json, done: str, *, waited: int) -> str:
    """Return a sentence with the result of the command (`done`) and of the verification."""
    name, state = credential["name"], credential["verification"]
    match state["status"]:
        case "verified":
            return f"{name} is {done}, and the registry accepted it"
        case "pending" if waited:
            return (
                f"{name} is {done}; no verdict within {waited} s, "
                f"see `regcred credentials show {credential['id']}` later"
            )
        case "pending":
            return f"{name} is {done}; it is being verified"
        case "unverifiable":
            return f"{name} is {done}; its registry offers no way to verify it"
        case "unreachable":
            return f"{name} is {done}, but the registry could not be reached: {state['code']}"
        case _:
            return f"{name} is {done}, but its verification failed: {state['code']}"


def leave(status: str, *, waited: int, probe: Json | None = None) -> None:
    """Exit with the code of this status, or return if the code is 0.

    A valid login without access to the image of `probe` exits like a refused login.
    """
    if not waited:
        return
    refused = probe is not None and probe["code"] not in {None, "unverifiable"}
    if refused or status in {"failed", "unreachable"}:
        raise click.exceptions.Exit(REFUSED)
    if status == "pending":
        raise click.exceptions.Exit(NO_VERDICT)
