"""Queries that include a command, and verifications with their outcome: read models follow commands after a while."""

from typing import Any

import httpx2

from tests.support.timing import waiting

LONGEST_WAIT = "wait=30"  # the API waits no longer for a verification


def get_after(
    command: httpx2.Response, client: httpx2.Client, path: str, params: dict[str, Any] | None = None
) -> httpx2.Response:
    """The response to a GET that includes this command.

    The API waits two seconds for its read models. It responds 503 `read_model_behind` if a loaded machine takes
    longer, and the request is then repeated.
    """
    headers = {"Regcred-Wait-For": command.headers["Regcred-Position"]}

    def read() -> list[httpx2.Response]:
        response = client.get(path, params=params, headers=headers)
        behind = response.status_code == 503 and response.json()["code"] == "read_model_behind"
        return [] if behind else [response]  # a response of an error is false

    return waiting(read, "the read models include the command")[0]
