"""`docker-credential-regcred get|store|erase|list|version`."""

import json
import os
import socket
import sys
from importlib.metadata import version

from regcred.apiclient.errors import ClientError, UnexpectedAnswer
from regcred.credential_helper.protocol import (
    NO_SERVER,
    NOT_FOUND,
    READ_ONLY,
    USAGE,
    listed,
    login,
)
from regcred.plugins.api_calls import connect, in_one_line, project_credentials, pull_secret
from regcred.plugins.settings import Caller, caller

_MAX_INPUT = 1024 * 1024


class HelperError(Exception):
    """The message is what the client is told."""


def main() -> None:
    """Answer one request of a client."""
    try:
        answer = _answer(sys.argv[1:])
    except HelperError as refusal:
        # Standard output is where clients look for it. NOT_FOUND is no failure: not a word more.
        print(refusal)
        sys.exit(1)
    except ClientError as error:
        line = in_one_line(error)
        print(line)
        # Docker drops what a helper answers when it pulls, and shows its standard error.
        print(line, file=sys.stderr)
        sys.exit(1)
    print(answer)


def _answer(arguments: list[str]) -> str:
    match arguments:
        case ["get"]:
            return _get(_input().strip())
        case ["list"]:
            asking = _caller()
            with connect(asking) as api:
                return json.dumps(listed(project_credentials(api, asking)))
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
    asking = _caller()
    with connect(asking) as api:
        given = pull_secret(api, asking, {"registry_host": server, "format": "docker_config"})
    try:
        found = login(server, given["docker_config"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UnexpectedAnswer(f"{asking.connection.address} did not answer with a login") from None
    if found is None:
        raise HelperError(NOT_FOUND)
    return json.dumps(found)


def _input() -> str:
    """What the client says, read to its end, or it would find the pipe broken."""
    return sys.stdin.buffer.read(_MAX_INPUT).decode(errors="replace")


def _caller() -> Caller:
    return caller(os.environ, hostname=socket.gethostname())


if __name__ == "__main__":
    main()
