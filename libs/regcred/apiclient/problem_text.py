"""A problem document as lines for the terminal.

    regcred: invalid_request: the request has invalid values
      --registry: only docker.io, or omit it
      request id: 6f0c…

If the pointer of an error belongs to an option of the command, the text names that option.
"""

import re
from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any

from regcred.apiclient.errors import ApiProblem
from regcred.apiclient.text import shown

# JSON pointers of requests, each with the parameter of the command line that fills it.
_PARAMETERS = tuple(
    (re.compile(pattern), parameter)
    for pattern, parameter in (
        (r"/registry_url|/registry_host", "registry"),
        (r"/credential/username", "username"),
        (r"/credential/keyfile(/.*)?", "keyfile"),
        (r"/credential/docker_config(/.*)?", "docker_config"),
        (r"/scope(/pull)?", "pull"),
        (r"/scope/push", "push"),
        (r"(/restrictions)?/projects(/\d+)?", "projects"),
        (r"(/restrictions)?/restricted", "restricted"),
        (r"/scopes(/\d+)?", "scopes"),
        (r"/accounts(/\d+)?", "accounts"),
        (r"/project_id", "project"),
        (r"/credential_id", "credential"),
        (r"/([a-z_]+)(/\d+)?", r"\1"),
    )
)

# Pointers without a parameter. The secret, for example, may come from a file, stdin or a prompt.
_NAMES_WITHOUT_PARAMETER = {
    "": "request",
    "/credential": "the secret",
    "/credential/password": "the password",
}

_TEMPORARY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

_HINTS = {
    "stale_version": "it was changed after it was read, so nothing was done; repeat the command",
    "unauthenticated": "the token is invalid or expired; set REGCRED_TOKEN_FILE to the file of a valid token",
    "account_forbidden": "this token is limited: use one of its accounts (--account), or another token",
    "credential_in_use": "to do it anyway, repeat the command with --force --reason '…'",
}


def problem_lines(problem: ApiProblem, parameters: Collection[tuple[str, str]]) -> Iterator[str]:
    """Return the lines to print. `parameters` are names and labels of the parameters of the command."""
    yield f"regcred: {shown(problem.code)}: {shown(problem.detail)}"
    labels = dict(parameters)
    for error in problem.errors:
        yield f"  {shown(_label(error.pointer, labels))}: {shown(error.detail)}"
    for user in problem.users:
        yield f"  in use by {shown(_workload(user))}"
    hint = _HINTS.get(problem.code)
    if hint:
        yield f"  {hint}"
    if problem.status in _TEMPORARY and problem.retry_after is not None:
        yield f"  try again in {problem.retry_after} s"
    if problem.document.get("request_id"):
        yield f"  request id: {shown(problem.document['request_id'])}"


def _label(pointer: str, labels: dict[str, str]) -> str:
    for pattern, parameter in _PARAMETERS:
        match = pattern.fullmatch(pointer)
        if match:
            label = labels.get(match.expand(parameter))
            if label:
                return label
    return _NAMES_WITHOUT_PARAMETER.get(pointer, pointer)


def _workload(usage: dict[str, Any]) -> str:
    workload = usage.get("workload")
    text = f"{workload.get('kind')} {workload.get('name')}" if isinstance(workload, dict) else "a workload"
    return f"{text} in project {usage.get('project_id')}"
