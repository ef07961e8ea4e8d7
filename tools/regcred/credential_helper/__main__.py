"""`docker-credential-regcred get|store|erase|list|version`."""

import json
import os
import socket
import sys
from http import HTTPStatus
from importlib.metadata import version

from regcred.apiclient.errors import ApiProblem, ClientError, UnexpectedResponse
from regcred.credential_helper.protocol import (
    NO_SERVER,
    NOT_ERASED,
    NOT_FOUND,
    READ_ONLY,
    USAGE,
    Json,
    listed,
    login,
    wanted,
)
from regcred.plugins.api_calls import connect, in_one_line, project_registries, pull_secret
from regcred.plugins.settings import Caller, read_caller

_MAX_INPUT = 1024 * 1024


class HelperError(Exception):
    """An error whose message is the output for the client."""


def main() -> None:
    """Handle one request of a client."""
    try:
        output = _run(sys.argv[1:])
    except HelperError as refusal:
        # Clients read errors from standard output. NOT_FOUND is not a failure, so nothing goes to standard
        # error.
        print(refusal)
        sys.exit(1)
    except ClientError as error:
        line = in_one_line(error)
        print(line)
        # During a pull Docker ignores the standard output of a helper and shows its standard error.
        print(line, file=sys.stderr)
        sys.exit(1)
    print(output)


def _run(arguments: list[str]) -> str:
    match arguments:
        case ["get"]:
            return _get(_input().strip())
        case ["list"]:
            caller = _caller()
            with connect(caller) as api:
                return _list(caller, project_registries(api, caller))
        case ["store"]:
            _input()
            raise HelperError(READ_ONLY)
        case ["erase"]:
            _input()
            # Clients end their logout with an error, or never, if the helper refuses.
            print(NOT_ERASED, file=sys.stderr)
            return ""
        case ["version" | "--version" | "-v"]:
            return f"docker-credential-regcred {version('regcred')}"
        case _:
            raise HelperError(USAGE)


def _get(server: str) -> str:
    if not server:
        raise HelperError(NO_SERVER)
    asked = wanted(server)
    if asked is None:
        raise HelperError(NOT_FOUND)
    caller = _caller()
    with connect(caller) as api:
        try:
            issued = pull_secret(api, caller, {**asked, "format": "docker_config"})
        except ApiProblem as problem:
            if _is_no_server(problem):
                raise HelperError(NOT_FOUND) from None
            raise
    try:
        found = login(server, issued["docker_config"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UnexpectedResponse(f"{caller.connection.address} did not respond with a login") from None
    if found is None:
        raise HelperError(NOT_FOUND)
    return json.dumps(found)


def _is_no_server(problem: ApiProblem) -> bool:
    """Whether the API refused the name of the server only: it is not one of a registry or repository."""
    pointers = {error.pointer for error in problem.errors}
    return (
        problem.status == HTTPStatus.UNPROCESSABLE_ENTITY
        and bool(pointers)
        and pointers <= {"/registry_host", "/repository", "/images/0"}
    )


def _list(caller: Caller, registries: list[Json]) -> str:
    try:
        return json.dumps(listed(registries))
    except (KeyError, TypeError, AttributeError):
        raise UnexpectedResponse(f"{caller.connection.address} did not respond with registries") from None


def _input() -> str:
    """Read standard input to its end. Otherwise the client gets a broken pipe."""
    return sys.stdin.buffer.read(_MAX_INPUT).decode(errors="replace")


def _caller() -> Caller:
    return read_caller(os.environ, hostname=socket.gethostname())


if __name__ == "__main__":
    main()
