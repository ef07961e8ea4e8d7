"""What a plugin asks regcred, and how it says that it was not answered."""

import sys
from collections.abc import Mapping
from typing import Any

from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.errors import ApiProblem, ClientError, UnexpectedAnswer
from regcred.apiclient.paths import account_path
from regcred.apiclient.problem_text import problem_lines
from regcred.apiclient.text import shown
from regcred.apiclient.transport import Json
from regcred.plugins.over_urllib import UrllibTransport
from regcred.plugins.settings import Caller


def connect(caller: Caller) -> ApiClient:
    """The API for this caller."""
    where = caller.connection
    return ApiClient(
        UrllibTransport(where.address, proxies=not where.loopback), token=where.token, repeats=Repeats(notice)
    )


def notice(text: str) -> None:
    """A sentence on standard error."""
    print(f"regcred: {shown(text)}", file=sys.stderr)


def pull_secret(api: ApiClient, caller: Caller, wanted: Mapping[str, Any]) -> Json:
    """The pull secret for `wanted` (`images` or `registry_host`, and `format`).

    Where no credential is kept for the registry, the client goes on without one, and so it is recorded.
    Raises `ClientError`.
    """
    body = {
        **wanted,
        "project_id": caller.project,
        "workload": {"kind": caller.workload_kind, "name": caller.workload_name},
        "allow_anonymous": True,
    }
    answer = api.post(account_path(caller.account, "pull-secrets"), body).body
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{caller.connection.address} did not answer with a pull secret")
    return answer


def project_credentials(api: ApiClient, caller: Caller) -> list[Json]:
    """The credentials that the project may use, without their secrets. Raises `ClientError`."""
    path = account_path(caller.account, "projects", caller.project, "credentials")
    items: list[Json] = api.listing(path, {}, limit=None)["items"]
    return items


def in_one_line(error: ClientError) -> str:
    """Why it failed, for clients and logs that keep one line. Nothing secret is in it."""
    if isinstance(error, ApiProblem):
        return "; ".join(line.strip() for line in problem_lines(error, ()))
    return f"regcred: {shown(str(error))}"
