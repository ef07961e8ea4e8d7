"""What every page about one credential begins with."""

from dataclasses import dataclass
from uuid import UUID

from console.request_context import api
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

PATH = "/accounts/<account>/credentials/<uuid:credential_id>"


@dataclass(frozen=True, slots=True)
class OneCredential:
    """`path` is the API's; `version` is the one that a change is based on."""

    path: str
    body: Json
    version: str


def read(account: str, credential_id: UUID) -> OneCredential:
    """The credential as it is now. Raises `ApiError`."""
    path = account_path(account, "credentials", str(credential_id))
    answer = api().get(path)
    return OneCredential(path, answer.body, answer.version)
