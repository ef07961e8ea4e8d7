"""What every page about one credential begins with."""

from dataclasses import dataclass
from uuid import UUID

from console.api import Json, account_path
from console.door import api

PATH = "/accounts/<account>/credentials/<uuid:credential_id>"


@dataclass(frozen=True, slots=True)
class OneCredential:
    """`path` is the API's; `version` is the one that a change is based on."""

    path: str
    body: Json
    version: str


def read(account: str, credential_id: UUID) -> OneCredential:
    """The credential as it is now. Raises `ApiProblem`."""
    path = account_path(account, "credentials", str(credential_id))
    answer = api().get(path)
    return OneCredential(path, answer.body, answer.version)
