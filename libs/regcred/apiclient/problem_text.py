"""A problem document as lines for the terminal.

    regcred: invalid_request: the request has invalid values
      --registry: only docker.io, or leave it out
      request id: 6f0c…

Where an error's pointer leads to an option of the command, that option is named.
"""

import re
from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any

from regcred.apiclient.errors import ApiProblem
from regcred.apiclient.text import shown

# JSON pointers of requests, and the parameter of the command line that fills each.
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

# What has no single parameter: the secret may come from a file, stdin or a prompt.
_OTHERWISE = {"": "request", "/credential": "the secret", "/credential/password": "the password"}

_HINTS = {
    "stale_version": "somebody changed it since it was read; nothing was done. Read it again, then repeat",
    "unauthenticated": "the token is not valid (any more); set REGCRED_TOKEN_FILE to the file of a valid one",
    "account_forbidden": "this token is for other accounts (--account)",
    "credential_in_use": "rotate it instead, or remove it with --force --reason '…'",
}


def problem_lines(problem: ApiProblem, parameters: Collection[tuple[str, str]]) -> Iterator[str]:
    """What to print. `parameters` are name and label of those that the command has."""
    yield f"regcred: {shown(problem.code)}: {shown(problem.detail)}"
    labels = dict(parameters)
    for error in problem.errors:
        yield f"  {shown(_label(error.pointer, labels))}: {shown(error.detail)}"
    for user in problem.users:
        yield f"  in use by {shown(_user(user))}"
    hint = _HINTS.get(problem.code)
    if hint:
        yield f"  {hint}"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE and problem.retry_after is not None:
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
    return _OTHERWISE.get(pointer, pointer)


def _user(user: dict[str, Any]) -> str:
    workload = user.get("workload")
    what = f"{workload.get('kind')} {workload.get('name')}" if isinstance(workload, dict) else "something"
    return f"{what} in project {user.get('project_id')}"
