"""What a plugin asks regcred, and how it says that it was not answered."""

from collections.abc import Mapping
from typing import Any

from regcred.client.api import Api, Json
from regcred.client.errors import ApiProblem, ClientError, UnexpectedAnswer
from regcred.client.output import shown
from regcred.client.problems import problem_lines
from regcred.client.session import segment
from regcred.plugins.settings import Caller


def pull_secret(api: Api, caller: Caller, wanted: Mapping[str, Any]) -> Json:
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
    answer = api.post(f"/v1/accounts/{segment(caller.account)}/pull-secrets", body).body
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{caller.connection.address} did not answer with a pull secret")
    return answer


def project_credentials(api: Api, caller: Caller) -> list[Json]:
    """The credentials that the project may use, without their secrets. Raises `ClientError`."""
    path = f"/v1/accounts/{segment(caller.account)}/projects/{segment(caller.project)}/credentials"
    items: list[Json] = api.listing(path, {}, limit=None)["items"]
    return items


def in_one_line(error: ClientError) -> str:
    """Why it failed, for clients and logs that keep one line. Nothing secret is in it."""
    if isinstance(error, ApiProblem):
        return "; ".join(line.strip() for line in problem_lines(error, ()))
    return f"regcred: {shown(str(error))}"
