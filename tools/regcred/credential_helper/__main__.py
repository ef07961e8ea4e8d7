"""`docker-credential-regcred get|store|erase|list|version`."""

import json
import os
import socket
import sys
from importlib.metadata import version

from regcred.apiclient.errors import ClientError, UnexpectedResponse
from regcred.credential_helper.protocol import (
    NO_SERVER,
    NOT_FOUND,
    READ_ONLY,
    USAGE,
    listed,
    login,
)
from regcred.plugins.api_calls import connect, in_one_line, project_credentials, pull_secret
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
                return json.dumps(listed(project_credentials(api, caller)))
        case ["store" | "erase"]:
            _input()
            raise HelperError(READ_ONLY)
        case ["version" | "--version" | "-v"]:
            return f"docker-credential-regcred {version('regcred')}"
        case _:
            raise HelperError(USAGE)


def _get(server: str) -> str:
    if not server:
        raise HelperError(NO_SERVER)
    caller = _caller()
    with connect(caller) as api:
        issued = pull_secret(api, caller, {"registry_host": server, "format": "docker_config"})
    try:
        found = login(server, issued["docker_config"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UnexpectedResponse(f"{caller.connection.address} did not respond with a login") from None
    if found is None:
        raise HelperError(NOT_FOUND)
    return json.dumps(found)


def _input() -> str:
    """Read standard input to its end. Otherwise the client gets a broken pipe."""
    return sys.stdin.buffer.read(_MAX_INPUT).decode(errors="replace")


def _caller() -> Caller:
    return read_caller(os.environ, hostname=socket.gethostname())


if __name__ == "__main__":
    main()
