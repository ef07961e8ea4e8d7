"""The API calls of the plugins, and the text of their errors."""

import sys
from collections.abc import Mapping
from typing import Any

from regcred.apiclient.chosen import chosen
from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.errors import ApiProblem, ClientError, UnexpectedResponse
from regcred.apiclient.paths import account_path
from regcred.apiclient.problem_text import problem_lines
from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.plugins.over_urllib import UrllibTransport
from regcred.plugins.settings import Caller


def connect(caller: Caller) -> ApiClient:
    """Return a client of the API for this caller."""
    server = caller.connection
    return ApiClient(
        UrllibTransport(server.address, proxies=not server.loopback, ca_file=server.ca_file),
        token=server.token,
        repeats=Repeats(notice),
    )


def notice(text: str) -> None:
    """Print a message on standard error."""
    print(f"regcred: {shown(text)}", file=sys.stderr)


def pull_secret(api: ApiClient, caller: Caller, wanted: Mapping[str, Any]) -> Json:
    """Issue the secret for `wanted`: `format`, and one of `images`, `repository` and `registry_host`.

    If the account has no credential for the registry, or the caller allows it and the project may use none,
    the audit trail records that and the client continues without a login. Raises `ClientError`.
    """
    body = {
        **wanted,
        **_operation(caller),
        "project_id": caller.project,
        "workload": {"kind": caller.workload_kind, "name": caller.workload_name},
        "allow_anonymous": "not_eligible" if caller.allow_not_eligible else True,
        **chosen(caller.credential),
    }
    issued = api.post(account_path(caller.account, "pull-secrets"), body).body
    if not isinstance(issued, dict):
        raise UnexpectedResponse(f"{caller.connection.address} did not respond with a pull secret")
    return issued


def project_registries(api: ApiClient, caller: Caller) -> list[Json]:
    """Return the registries for which a pull secret by `registry_host` is issued. Raises `ClientError`."""
    path = account_path(caller.account, "projects", caller.project, "registries")
    parameters = {**_operation(caller), **chosen(caller.credential)}
    items: list[Json] = api.listing(path, parameters, limit=None)["items"]
    return items


def _operation(caller: Caller) -> Json:
    """Return the operation, if it is not the default."""
    return {} if caller.operation == "pull" else {"operation": caller.operation}


def in_one_line(error: ClientError) -> str:
    """Return the error as one line for clients and logs. It contains no secret."""
    if isinstance(error, ApiProblem):
        return "; ".join(line.strip() for line in problem_lines(error, ()))
    return f"regcred: {shown(str(error))}"
